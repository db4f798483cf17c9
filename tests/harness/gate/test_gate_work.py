"""What a step finds, told as a gate tells it: by the doors that commands use."""

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from delphic.harness.errors import ExitCode
from delphic.harness.gate.result import Attempt
from delphic.harness.gate.step import Check, Conform, Explore, Order, Run, Simulate, Work
from delphic.harness.gate.work import Doer
from delphic.harness.lifecycle import Finished
from delphic.harness.rundir import RunDir
from delphic.harness.running.environment import provenance
from delphic.harness.verdict import RunVerdict, Validity, Verdict
from delphic.model.explore.result import Result

SCENARIO = """\
name: small
cluster: {bugs: {all: [ack-before-quorum]}}
workload: {name: log, clients: 6, rate: 200}
duration: 6s
faults:
  - {at: 1s, partition: leader, for: 2s}
"""


def done(work: Work, folder: Path, seconds: float = 600.0) -> tuple[Attempt, list[Attempt]]:
    """What came of it, and what was found on the way."""
    early: list[Attempt] = []
    order = Order(work, seconds, 1, str(folder))
    return Doer(order, lambda run: None, lambda text: None, early.append).do(), early


@pytest.mark.slow
def test_what_diverges_is_told_once_a_kind_with_what_shows_it(tmp_path: Path) -> None:
    work = Conform("keyed", bugs=("pending-keys-unknown",))
    found, early = done(work, tmp_path)
    assert found.code is ExitCode.PROMISE_BROKEN
    assert early[0].code is ExitCode.PROMISE_BROKEN
    told = [finding.sentence for finding in found.findings]
    assert len({sentence.partition(" is not")[0] for sentence in told}) == len(told)
    assert any(sentence.startswith("send: rows to log is not the model's") for sentence in told)
    assert "pending-keys-unknown" in found.findings[0].again
    assert any("model" in line for line in found.findings[0].witness)


@pytest.mark.slow
def test_a_model_with_a_mistake_names_the_promise_and_the_path(tmp_path: Path) -> None:
    work = Explore("keyed", mutant="retries-forgotten")
    found, _ = done(work, tmp_path)
    assert found.code is ExitCode.PROMISE_BROKEN
    assert found.promises == ("HS-16",)
    assert found.findings[0].witness
    assert found.findings[0].again == "delphic explore keyed --mutant retries-forgotten"
    hoped, _ = done(msgspec.structs.replace(work, expect="fail"), tmp_path)
    assert hoped.code is ExitCode.AS_EXPECTED
    assert hoped.sentence.startswith("As expected: BROKEN")
    right, _ = done(Explore("keyed", ("changes=0", "batches=1"), expect="fail"), tmp_path)
    assert right.code is ExitCode.PROMISE_BROKEN
    assert right.sentence.startswith("A failure was expected, and none was seen.")


def test_what_was_explored_is_explored_again_by_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "an entry is committed"
    nothing: dict[str, Any] = {"seconds": 0.0, "bytes_held": 0, "step_calls": 0}
    found = Result("raft", complete=True, unreached=(name,), statistics=nothing)
    monkeypatch.setattr("delphic.harness.gate.work.explore", lambda *_, **__: found)
    asked = ("one-vote-per-term", name)
    work = Explore("raft", ("entries=1",), "bag:2", True, asked, "commit-old-term")
    again = shlex.split(done(work, tmp_path)[0].findings[0].again)
    assert again == ["delphic", "explore", "raft", "--bound", "entries=1", "--network", "bag:2",
                     "--mutant", "commit-old-term", "--symmetry", "--property", asked[0],
                     "--property", name]  # fmt: skip


@pytest.mark.slow
def test_worlds_that_there_is_no_time_for_are_counted_and_not_green(tmp_path: Path) -> None:
    sound = SCENARIO.replace("cluster: {bugs: {all: [ack-before-quorum]}}\n", "")
    work = Simulate("small", "small.yaml", sound, 1, 10**12)
    found, _ = done(work, tmp_path, seconds=0.1)
    assert (found.code, found.unfinished) == (ExitCode.INCONCLUSIVE, "out of time")
    assert "of 1,000,000,000,000 worlds were tried" in found.sentence
    assert found.details["cpu_s"] > 0


@pytest.mark.slow
def test_a_world_that_breaks_is_told_at_once_and_kept(tmp_path: Path) -> None:
    found, early = done(Simulate("small", "small.yaml", SCENARIO, 1, 3), tmp_path)
    assert [one.code for one in (found, *early)] == [ExitCode.PROMISE_BROKEN] * 2
    assert "HS-2" in found.promises
    assert found.findings[0].run is not None
    assert (Path(found.findings[0].run) / "verdict.json").is_file()


@pytest.mark.slow
def test_a_world_that_breaks_is_told_where_it_cannot_be_kept(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.touch()
    found, _ = done(Simulate("small", "small.yaml", SCENARIO, 1, 3), folder)
    assert found.code is ExitCode.PROMISE_BROKEN
    assert found.findings[0].sentence.startswith("seed ")
    assert "cannot write" in found.sentence


def test_what_was_checked_is_checked_again_by_what_is_shown(tmp_path: Path) -> None:
    own = tmp_path / "own specs.py"
    own.write_text(
        "class Mine:\n    def initial(self): return 0\n"
        "    def step(self, state, f, argument, result): return None\n"
    )
    file = tmp_path / "history"
    file.write_text("process,type,f,value\n0,invoke,write,1\n0,ok,write,1\n")
    found, _ = done(Check(str(file), f"{own}:Mine", "csv", "none"), tmp_path)
    assert found.code is ExitCode.PROMISE_BROKEN
    again = shlex.split(found.findings[0].again)
    assert again == ["delphic", "check", str(file), "--spec", f"{own}:Mine", "--format", "csv",
                     "--partition", "none"]  # fmt: skip


@pytest.mark.parametrize(
    ("validity", "code", "found"),
    [(Validity.FAIL, 1, ExitCode.PROMISE_BROKEN), (Validity.PASS, 0, ExitCode.HARNESS)],
)
def test_a_report_that_cannot_be_written_hides_no_broken_promise(
    validity: Validity,
    code: int,
    found: ExitCode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict = RunVerdict(
        1, "small", 1, "local", "", 1.0, validity, "pass", code == 0, code, "A read was stale.",
        (Verdict("linearizable", validity, "A read was stale.", ("HS-4",)),), {}, provenance(),
    )  # fmt: skip
    finished = Finished(RunDir(tmp_path), verdict, report_failure="An assertion.")
    monkeypatch.setattr("delphic.harness.gate.work.launch", lambda *_, **__: finished)
    monkeypatch.setattr("delphic.harness.gate.work.plan_of", lambda _: SimpleNamespace(command=""))
    came, _ = done(Run("small", "small.yaml", SCENARIO, "local", 1, 6.0), tmp_path)
    assert came.code is found
    assert came.promises == (("HS-4",) if code else ())
    assert came.sentence.endswith("The report could not be written: An assertion.")
