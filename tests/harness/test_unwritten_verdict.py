"""A verdict for which the disk has no place is told, and not lost with its file."""

from pathlib import Path
from typing import Any

import pytest
from delphic.harness.judging.judgement import recheck
from delphic.harness.lifecycle import Order, execute
from delphic.harness.plan import plan
from delphic.harness.running.journal import entries
from delphic.harness.running.progress import Quiet
from delphic.harness.scenario import load
from delphic.harness.simulate.keep import execute_simulated
from delphic.harness.verdict import Validity
from delphic.reports.write import write

pytestmark = pytest.mark.slow

TEXT = """\
name: mine
cluster: {trace: false}
workload: {name: log, clients: 2, rate: 100}
duration: 1s
"""


class Occupied(Quiet):
    """Something is in the verdict's place, once the run has begun."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def say(self, text: str) -> None:
        (self._out / "latest/verdict.json").mkdir(exist_ok=True)


@pytest.mark.parametrize("target", ["memory", "sim"])
def test_a_verdict_that_cannot_be_written_is_told(memory: Any, tmp_path: Path, target: str) -> None:
    planned = plan(load(TEXT, "my.yaml"), seed=5, target=target, command="delphic run x")
    run = execute if target == "memory" else execute_simulated
    done = run(Order(planned, TEXT, tmp_path), Occupied(tmp_path), write)
    assert done.verdict.validity is Validity.PASS
    assert "verdict.json: Is a directory" in str(done.world)
    assert done.report_failure is None
    assert [line["phase"] for line in entries(done.run.journal)][-1] != "checked"
    done.run.verdict.rmdir()
    assert recheck(done.run).sentence == done.verdict.sentence
