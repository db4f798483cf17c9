"""Processes as the kernel shows them: identity beyond a pid, state, environment."""

import os
from pathlib import Path

import msgspec

_PROC = Path("/proc")


class Identity(msgspec.Struct, frozen=True):
    """A process for certain: pids are used again, but not with the same start in the same boot."""

    pid: int
    start: int
    """Clock ticks from boot to its start."""


def boot_id() -> str:
    """Another one after every boot of the machine."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def identity(pid: int) -> Identity | None:
    """Who has this pid now; None if nobody, or only a zombie."""
    fields = _fields(pid)
    return None if fields is None or fields[0] == "Z" else Identity(pid, int(fields[19]))


def alive(process: Identity) -> bool:
    """Whether that very process still runs."""
    return identity(process.pid) == process


def state(pid: int) -> str | None:
    """The kernel's letter (R, S, D, T, …); None if there is no such process, or only a zombie."""
    fields = _fields(pid)
    return None if fields is None or fields[0] == "Z" else fields[0]


def children(pid: int) -> list[int]:
    """The processes that this one started and that have not been waited for."""
    try:
        return [int(child) for child in (_PROC / f"{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def with_environment(entry: str) -> list[Identity]:
    """Every process of ours that was started with this `NAME=value`."""
    wanted = entry.encode()
    found = []
    for folder in _PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # Gone meanwhile, or somebody else's.
        process = identity(int(folder.name)) if wanted in environment else None
        if process is not None:
            found.append(process)
    return found


def _fields(pid: int) -> list[str] | None:
    """What follows the command's name in /proc/PID/stat; the name itself may hold anything."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
