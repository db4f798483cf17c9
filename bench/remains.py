"""What there is on a machine of our own: counted, so that it can be compared with what there was.

Whoever counts is in namespaces of processes, networks and mounts of its own, so that everything
there is its own, too; of loop devices and control groups, which nobody has alone, those whose names
carry its mark are.
"""

import json
import os
import subprocess
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from kernel import status

KINDS = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")

MEMORY = "memory_kib"
"""Of this very process. It grows for other reasons than leaks, too."""

_INIT = 1


def remains(mark: str, folders: Iterable[Path], but: Collection[Path] = ()) -> dict[str, int]:
    """How many there are of everything that a run makes.

    `folders`: whose files are counted, `but` these and what is below them.
    """
    pids = [pid for pid in _pids() if pid not in (_INIT, os.getpid())]
    files = [file for folder in folders for file in _below(folder, but)]
    return {
        "processes": len(pids),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "namespaces": len(_namespaces()),
        "mounts": sum(len(lines) for lines in _mounts()),
        "interfaces": len(Path("/proc/self/net/dev").read_text().splitlines()),
        "tables": sum(1 for _ in _tables()),
        "loop devices": sum(mark in name for name in _loops()),
        "control groups": sum(mark in path.name for path in _groups()),
        "files": len(files),
        "disk_kib": sum(_kib(file) for file in files),
        MEMORY: status("VmRSS") >> 10,
    }


def loop_devices(mark: str) -> list[str]:
    """The devices whose files carry the mark."""
    return [
        f"/dev/{path.parts[3]}"
        for path in Path("/sys/block").glob("loop*/loop/backing_file")
        if mark in _read(path)
    ]


def groups(mark: str) -> list[Path]:
    """The control groups whose names carry the mark."""
    return [path for path in _groups() if mark in path.name]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _namespaces() -> dict[str, int]:
    """All that a process is in, or holds a file of; with one of the processes that are in it."""
    found: dict[str, int] = {}
    for pid in _pids():
        for kind in KINDS:
            with suppress(OSError):
                found[os.readlink(f"/proc/{pid}/ns/{kind}")] = pid
        for held in _held(pid):
            found.setdefault(held, 0)
    return found


def _held(pid: int) -> list[str]:
    """Namespaces that a process has open."""
    found = []
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return [name for name in found if name.partition(":")[0] in KINDS]


def _who(kind: str) -> list[int]:
    """A process of each namespace of a kind."""
    return [pid for name, pid in _namespaces().items() if pid and name.startswith(f"{kind}:")]


def _mounts() -> list[list[str]]:
    return [_read(Path(f"/proc/{pid}/mountinfo")).splitlines() for pid in _who("mnt")]


def _tables() -> Iterator[str]:
    for pid in _who("net"):
        words = ["nsenter", f"--net=/proc/{pid}/ns/net", "nft", "--json", "list", "tables"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode == 0:
            yield from (each for each in json.loads(done.stdout)["nftables"] if "table" in each)


def _loops() -> list[str]:
    return [_read(path) for path in Path("/sys/block").glob("loop*/loop/backing_file")]


def roots() -> list[Path]:
    """Where control groups are."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, kind = line.split(" ")[4], line.partition(" - ")[2].partition(" ")[0]
        if kind in ("cgroup", "cgroup2"):
            found.append(Path(place))
    return found


def _groups() -> list[Path]:
    return [path for root in roots() for path in root.iterdir() if path.is_dir()]


def _below(folder: Path, but: Collection[Path]) -> Iterator[Path]:
    device = folder.stat().st_dev
    for at, folders, files in os.walk(folder):
        path = Path(at)
        if path in but or path.stat().st_dev != device:
            folders.clear()
            continue
        yield from (path / name for name in folders)
        yield from (path / name for name in files if path / name not in but)


def _kib(file: Path) -> int:
    try:
        at = file.lstat()
    except FileNotFoundError:
        return 0
    return 0 if file.is_dir() else at.st_blocks // 2


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""  # It has just gone.


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What there is more of."""
    return {
        what: count - before[what]
        for what, count in after.items()
        if what != MEMORY and count > before[what]
    }
