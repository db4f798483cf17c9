"""What dead agents left is undone as far as it can be: one bad file keeps nothing else broken."""

import asyncio
import errno
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from delphic.harness.agent import proc, processes, undo
from delphic.harness.agent.proc import Identity
from delphic.harness.agent.processes import Processes
from delphic.harness.agent.run import MARK, Refused, Run
from delphic.harness.agent.undo import UndoLog

WORDS = ["sleep", "600"]


@pytest.fixture
def mark() -> Iterator[str]:
    """For processes of a run; they are gone afterwards."""
    made = f"{MARK}=test-{uuid.uuid4().hex}"
    yield made
    proc.end_marked(made)


def run_in(state: Path, name: str = "mine", mark: str = "MARK=1") -> Run:
    folder = state / "runs" / name
    folder.mkdir(parents=True)
    log = UndoLog(folder)
    return Run(name, folder, 1.0, mark, None, has_loops=False, log=log, say=lambda _: None)


def of_dead(run: Run, boot: str | None = None) -> None:
    """Say that a run's agent is dead, of this boot or of another."""
    place = [*proc.here()]
    place[1] = boot or place[1]
    owner = {"run": run.name, "agent": [os.getpid(), 0], "place": place}
    (run.folder / "agent.json").write_text(json.dumps(owner))


def started(mark: str | None = None) -> subprocess.Popen[bytes]:
    more = dict([mark.split("=", 1)]) if mark else {}
    return subprocess.Popen(WORDS, env={**os.environ, **more}, start_new_session=True)


def test_a_record_that_says_nothing_keeps_no_process_alive(tmp_path: Path, mark: str) -> None:
    folder = tmp_path / "pids"
    folder.mkdir()
    marked, unmarked = started(mark), started()
    try:
        for name, text in (("1", ""), ("2", "[]"), ("3", '{"process": [1]}')):
            (folder / f"{name}.json").write_text(text)
        who = proc.identity(unmarked.pid)
        assert who is not None
        (folder / "4.json").write_text(json.dumps({"name": "n", "process": [who.pid, who.start]}))
        log = UndoLog(tmp_path)
        log.add("processes", mark=mark, pids=str(folder), boot=proc.here().boot)
        (sentence,) = log.undo(processes.UNDO)
        assert not proc.alive(who)
        assert proc.marked(mark) == []
        assert all(f"{number}.json does not say which" in sentence for number in (1, 2, 3))
    finally:
        for process in (marked, unmarked):
            process.kill()
            process.wait()


def test_a_process_that_cannot_be_recorded_does_not_run(
    tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_in(tmp_path, mark=mark)
    real = Path.write_text

    def full(path: Path, text: str) -> int:
        if path.parent.name != "processes":
            return real(path, text)
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def go() -> None:
        made = Processes(run)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_text", full)
            with pytest.raises(Refused, match=r"n1 cannot be kept account of: .*No space"):
                await made.spawn("n1", WORDS)
        assert proc.marked(mark) == []
        assert processes.recorded(run.folder) == {}
        assert await made.state() == {}
        await made.spawn("n1", WORDS)
        assert run.log.undo(processes.UNDO) == []
        assert proc.marked(mark) == []

    asyncio.run(go())


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOENT, errno.ESRCH])
def test_a_number_that_is_no_process_any_more_is_not_there(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """What pidfd_open says of a thread, or of what only a group has left, differs by kernel."""

    def none(_: int) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pidfd_open", none)
    assert proc.end(proc.me()) is False


def test_a_thread_is_not_a_process_to_be_ended() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        assert proc.end(Identity(thread.native_id, 1)) is False
    finally:
        over.set()
        thread.join()


def test_one_that_cannot_be_ended_keeps_no_other_alive(
    mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [started(mark) for _ in range(3)]
    real, kept = os.pidfd_open, made[1].pid

    def open_(pid: int) -> int:
        if pid == kept:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        return real(pid)

    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "pidfd_open", open_)
            with pytest.raises(OSError, match=rf"pid {kept} cannot be ended: .*not permitted"):
                proc.end_marked(mark)
        assert [each.pid for each in proc.marked(mark)] == [kept]
    finally:
        for process in made:
            process.kill()
            process.wait()


def test_a_process_whose_name_is_cut_within_a_letter_is_seen(tmp_path: Path) -> None:
    """The kernel keeps fifteen bytes of it."""
    odd = tmp_path / "12345678901234ü"
    odd.symlink_to(Path(sys.executable).resolve())
    words = [str(odd), "-c", "import sys; print('up', flush=True); sys.stdin.read()"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert b"\xc3)" in Path(f"/proc/{process.pid}/stat").read_bytes()
        assert proc.identity(process.pid) is not None
        assert proc.session(process.pid) == [process.pid]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"run": "r"}', "\0\0"], ids=["empty", "list", "part", "zeros"]
)
def test_a_run_whose_owner_is_lost_is_told_of_and_the_others_are_healed(
    tmp_path: Path, text: str
) -> None:
    lost, good = run_in(tmp_path, "a"), run_in(tmp_path, "b")
    (lost.folder / "agent.json").write_text(text)
    of_dead(good)
    (tmp_path / "runs" / "file").touch()
    (sentence,), (failed,) = undo.heal(tmp_path, {})
    assert sentence.startswith("Run b: ")
    assert failed.startswith("Run a cannot be undone: ")
    assert failed.endswith("a/agent.json does not say who serves the run")
    assert not good.folder.exists()


def test_a_folder_that_may_not_be_read_is_told_of_and_the_others_are_healed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut, good = run_in(tmp_path, "a"), run_in(tmp_path, "b")
    of_dead(good)
    real = Path.read_text

    def read(path: Path, *words: str) -> str:
        if path.parent == shut.folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *words)

    monkeypatch.setattr(Path, "read_text", read)
    (sentence,), (failed,) = undo.heal(tmp_path, {})
    assert sentence.startswith("Run b: ")
    assert "Permission denied" in failed


@pytest.mark.parametrize("text", ["", "\0\0", '{"kind": "no'], ids=["empty", "zeros", "part"])
def test_an_entry_that_never_reached_the_disk_counts_as_undone_after_a_boot(
    tmp_path: Path, text: str
) -> None:
    run = run_in(tmp_path)
    run.log.add("noted").with_name("000002.json").write_text(text)
    done: list[undo.What] = []
    of_dead(run)
    _, (failed,) = undo.heal(tmp_path, {"noted": done.append})
    assert "000002.json is not undone" in failed
    assert len(done) == 1
    of_dead(run, boot="another")
    (sentence,), failed_then = undo.heal(tmp_path, {"noted": done.append})
    assert "everything is undone" in sentence
    assert failed_then == []
    assert not run.folder.exists()


def test_what_undoes_one_thing_may_fail_anyhow_and_the_others_are_undone(tmp_path: Path) -> None:
    def refuse(_: undo.What) -> None:
        raise Refused("there is none")

    done: list[undo.What] = []
    log = UndoLog(tmp_path)
    log.add("noted")
    log.add("refused")
    (sentence,) = log.undo({"noted": done.append, "refused": refuse})
    assert sentence == "000002.json is not undone: Refused('there is none')"
    assert len(done) == 1


def test_an_entry_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[list[str]] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(sorted(path.name for path in tmp_path.glob("**/*.json")))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    UndoLog(tmp_path).add("noted")
    undo.Owner(tmp_path).write("mine", proc.me())
    assert synced == [[], ["000001.json"]]
