"""What the kernel shows of processes, and shows only in a moment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from delphic.harness.agent import proc

MARK = "DELPHIC_TEST_MARK=1"


def a_process(folder: Path, pid: int, *, size: int, env_end: int, environment: bytes) -> Path:
    """As /proc shows one: its size in memory, and where in it its environment ends."""
    own = folder / str(pid)
    own.mkdir(parents=True)
    fields = ["R", *(["1"] * 48)]
    fields[20], fields[48] = str(size), str(env_end)
    (own / "stat").write_text(f"{pid} (a ) name) {' '.join(fields)}\n")
    (own / "environ").write_bytes(environment)
    return own


@pytest.mark.parametrize("begins", [True, False])
def test_a_process_that_is_just_being_started_is_found_by_its_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    own = a_process(tmp_path, 5, size=4096, env_end=0, environment=b"")
    a_process(tmp_path, 6, size=4096, env_end=99, environment=b"")  # One with no environment.
    a_process(tmp_path, 7, size=0, env_end=0, environment=b"")  # One of the kernel's own.
    clock = iter(range(1000))

    def sleep(_: float) -> None:
        if begins:
            (own / "environ").write_bytes(f"A=1\0{MARK}\0".encode())

    monkeypatch.setattr(proc, "_PROC", tmp_path)
    monkeypatch.setattr(proc.time, "sleep", sleep)
    monkeypatch.setattr(proc.time, "monotonic", lambda: next(clock))
    assert [found.pid for found in proc.marked(MARK)] == ([5] if begins else [])
    assert next(clock) < 10, "it is not waited for for ever, and for others not at all"


def test_who_may_not_be_looked_at_is_in_no_session_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where /proc is mounted with hidepid=1: others are listed, and that is all."""
    for pid in (1, 5):
        a_process(tmp_path, pid, size=4096, env_end=99, environment=f"{MARK}\0".encode())
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
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", "while True: pass"],
            env={**os.environ, **dict([MARK.split("=", 1)])},
        ) as process:
            try:
                assert process.pid in [found.pid for found in proc.marked(MARK)]
            finally:
                process.kill()
