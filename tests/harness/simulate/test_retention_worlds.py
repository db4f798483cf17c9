"""What retention leaves is read in the end, from where it begins."""

import json

import pytest
from delphic.harness.language import shipped
from delphic.harness.plan import plan
from delphic.harness.scenario import load
from delphic.harness.simulate.execute import Simulated, simulate_plan
from delphic.harness.verdict import Validity, Verdict

pytestmark = pytest.mark.slow

ONE_MINUTE = """
name: one-minute
cluster:
  members: 3
  config: {raftElectionTick: 30, streamingHAPurgeInterval: 2, dataFileSize: 2048}
workload: {name: log, clients: 2, rate: 10, retention_minutes: 1, op_timeout: 1s}
duration: 70s
"""


def played(text: str) -> Simulated:
    return simulate_plan(plan(load(text, "x.yaml"), seed=1, target="sim", command=""))


def of(found: Simulated, checker: str) -> Verdict:
    return next(told for told in found.verdict.verdicts if told.checker == checker)


def final_reads(found: Simulated) -> list[tuple[str, list[int | None]]]:
    """How each of them ended, and what it asked for."""
    ops = [json.loads(line) for line in found.history.splitlines()]
    (final,) = (at for at, op in enumerate(ops) if (op["f"], op.get("value")) == ("phase", "final"))
    reads = [op for op in ops[final:] if op["f"] == "read"]
    asked = [op["value"] for op in reads if op["type"] == "invoke"]
    ends = [op["type"] for op in reads if op["type"] != "invoke"]
    return list(zip(ends, asked, strict=True))


def test_a_refused_final_read_goes_on_where_rows_begin() -> None:
    """Promises HS-2 and HS-21: nothing is left open."""
    found = played(ONE_MINUTE)
    assert found.verdict.validity is Validity.PASS, found.verdict.sentence
    (refused, first), (answered, second) = final_reads(found)
    assert (refused, answered) == ("fail", "ok")
    assert first == [0, None]
    assert second[0] is not None
    assert second[0] > 0
    assert second[1] is None
    durability = of(found, "durability")
    assert durability.promises == ("HS-2", "HS-21")
    assert durability.details["left_open"] == 0


def test_a_restart_that_forgets_the_ages_of_files_is_seen() -> None:
    text, _ = shipped.text_of("bug-ages-forgotten")
    found = played(text)
    assert found.verdict.as_expected, found.verdict.sentence
    assert of(found, "durability").promises == ("HS-2", "HS-21")
