"""What the kernel shows of processes, and shows only in a moment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from delphic.harness.agent import proc
from headless import headless

MARK = "DELPHIC_TEST_MARK=1"


def a_process(
    folder: Path, pid: int, *, size: int = 4096, code: int = 99, environment: bytes = b""
) -> Path:
    """As /proc shows one: its size in memory, and where in it its code begins."""
    own = folder / str(pid)
    own.mkdir(parents=True)
    fields = ["R", *(["1"] * 48)]
    fields[20], fields[23] = str(size), str(code)
    (own / "stat").write_text(f"{pid} (a ) name) {' '.join(fields)}\n")
    (own / "environ").write_bytes(environment)
    return own


@pytest.mark.parametrize("begins", [True, False])
def test_a_process_that_is_just_being_started_is_found_by_its_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    own = a_process(tmp_path, 5, code=0)
    a_process(tmp_path, 6)  # One with no environment.
    a_process(tmp_path, 7, size=0, code=0)  # One of the kernel's own.
    clock = iter(range(1000))

    def sleep(_: float) -> None:
        if begins:
            (own / "environ").write_bytes(f"A=1\0{MARK}\0".encode())

    monkeypatch.setattr(proc, "_PROC", tmp_path)
    monkeypatch.setattr(proc.time, "sleep", sleep)
    monkeypatch.setattr(proc.time, "monotonic", lambda: next(clock))
    assert [found.pid for found in proc.marked(MARK)] == ([5] if begins else [])
    assert next(clock) < 10, "it is not waited for for ever, and for others not at all"


def test_a_process_that_has_begun_between_two_looks_is_found_by_its_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its environment was not there yet; that it is by now does not mean that it has none."""
    own = a_process(tmp_path, 5)
    look = proc._fields

    def fields(pid: int) -> list[str] | None:
        (own / "environ").write_bytes(f"{MARK}\0".encode())
        return look(pid)

    monkeypatch.setattr(proc, "_PROC", tmp_path)
    monkeypatch.setattr(proc, "_fields", fields)
    assert [found.pid for found in proc.marked(MARK)] == [5]


def test_a_process_lives_until_the_last_of_its_threads_has_ended() -> None:
    with headless() as pid:
        assert proc.letter(pid) is not None
        own = proc.identity(pid)
        assert own is not None
        assert proc.end(own)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert proc.letter(pid) is None
        assert proc.identity(pid) is None


def test_who_may_not_be_looked_at_is_in_no_session_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where /proc is mounted with hidepid=1: others are listed, and that is all."""
    for pid in (1, 5):
        a_process(tmp_path, pid, environment=f"{MARK}\0".encode())
    look = proc._fields

    def fields(pid: int) -> list[str] | None:
        if pid == 1:
            raise PermissionError(1, "Operation not permitted")
        return look(pid)

    monkeypatch.setattr(proc, "_PROC", tmp_path)
    monkeypatch.setattr(proc, "_fields", fields)
    assert [found.pid for found in proc.marked(MARK, leader=1)] == [5]
    assert proc.session(1) == [5]


def test_processes_are_found_as_soon_as_they_have_been_started() -> None:
    """Of four hundred, a dozen were not."""
    for _ in range(40):
        with subprocess.Popen(
            [sys.executable, "-c", "while True: pass"],
            env={**os.environ, **dict([MARK.split("=", 1)])},
        ) as process:
            try:
                assert process.pid in [found.pid for found in proc.marked(MARK)]
            finally:
                process.kill()
