"""The scenario that is written: all that the run was, and nothing that it was not."""

from pathlib import Path
from typing import Any

import cut_off_leader
import pytest
from delphic.harness.language.document import parse
from delphic.harness.plan import Switches, encode, plan
from delphic.harness.rundir import RunDir
from delphic.harness.scenario import load
from delphic.harness.shrink import cut
from delphic.harness.shrink.cut import start_of, written
from delphic.harness.shrink.search import Candidate

TEXT = f"""\
{cut_off_leader.TEXT}requires: [cut]
minimum: {{elections: 1}}
stop_on_violation: true
"""


def test_every_key_that_makes_something_happen_is_in_what_is_written() -> None:
    data = parse(TEXT, "").data
    text, story = written(Candidate(data, 3), frozenset({"HS-2"}))
    scenario = load(text, "small.yaml")
    assert (scenario.name, scenario.seed, scenario.description) == ("mine-shrunk", 3, story)
    assert (scenario.minimum, scenario.stop_on_violation) == ({"elections": 1}, True)
    told = {"name", "seed", "description", "promises", "expect"}
    left = {key: part for key, part in parse(text, "").data.items() if key not in told}
    assert left == {key: part for key, part in data.items() if key != "name"}


def test_what_is_not_the_same_as_what_was_tried_is_not_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cut_short(data: dict[str, Any]) -> str:
        return write({key: part for key, part in data.items() if key != "minimum"})

    write = cut.write
    monkeypatch.setattr(cut, "write", cut_short)
    with pytest.raises(AssertionError):
        written(Candidate(parse(TEXT, "").data, 3), frozenset({"HS-2"}))


def test_a_run_that_was_told_to_stop_at_what_is_wrong_is_one_in_the_scenario(
    tmp_path: Path,
) -> None:
    plain = TEXT.replace("stop_on_violation: true\n", "")
    run = RunDir(tmp_path)
    run.scenario.write_text(plain)
    for stops in (True, False):
        switches = Switches(stop_on_violation=stops)
        made = plan(load(plain, ""), seed=3, target="sim", command="", switches=switches)
        run.plan.write_bytes(encode(made))
        started = start_of(run)
        assert started.seed == 3
        assert started.data == parse(TEXT if stops else plain, "").data
