"""What verdicts come to: one validity, one exit code, one sentence."""

from errno import ENOSPC
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from delphic.harness.errors import ExitCode, HistoryError, UsageError, WorldError
from delphic.harness.judging.judgement import (
    INTERRUPTED,
    NOT_SEEN,
    Ending,
    conclude,
    ending_of,
    evidence_of,
    plan_of,
    recheck,
    trace_of,
)
from delphic.harness.plan import Expectation, Plan, encode, plan
from delphic.harness.rundir import RunDir
from delphic.harness.running.journal import SEALED, Journal, digest, entries, seal_of
from delphic.harness.scenario import load
from delphic.harness.traces import Torn
from delphic.harness.traces import encode as encode_record
from delphic.harness.verdict import Validity, Verdict
from traced import record

TEXT = "name: mine\nworkload: {name: log}\nduration: 5s\n"
ENDED = Ending("2026-01-31T12:00:00Z", 5.0)


def planned(expected: Literal["pass", "fail"] = "pass", *promises: str) -> Plan:
    made = plan(load(TEXT, "my.yaml"), seed=1, target="local", command="")
    return msgspec.structs.replace(made, expect=Expectation(expected, promises))


def verdict(validity: Validity, *promises: str, checker: str = "one") -> Verdict:
    return Verdict(checker, validity, f"It is {validity.value}.", promises)


@pytest.mark.parametrize(
    ("validities", "expected", "code"),
    [
        ([Validity.PASS, Validity.PASS], Validity.PASS, ExitCode.AS_EXPECTED),
        ([Validity.PASS, Validity.INCONCLUSIVE], Validity.INCONCLUSIVE, ExitCode.INCONCLUSIVE),
        ([Validity.UNKNOWN, Validity.INCONCLUSIVE], Validity.UNKNOWN, ExitCode.INCONCLUSIVE),
        ([Validity.UNKNOWN, Validity.HARNESS_ERROR], Validity.HARNESS_ERROR, ExitCode.HARNESS),
        ([Validity.FAIL, Validity.HARNESS_ERROR], Validity.FAIL, ExitCode.PROMISE_BROKEN),
        ([], Validity.INCONCLUSIVE, ExitCode.INCONCLUSIVE),
    ],
)
def test_the_worst_verdict_decides(
    validities: list[Validity], expected: Validity, code: ExitCode
) -> None:
    found = conclude(planned(), [verdict(validity) for validity in validities], ENDED)
    assert (found.validity, found.exit_code) == (expected, code)
    assert found.as_expected is (code is ExitCode.AS_EXPECTED)


def test_the_world_failing_is_exit_code_4_unless_a_promise_broke() -> None:
    ending = msgspec.structs.replace(ENDED, error="n1: no disk")
    broken = verdict(Validity.FAIL, "HS-2")
    assert conclude(planned(), [], ending).exit_code == ExitCode.WORLD
    assert conclude(planned(), [broken], ending).exit_code == ExitCode.PROMISE_BROKEN


def test_a_hoped_for_failure_is_as_expected() -> None:
    found = conclude(planned("fail", "HS-2"), [verdict(Validity.FAIL, "HS-2", "HS-4")], ENDED)
    assert (found.exit_code, found.as_expected) == (ExitCode.AS_EXPECTED, True)
    assert found.validity is Validity.FAIL
    assert found.sentence == "HS-2 broke, as the scenario expects: It is fail."


def test_a_hoped_for_failure_hides_no_bug_of_ours() -> None:
    odd = Verdict("two", Validity.HARNESS_ERROR, "DELPHIC CONTRADICTS ITSELF: …")
    found = conclude(planned("fail", "HS-2"), [verdict(Validity.FAIL, "HS-2"), odd], ENDED)
    assert (found.exit_code, found.as_expected) == (ExitCode.HARNESS, False)
    assert found.validity is Validity.FAIL
    assert found.sentence == (
        "HS-2 broke, as the scenario expects, but Delphic failed: DELPHIC CONTRADICTS ITSELF: …"
    )


def test_another_failure_than_the_one_hoped_for_is_not() -> None:
    found = conclude(planned("fail", "HS-2"), [verdict(Validity.FAIL, "HS-25")], ENDED)
    assert (found.exit_code, found.as_expected) == (ExitCode.PROMISE_BROKEN, False)
    assert found.sentence == "HS-25 broke, not HS-2 as expected: It is fail."


def test_a_failure_that_was_hoped_for_in_vain_is_exit_code_1_and_says_which() -> None:
    found = conclude(planned("fail", "HS-1", "HS-2"), [verdict(Validity.PASS)], ENDED)
    assert (found.exit_code, found.as_expected) == (ExitCode.PROMISE_BROKEN, False)
    assert found.sentence.startswith(
        "HS-1 or HS-2 was expected to break, and was not seen to (pass)."
    )


def test_a_bug_that_shows_in_traces_alone_has_broken_no_promise_that_was_hoped_for() -> None:
    """So that several runs may decide together: in another one it may break a promise."""
    found = conclude(planned("fail", "HS-1"), [verdict(Validity.FAIL)], ENDED)
    assert (found.exit_code, found.as_expected) == (ExitCode.PROMISE_BROKEN, False)
    assert found.sentence == f"HS-1 {NOT_SEEN} (fail). It is fail."


def test_an_interrupted_run_cannot_be_blamed_for_what_it_did_not_see() -> None:
    stopped = verdict(Validity.INCONCLUSIVE, checker=INTERRUPTED)
    found = conclude(planned("fail", "HS-1"), [stopped, verdict(Validity.UNKNOWN)], ENDED)
    assert found.exit_code == ExitCode.INCONCLUSIVE


def test_a_directory_without_a_plan_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no run directory: it has no plan\.json"):
        plan_of(RunDir(tmp_path))


def test_whoever_looks_while_a_verdict_is_written_finds_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDir(tmp_path)
    run.plan.write_bytes(encode(planned()))
    run.history.write_bytes(b"")
    recheck(run)
    before = run.verdict.read_bytes()
    seen: list[bytes] = []

    def full(self: Path, target: Path) -> None:
        seen.append(target.read_bytes())
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WorldError, match=r"cannot write .*verdict\.json: No space left on device"):
        recheck(run)
    assert seen == [before] == [run.verdict.read_bytes()]
    assert {path.name for path in tmp_path.iterdir()} == {
        path.name for path in (run.plan, run.history, run.verdict)
    }


def test_the_ending_is_read_from_the_seal_or_told_to_be_unknown(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    diary = Journal(run.journal)
    diary.write("planned")
    assert ending_of(run).duration_s == 0.0
    ending = Ending("2026-01-31T12:00:00Z", 5.0, interrupted=True, died=(("n1", "signal 11"),))
    diary.write(SEALED, sha256="x", ending=msgspec.to_builtins(ending))
    assert ending_of(run) == ending


def test_a_journal_that_a_kill_cut_short_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert entries(path) == []
    Journal(path).write("planned")
    with path.open("ab") as stream:
        stream.write(b'{"phase":"sea')
    assert [entry["phase"] for entry in entries(path)] == ["planned"]
    assert seal_of(path) is None


def test_a_sealed_history_must_be_whole_and_one_that_was_not_may_be_torn(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.plan.write_bytes(encode(planned()))
    line = b'{"index":0,"time_ns":1,"process":0,"type":"invoke","f":"read"}\n'
    run.history.write_bytes(line + b'{"index":1,"ti')
    assert len(evidence_of(run, planned()).history.ops) == 1
    Journal(run.journal).write(SEALED, sha256=digest(run.history))
    with pytest.raises(HistoryError, match=r"history\.jsonl: line 2"):
        evidence_of(run, planned())


def test_a_trace_is_read_around_lines_that_a_kill_cut_short(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert trace_of(run, "n1").lines == ()
    run.node("n1").mkdir(parents=True)
    first, second = (record({"inc": inc}) for inc in (1, 2))
    torn = encode_record(first)[:20].decode()
    text = b"\n".join((encode_record(first), torn.encode() + encode_record(second), torn.encode()))
    run.node_trace("n1").write_bytes(text)
    trace = trace_of(run, "n1")
    assert trace.records == (first, second)
    assert trace.lines == (first, Torn(2, torn), second, Torn(3, torn))
