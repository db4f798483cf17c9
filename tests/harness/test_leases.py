"""What a killed harness leaves behind, found and ended."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from delphic.harness import lifecycle
from delphic.harness.agent import proc
from delphic.harness.agent.proc import Identity
from delphic.harness.errors import WorldError
from delphic.harness.running import leases, signals
from delphic.harness.running.leases import LEASE_VARIABLE, Child, Lease, Record
from delphic.harness.running.progress import Quiet

HARNESS = textwrap.dedent("""
    import os, pathlib, subprocess, sys, time
    from delphic.harness.running.leases import Lease
    lease = Lease(pathlib.Path("run"))
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    known = subprocess.Popen(sleep, env={**os.environ, **lease.environment})
    lease.add("n1", known.pid)
    unknown = subprocess.Popen(sleep, env={**os.environ, **lease.environment})
    stopped = subprocess.Popen(sleep, env={**os.environ, **lease.environment})
    lease.add("n3", stopped.pid)
    stopped.send_signal(19)
    print(known.pid, unknown.pid, stopped.pid, flush=True)
    time.sleep(600)
""")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("DELPHIC_STATE", str(folder))
    return folder


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def record(
    folder: Path, harness: Identity, *children: Identity, boot: str = "", pids: str = ""
) -> Path:
    path = folder / "abc.json"
    path.parent.mkdir(exist_ok=True)
    told = tuple(Child(f"n{number}", child) for number, child in enumerate(children, start=1))
    text = Record("/runs/x", boot or proc.boot_id(), harness, told, pids=pids)
    path.write_bytes(msgspec.json.encode(text))
    return path


GONE = Identity(pid=2**22 - 1, start=1)


@pytest.mark.slow
def test_a_killed_harness_is_cleaned_up_after_and_it_is_said(tmp_path: Path) -> None:
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert harness.stdout is not None
    pids = [int(word) for word in harness.stdout.readline().split()]
    assert leases.heal() == ([], True)
    os.kill(harness.pid, signal.SIGKILL)
    harness.wait()
    harness.stdout.close()
    assert all(proc.letter(pid) for pid in pids)
    ((said,), _) = leases.heal()
    assert f"(pid {harness.pid}) is gone" in said
    assert f"n1 (pid {pids[0]}), n3 (pid {pids[2]})" in said
    assert f"a process that it had just started (pid {pids[1]})" in said
    assert f"delphic check {tmp_path / 'run'}" in said
    assert [proc.letter(pid) for pid in pids] == [None, None, None]
    assert leases.heal() == ([], True)


def test_a_live_harness_is_left_alone(state: Path) -> None:
    lease = Lease(Path("run"))
    with sleeper() as process:
        lease.add("n1", process.pid)
        assert leases.heal() == ([], True)
        assert proc.letter(process.pid) is not None
        lease.remove(process.pid)
    lease.release()
    assert list(state.iterdir()) == []


def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(state: Path) -> None:
    with sleeper() as process:
        path = record(state, GONE, Identity(process.pid, start=1))
        ((said,), _) = leases.heal()
        assert "nothing of it was running any more" in said
        assert proc.letter(process.pid) is not None
    assert not path.exists()


@contextmanager
def elsewhere(require: Callable[[object, str], None]) -> Iterator[tuple[int, str]]:
    """A process of lease `abc` in a namespace of pids of its own; its pid here, and which it is."""
    words = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    may = subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    require(may, "no namespaces can be made here")
    code = "import time; print('up', flush=True); time.sleep(600)"
    with subprocess.Popen(
        [*words, sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env={**os.environ, LEASE_VARIABLE: "abc"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        (child,) = proc.children(process.pid)
        try:
            yield child, os.readlink(f"/proc/{child}/ns/pid")
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_lease_of_another_namespace_of_pids_is_left_alone_as_long_as_that_is_there(
    state: Path, require: Callable[[object, str], None]
) -> None:
    with elsewhere(require) as (child, pids):
        path = record(state, Identity(1, 5), Identity(2, 6), pids=pids)
        ((said,), is_whole) = leases.heal()
        assert said.endswith("is of another namespace of pids: left alone.")
        assert is_whole
        assert proc.letter(child) is not None
        assert path.exists()
    ((said,), is_whole) = leases.heal()
    sees_all = proc.pid_namespace() == proc.FIRST_NAMESPACE
    assert ("is gone: nothing of it was running any more" in said) is sees_all
    assert path.exists() is not sees_all


def test_a_lease_says_where_its_pids_mean_something(state: Path) -> None:
    lease = Lease(Path("run"))
    (path,) = state.iterdir()
    assert msgspec.json.decode(path.read_bytes(), type=Record).pids == os.readlink(
        "/proc/self/ns/pid"
    )
    lease.release()


def test_a_lease_from_before_a_reboot_is_only_removed(state: Path) -> None:
    with sleeper() as process:
        alive = proc.identity(process.pid)
        assert alive is not None
        path = record(state, GONE, alive, boot="another")
        assert len(leases.heal()[0]) == 1
        assert proc.alive(alive)
    assert not path.exists()


def test_a_lease_that_cannot_be_read_is_told_and_hinders_no_other(state: Path) -> None:
    with sleeper() as process:
        path = record(state, GONE, proc.identity(process.pid) or GONE)
        for name in ("0", "x"):
            (state / f"{name}.json").touch()
        (first, ended, last), is_whole = leases.heal()
        assert not is_whole
        assert f"ended n1 (pid {process.pid})" in ended
        assert proc.letter(process.pid) is None
    assert "0.json is not healed, for it cannot be read: " in first
    assert last.endswith("; remove it if it is not yours.")
    assert not path.exists()
    assert len(list(state.iterdir())) == 2


def test_a_lease_that_was_cut_short_when_the_machine_stopped_is_removed(state: Path) -> None:
    state.mkdir()
    path = state / "x.json"
    path.touch()
    os.utime(path, (0, 0))
    ((said,), is_whole) = leases.heal()
    assert "of before the machine started: removed" in said
    assert is_whole
    assert not path.exists()


def test_who_does_not_end_keeps_the_lease_and_hinders_no_other(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = proc.end

    def stuck(process: Identity) -> bool:
        if process == GONE:
            raise OSError("pid 7 does not die of SIGKILL")
        return end(process)

    monkeypatch.setattr(proc, "end", stuck)
    with sleeper() as process:
        path = record(state, GONE, GONE, proc.identity(process.pid) or GONE)
        ((said,), is_whole) = leases.heal()
        assert f"ended n2 (pid {process.pid}); not ended: n1 (pid 7 does not die" in said
        assert not is_whole
    assert path.exists()


def test_a_state_directory_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "file" / "state"))
    with pytest.raises(WorldError, match=r"cannot write .*: Not a directory"):
        Lease(Path("run"))


def test_the_state_directory_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELPHIC_STATE", "/own")
    assert leases.state_directory() == Path("/own")
    monkeypatch.delenv("DELPHIC_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert leases.state_directory() == Path("/state/delphic")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert leases.state_directory() == Path("/home/me/.local/state/delphic")


def test_whoever_carries_the_mark_of_a_lease_ends_before_it_is_released() -> None:
    lease = Lease(Path("run"))
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env={**os.environ, **lease.environment},
        start_new_session=True,
    ) as process:
        lease.end_rest()
        assert process.wait(10) == -signal.SIGKILL
    lease.release()


def test_the_mark_of_a_lease_stands_in_the_environment() -> None:
    lease = Lease(Path("run"))
    assert lease.environment == {LEASE_VARIABLE: lease.name}
    lease.release()


def test_where_something_could_not_be_taken_down_all_that_members_left_ends_all_the_same(
    tmp_path: Path,
) -> None:
    class Lost:
        async def down(self) -> None:
            raise WorldError("is lost", node="h2")

    lease = Lease(tmp_path)
    life: Any = SimpleNamespace(cluster=Lost(), ears=signals.Ears(), show=Quiet())
    with subprocess.Popen(
        ["sleep", "1000"], env={**os.environ, **lease.environment}, start_new_session=True
    ) as rest:
        try:
            with asyncio.Runner() as runner:
                left = lifecycle._down(runner, life, lease)
            assert "h2: is lost" in str(left)
            assert rest.poll() == -signal.SIGKILL
        finally:
            rest.kill()
    assert not leases.heal()[0]
