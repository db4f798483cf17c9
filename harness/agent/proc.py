"""Processes as the kernel shows them, and how one is ended for certain."""

import errno
import os
import select
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")

FIRST_NAMESPACE = "pid:[4026531836]"
"""The namespace of pids that every kernel begins with (PROC_PID_INIT_INO); all others are in it."""

_DIES_S = 5.0

_BEGINS_S, _LOOK_S = 1.0, 0.001

_NOT_THERE = (errno.ESRCH, errno.EINVAL, errno.ENOENT)
"""What kernels answer where a number is only that of a thread, a group or a session by now."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process for certain: pids are used again, but not with the same start in the same boot."""

    pid: int
    start: int
    """Clock ticks from boot to its start."""


class Whose(Enum):
    """What pids that were written down mean here."""

    OURS = "ours"
    GONE = "gone"
    """Nothing: none of those processes lives."""
    OTHERS = "others"
    """They are of another namespace, and may live."""


class Place(NamedTuple):
    """Where a pid and a table mean something: a boot of a machine and the namespaces in it.

    Folders of state may be shared: several hosts may see the same disk.
    """

    machine: str
    boot: str
    pids: str
    network: str


def boot_id() -> str:
    """Another one after every boot of the machine."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def pid_namespace() -> str:
    """Where the pids that this process sees mean something."""
    return os.readlink(_PROC / "self/ns/pid")


def whose(boot: str, pids: str) -> Whose:
    """What pids of such a boot and namespace mean here; no namespace: it was not written down."""
    if boot != boot_id():
        return Whose.GONE
    if pids in ("", pid_namespace()):
        return Whose.OURS
    return Whose.GONE if _is_empty(pids) else Whose.OTHERS


def _is_empty(pids: str) -> bool:
    """Whether nobody is in that namespace for certain: only from the first one all are seen."""
    if pid_namespace() != FIRST_NAMESPACE or not (_PROC / "1").exists():
        return False
    return not any(_may_be_in(int(f.name), pids) for f in _PROC.iterdir() if f.name.isdigit())


def _may_be_in(pid: int, pids: str) -> bool:
    try:
        return letter(pid) is not None and os.readlink(_PROC / f"{pid}/ns/pid") == pids
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        return _is_nested(pid)


def _is_nested(pid: int) -> bool:
    """Whether it has a pid of its own in another namespace than this one."""
    try:
        text = (_PROC / f"{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return any(len(line.split()) > 2 for line in text.splitlines() if line.startswith("NSpid:"))


def is_older_than_boot(path: Path) -> bool:
    """Whether a file was last written before the machine booted. False for one that is gone."""
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    try:
        return path.stat().st_mtime < booted
    except FileNotFoundError:
        return False


def here() -> Place:
    """The place of this process."""
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except FileNotFoundError:
        machine = ""
    return Place(
        f"{os.uname().nodename} {machine}",
        boot_id(),
        pid_namespace(),
        os.readlink(_PROC / "self/ns/net"),
    )


def identity(pid: int) -> Identity | None:
    """Who has this pid now; None if nobody, or only a zombie."""
    fields = _living(pid)
    return None if fields is None else Identity(pid, int(fields[19]))


def me() -> Identity:
    """This process."""
    own = identity(os.getpid())
    assert own is not None
    return own


def alive(process: Identity) -> bool:
    """Whether that very process still runs."""
    return identity(process.pid) == process


def letter(pid: int) -> str | None:
    """The kernel's letter (R, S, D, T, …); None if there is no such process, or only a zombie.

    Z: its first thread has ended, and others have not yet.
    """
    fields = _living(pid)
    return None if fields is None else fields[0]


def children(pid: int) -> list[int]:
    """The processes that this one started and that have not been waited for."""
    try:
        return [int(child) for child in (_PROC / f"{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def marked(mark: str, leader: int | None = None) -> list[Identity]:
    """Every process that was started with this `NAME=value`, as far as we may look.

    `leader`: of the session that it leads, or led, alone.
    """
    wanted = mark.encode()
    found = []
    for folder in _PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        if leader is not None and not _is_led(int(folder.name), leader):
            continue
        try:
            environment = _environment(int(folder.name))
        except OSError:
            continue  # Gone meanwhile, or somebody else's.
        process = identity(int(folder.name)) if wanted in environment else None
        if process is not None:
            found.append(process)
    return found


def _environment(pid: int) -> list[bytes]:
    """What it was started with. Raises OSError.

    Who starts it hears that it has begun before the kernel shows what with: that is waited for.
    """
    path = _PROC / str(pid) / "environ"
    give_up = time.monotonic() + _BEGINS_S
    while not (data := path.read_bytes()):
        if not _is_beginning(pid) or time.monotonic() > give_up:
            # It may have begun since it was read.
            data = path.read_bytes()
            break
        time.sleep(_LOOK_S)
    return data.split(b"\0")


def _is_beginning(pid: int) -> bool:
    """Whether it has memory, but not yet all in it that it is started with: its code comes last."""
    fields = _fields(pid)
    return fields is not None and fields[20] != "0" and fields[23] == "0"


def session(leader: int) -> list[int]:
    """Every process of the session that it leads."""
    pids = [int(folder.name) for folder in _PROC.iterdir() if folder.name.isdigit()]
    return [pid for pid in pids if _is_led(pid, leader)]


def _is_led(pid: int, leader: int) -> bool:
    try:
        fields = _fields(pid)
    except PermissionError:
        return False  # Somebody else's, where /proc shows only one's own.
    return fields is not None and fields[3] == str(leader)


def end(process: Identity) -> bool:
    """SIGKILL that very process and wait for it; whether it was there to be ended.

    Raises OSError if it cannot be.
    """
    return end_all([process]) == 1


def end_all(processes: Iterable[Identity]) -> int:
    """End each of these very processes; how many were there to be ended.

    Raises OSError about those that cannot be, when all others have ended.
    """
    ended, failed = _end_all(processes)
    if failed:
        raise OSError("; ".join(failed))
    return ended


def _end_all(processes: Iterable[Identity]) -> tuple[int, list[str]]:
    """How many have ended, and a sentence about each that could not be."""
    handles: list[int] = []
    waiting: dict[int, Identity] = {}
    failed, ended, poll = [], 0, select.poll()
    try:
        for process in processes:
            try:
                handle = os.pidfd_open(process.pid)
                handles.append(handle)
                # It now stands for one process for ever: checking after opening leaves no gap.
                if alive(process):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    waiting[handle] = process
                    poll.register(handle, select.POLLIN)
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    failed.append(f"pid {process.pid} cannot be ended: {error.strerror}")
        give_up = time.monotonic() + _DIES_S
        while waiting and (left := give_up - time.monotonic()) > 0:
            for handle, _ in poll.poll(left * 1000):
                poll.unregister(handle)
                del waiting[handle]
                ended += 1
        failed += [f"pid {each.pid} does not die of SIGKILL" for each in waiting.values()]
        return ended, failed
    finally:
        for handle in handles:
            os.close(handle)


def end_marked(mark: str, leader: int | None = None) -> int:
    """End every marked process, those included that they start meanwhile; how many there were.

    `leader`: as `marked` takes it. Raises OSError about those that cannot be ended, when all others
    have been.
    """
    ended = 0
    give_up = time.monotonic() + _DIES_S
    while found := marked(mark, leader):
        count, failed = _end_all(found)
        ended += count
        if failed and not count:
            raise OSError("; ".join(failed))
        if time.monotonic() > give_up:
            raise OSError(f"processes marked {mark} come back faster than they are ended")
    return ended


def _living(pid: int) -> list[str] | None:
    """Its fields; None if no thread of it lives."""
    fields = _fields(pid)
    return None if fields is None or (fields[0] == "Z" and int(fields[17]) < 2) else fields


def _fields(pid: int) -> list[str] | None:
    """What follows the command's name in /proc/PID/stat; the name itself may hold anything."""
    try:
        text = os.fsdecode((_PROC / str(pid) / "stat").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
