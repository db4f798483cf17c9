"""Scenarios from start to finish, on a group in memory."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.harness.errors import ExitCode, UsageError, WorldError
from delphic.harness.gate.bell import Bell
from delphic.harness.judging.judgement import recheck
from delphic.harness.lifecycle import Finished, Order, execute, open_run_directory
from delphic.harness.plan import Plan, plan
from delphic.harness.run import Live, Run
from delphic.harness.rundir import RunDir
from delphic.harness.running import leases, signals
from delphic.harness.running.journal import digests, entries, seal_of
from delphic.harness.running.progress import Quiet
from delphic.harness.scenario import load
from delphic.harness.system import Status
from delphic.harness.targets.target import TraceClock
from delphic.harness.verdict import Validity
from delphic.reports.write import write

pytestmark = pytest.mark.slow

TEXT = """\
name: mine
cluster: {trace: false}
workload: {name: log, clients: 4, rate: 400, op_timeout: 200ms}
duration: 1s
faults:
  - {at: 200ms, partition: leader, for: 200ms}
  - {at: 600ms, kill: leader, for: 200ms}
"""


class Interrupting(Quiet):
    """Presses Ctrl-C, so often, once clients are at work."""

    def __init__(self, times: int, number: signal.Signals = signal.SIGINT) -> None:
        self._times = times
        self._number = number

    async def follow(self, plan: Plan, live: Live) -> None:
        while live.recorder.next_index < 50:  # noqa: ASYNC110 - the run has no event for this
            await asyncio.sleep(0.001)
        for _ in range(self._times):
            os.kill(os.getpid(), self._number)
            await asyncio.sleep(0.01)


def order(out: Path, text: str = TEXT, *, seed: int = 5) -> Order:
    planned = plan(load(text, "my.yaml"), seed=seed, target="memory", command="delphic run x")
    return Order(planned, text, out)


def nothing(path: Path) -> None:
    return


def finished(out: Path, text: str = TEXT, show: Quiet | None = None) -> Finished:
    return execute(order(out, text), show or Quiet(), nothing)


def phases(run: RunDir) -> list[str]:
    return [entry["phase"] for entry in entries(run.journal)]


def test_a_run_leaves_everything_that_is_needed_to_judge_it(memory: Any, tmp_path: Path) -> None:
    run = finished(tmp_path).run
    assert run.scenario.read_text() == TEXT
    assert json.loads(run.plan.read_text())["seed"] == 5
    assert json.loads(run.environment.read_text())["pid"] == os.getpid()
    assert json.loads(run.verdict.read_text())["validity"] == "pass"
    assert phases(run) == ["planned", "up", "run", "sealed", "down", "checked"]
    assert entries(run.journal)[-2]["traces"] == digests(run.traces(["n1", "n2", "n3"]))
    assert (tmp_path / "latest").resolve() == run.path
    assert run.path.name.endswith("Z-mine-5")


def test_a_folder_that_is_called_latest_is_left_alone_and_named(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(WorldError) as caught:
        open_run_directory(order(tmp_path, TEXT))
    assert f"{tmp_path / 'latest'} is a folder" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


def test_a_group_without_bugs_passes_and_its_faults_bit(memory: Any, tmp_path: Path) -> None:
    done = finished(tmp_path)
    assert done.verdict.validity is Validity.PASS, done.verdict.sentence
    assert (done.verdict.exit_code, done.verdict.as_expected) == (ExitCode.AS_EXPECTED, True)
    ops = [json.loads(line) for line in done.run.history.read_text().splitlines()]
    said = [op["value"] for op in ops if op["process"] == "harness" and op["f"] == "phase"]
    assert said == ["main", "heal", "quiesce", "final", "end"]
    assert sum(op["f"] == "replica" for op in ops) == 3
    assert [op["f"] for op in ops if op["process"] == "nemesis" and op["type"] == "info"] == [
        "partition",
        "heal",
        "kill",
        "restart",
    ]


def test_whom_a_disk_ends_after_the_heal_is_started_again(late_ends: Any, tmp_path: Path) -> None:
    text = TEXT.split("faults")[0] + "faults: [{at: 900ms, disk: {node: n2, is: full}}]\n"
    done = finished(tmp_path, text)
    assert done.verdict.validity is Validity.PASS, done.verdict.sentence
    told = [json.loads(line) for line in done.run.history.read_text().splitlines()]
    said = [op["f"] for op in told if op["process"] == "nemesis" and op["type"] == "info"]
    assert said == ["disk", "mend", "restart"]
    assert (told[-1]["f"], told[-1]["value"]) == ("phase", "end")


def test_two_runs_in_one_second_have_directories_of_their_own(memory: Any, tmp_path: Path) -> None:
    runs = {finished(tmp_path, TEXT.split("faults")[0]).run.path for _ in range(2)}
    assert len(runs) == 2


class Losing(Quiet):
    """Takes rows out of the middle of the group's log, once clients are at work."""

    def __init__(self, memory: Any) -> None:
        self._memory = memory

    async def follow(self, plan: Plan, live: Live) -> None:
        while live.recorder.next_index < 200:  # noqa: ASYNC110 - the run has no event for this
            await asyncio.sleep(0.001)
        del self._memory.last.rows[20:40]


def test_a_group_that_loses_rows_is_found_out(memory: Any, tmp_path: Path) -> None:
    done = finished(tmp_path, show=Losing(memory))
    assert done.verdict.validity is Validity.FAIL
    assert done.verdict.exit_code == ExitCode.PROMISE_BROKEN
    assert not done.verdict.as_expected


def test_a_group_that_loses_rows_is_stopped_if_asked_for(memory: Any, tmp_path: Path) -> None:
    text = TEXT.replace("duration: 1s", "duration: 60s") + "stop_on_violation: true\n"
    done = finished(tmp_path, text.replace("for: 200ms", "for: 50s"), Losing(memory))
    online = done.verdict.verdicts[-1]
    assert (online.checker, online.validity) == ("online", Validity.FAIL)
    assert done.verdict.exit_code == ExitCode.PROMISE_BROKEN
    assert done.verdict.duration_s < 30
    ops = [json.loads(line) for line in done.run.history.read_text().splitlines()]
    assert ops[-1]["value"] == "end", "the final reads and the replicas are there"
    assert memory.last.log[-2:] == ["links 0", "down"], "faults are undone"
    assert phases(done.run)[-3:] == ["sealed", "down", "checked"]
    assert recheck(done.run).verdicts[-1].sentence == online.sentence


def test_the_history_is_sealed_before_anything_is_taken_down(memory: Any, tmp_path: Path) -> None:
    run = finished(tmp_path).run
    assert memory.last.log[0] == "up"
    assert memory.last.log[-1] == "down"
    assert phases(run).index("sealed") < phases(run).index("down")
    assert recheck(run).validity is Validity.PASS
    with run.history.open("a") as stream:
        stream.write("\n")
    with pytest.raises(UsageError, match="is not what was sealed: its SHA-256 is another"):
        recheck(run)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_undoes_faults_and_checks_what_there_is(
    memory: Any, tmp_path: Path, number: signal.Signals
) -> None:
    text = TEXT.replace("duration: 1s", "duration: 60s").replace("200ms, part", "10ms, part")
    before = signal.getsignal(signal.SIGINT)
    done = finished(tmp_path, text.replace("for: 200ms", "for: 50s"), Interrupting(1, number))
    assert done.verdict.validity in (Validity.INCONCLUSIVE, Validity.UNKNOWN)
    assert done.verdict.exit_code == ExitCode.INCONCLUSIVE
    assert "The run was interrupted" in done.verdict.sentence
    assert memory.last.log[-2:] == ["links 0", "down"]
    assert phases(done.run)[-3:] == ["sealed", "down", "checked"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_that_is_to_outlive_its_terminal_does(memory: Any, tmp_path: Path) -> None:
    """As `nohup` starts it: the signal is ignored, and stays so."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        done = finished(tmp_path, TEXT.split("faults")[0], Interrupting(1, signal.SIGHUP))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done.verdict.validity is Validity.PASS, done.verdict.sentence


@pytest.mark.parametrize("ignored", [False, True])
def test_signals_that_end_what_runs_are_those_that_nobody_had_ignored(ignored: bool) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        assert (signal.SIGHUP in signals.ending()) is not ignored
        with Bell().hung():
            assert (signal.getsignal(signal.SIGHUP) is signal.SIG_IGN) is ignored
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupt_while_replicas_are_compared_does_not_blame_who_is_behind(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = Run._status

    async def behind(self: Run, alias: str) -> Status | None:
        found = await status(self, alias)
        if found is None or alias != "n3":
            return found
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.01)
        return msgspec.structs.replace(
            found, applied=found.applied - 1, rows=found.rows - 1, digest="older"
        )

    monkeypatch.setattr(Run, "_status", behind)
    done = finished(tmp_path, TEXT.split("faults")[0])
    assert done.verdict.exit_code == ExitCode.INCONCLUSIVE, done.verdict.sentence
    assert '"replica"' not in done.run.history.read_text()


def test_who_ends_when_nobody_looks_any_more_is_told(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = Run._phase

    def last(self: Run, name: str) -> None:
        phase(self, name)
        if name == "end":
            memory.last.ended = [("n1", "exit code 4")]

    monkeypatch.setattr(Run, "_phase", last)
    done = finished(tmp_path, TEXT.split("faults")[0])
    assert "Members ended by themselves: n1 (exit code 4)" in done.verdict.sentence
    assert done.verdict.exit_code == ExitCode.INCONCLUSIVE


def test_a_second_interrupt_ends_at_once_and_still_seals(memory: Any, tmp_path: Path) -> None:
    text = TEXT.replace("duration: 1s", "duration: 60s")
    with pytest.raises(KeyboardInterrupt):
        finished(tmp_path, text, Interrupting(2))
    run = RunDir((tmp_path / "latest").resolve())
    assert memory.last.log[-1] == "down"
    assert seal_of(run.journal) is not None
    assert recheck(run).exit_code == ExitCode.INCONCLUSIVE
    assert leases.heal() == ([], True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_do_not_keep_a_run_from_being_taken_down_and_judged(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    down = memory.kind.down
    hurried = []

    async def signalled(self: Any) -> None:
        for _ in range(2):
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.01)
        await down(self)

    before = signal.getsignal(number)
    monkeypatch.setattr(memory.kind, "down", signalled)
    monkeypatch.setattr(memory.kind, "hurry", lambda one: hurried.append(one), raising=False)
    done = finished(tmp_path, TEXT.split("faults")[0])
    assert done.verdict.validity is Validity.PASS, done.verdict.sentence
    assert memory.last.log[-1] == "down"
    assert phases(done.run)[-3:] == ["sealed", "down", "checked"]
    assert hurried == [memory.last], "only who asks twice leaves behind what has not come home"
    assert signal.getsignal(number) is before
    assert leases.heal() == ([], True)


def test_a_signal_before_the_group_is_up_ends_the_run_early(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = memory.cluster

    def signalled(*given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return cluster(*given)

    monkeypatch.setattr(memory, "cluster", signalled)
    done = finished(tmp_path, TEXT.replace("duration: 1s", "duration: 60s"))
    assert "The run was interrupted" in done.verdict.sentence
    assert phases(done.run)[-3:] == ["sealed", "down", "checked"]


def test_a_group_that_does_not_start_is_the_worlds_fault(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: Any) -> None:
        raise WorldError("ended right after its start", node="n2", detail="last words")

    monkeypatch.setattr(memory.kind, "up", refuse)
    done = finished(tmp_path)
    assert done.verdict.exit_code == ExitCode.WORLD
    assert str(done.world) == "n2: ended right after its start\nlast words"
    assert "n2: ended right after its start" in done.verdict.sentence
    assert memory.last.log == ["down"]
    assert leases.heal() == ([], True)


def test_a_full_disk_ends_the_run_with_everything_down(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunDir, "history", Path("/dev/full"))
    with pytest.raises(WorldError, match="cannot write the history: No space left on device"):
        finished(tmp_path)
    assert memory.last.log[-1] == "down"
    assert leases.heal() == ([], True)


def test_a_bug_of_ours_still_seals_and_takes_everything_down(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise AssertionError("ours")

    monkeypatch.setattr("delphic.harness.conduct.layers.as_wanted", broken)
    with pytest.raises(AssertionError, match="ours"):
        finished(tmp_path)
    assert memory.last.log[-1] == "down"
    run = RunDir((tmp_path / "latest").resolve())
    assert seal_of(run.journal) is not None
    assert "a bug of Delphic ended it" in recheck(run).sentence


def test_a_report_that_fails_costs_nothing_but_itself(memory: Any, tmp_path: Path) -> None:
    def broken(path: Path) -> None:
        raise ValueError("no page today")

    done = execute(order(tmp_path), Quiet(), broken)
    assert done.verdict.validity is Validity.PASS
    assert "no page today" in str(done.report_failure)


def test_a_directory_that_cannot_be_written_is_told(memory: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorldError, match=r"cannot write .*file/runs: Not a directory"):
        finished(tmp_path / "file" / "runs")


class Leaving(Quiet):
    """A member keeps its rows while clients are at work."""

    def __init__(self, out: Path) -> None:
        self._out = out

    async def follow(self, plan: Plan, live: Live) -> None:
        (self._out / "latest/nodes/n1/data").mkdir(parents=True)
        (self._out / "latest/nodes/n1/data/rows").write_bytes(b"rows")


def test_bulk_is_dropped_after_a_pass_unless_it_is_to_be_kept(memory: Any, tmp_path: Path) -> None:
    asked = order(tmp_path, TEXT.split("faults")[0])
    run = execute(asked, Leaving(tmp_path), nothing).run
    assert not (run.node("n1") / "data").exists()
    kept = Order(asked.plan, asked.text, asked.out, keep=True)
    run = execute(kept, Leaving(tmp_path), nothing).run
    assert (run.node("n1") / "data").exists()


def test_what_is_dropped_stands_in_no_report(memory: Any, tmp_path: Path) -> None:
    asked = order(tmp_path, TEXT.split("faults")[0])
    run = execute(asked, Leaving(tmp_path), write).run
    page = run.report.read_bytes()
    assert b"verdict.json" in page
    assert b"nodes/n1/data/rows" not in page
    write(run.path)
    assert run.report.read_bytes() == page


@pytest.mark.parametrize("clock", TraceClock)
def test_the_journal_says_by_whose_clock_traces_tell_times(
    tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch, clock: TraceClock
) -> None:
    monkeypatch.setattr(memory.kind, "traces_by", lambda _: clock, raising=False)
    found = finished(tmp_path / "runs")
    (sealed,) = [line for line in entries(found.run.journal) if line["phase"] == "sealed"]
    said = [sealed["ending"][name] is not None for name in ("zero_ns", "hosts_zero_ns")]
    assert said == [clock is TraceClock.OURS, clock is TraceClock.HOSTS]
