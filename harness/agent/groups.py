"""Where control groups are, of either version, and where in their tree ours may be made.

Where a host's own are not to be seen (a session in a namespace of its own), they are mounted in the
run's folder. A tree of version 2 that systemd keeps is systemd's: it takes controllers away from
the root when none of its units needs them, and a limit with them. There ours are made in the run's
own unit, which systemd has delegated to us.
"""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from .run import Refused

REST = "rest"
"""A group with groups below it has no processes itself: here are those who are in none of ours."""

_PROC = Path("/proc")

_SHARED = "cgroup.subtree_control"

_DELEGATED = ("trusted.delegate", "user.delegate")

_OURS = "delphic-"
"""What the units of runs are called: others are delegated to others."""

_GROUPS = "delphic_"
"""What the groups of runs are called."""

_NO_LIMIT = 1 << 60
"""Version 1 has no other word for any amount of memory."""

_FORKS = 100
"""Who starts processes meanwhile has to be quicker than this many looks."""


def version(controller: str) -> int:
    """Which version has it. Raises Refused if none has."""
    for line in (_PROC / "cgroups").read_text().splitlines()[1:]:
        name, hierarchy, _, enabled = line.split()
        if name == controller and enabled == "1":
            return 1 if int(hierarchy) else 2
    # Since Linux 6.12 only those are listed that version 1 could have.
    if any(controller in _has(place) for place in _mounts("cgroup2")):
        return 2
    raise Refused(f"the kernel has no control groups for {controller}")


def mounted(controller: str) -> Path | None:
    """Where this mount namespace shows the groups of a controller."""
    if version(controller) == 2:
        return next(iter(_mounts("cgroup2")), None)
    return next(iter(_mounts("cgroup", controller)), None)


def mounting(controller: str) -> tuple[str, ...]:
    """The words that mount the groups of a controller, but for the place."""
    kind = ("cgroup2",) if version(controller) == 2 else ("cgroup", "-o", controller)
    return ("mount", "-t", *kind, "none")


def home(root: Path) -> Path:
    """Where in a tree of version 2 ours are made: in the run's own unit, or else at its root."""
    for line in os.fsdecode((_PROC / "self/cgroup").read_bytes()).splitlines():
        if line.startswith("0::"):
            own = root / line.removeprefix("0::").strip().lstrip("/")
            unit = own.parent if own.name == REST else own
            return unit if _is_delegated(unit) else root
    return root


def share(place: Path, controller: str, note: Callable[[], object]) -> None:
    """Let groups that are made there have this controller. Raises Refused.

    `note` is called before one is switched on that nobody switches off with our unit.
    """
    try:
        is_ours = (place / "cgroup.type").exists() and _is_delegated(place)
        if is_ours:
            _make_room(place)
        if controller not in (place / _SHARED).read_text().split():
            if not is_ours:
                note()
            (place / _SHARED).write_text(f"+{controller}")
    except OSError as error:
        raise Refused(f"{place}: {error.strerror}") from error


def unshare(place: Path, controller: str, limit: str) -> None:
    """Switch it off again, unless groups of another run are there, or somebody limits any by it.

    `limit` is the file that does. Raises OSError.
    """
    for group in place.iterdir():
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if group.name.startswith(_GROUPS) or limit_in(group / limit) is not None:
                return
    try:
        (place / _SHARED).write_text(f"-{controller}")
    except OSError as error:
        if error.errno != errno.EBUSY:  # It has been shared further below.
            raise


def limit_in(file: Path) -> int | None:
    """The limit that it says, as the kernel counts it; None if there is none. Raises OSError."""
    value, *_ = file.read_text().split()
    return None if value == "max" or not 0 <= int(value) < _NO_LIMIT else int(value)


def why_not(controller: str) -> str | None:
    """Why nothing can be limited here by this controller; None if it can."""
    try:
        root = mounted(controller)
    except Refused as refused:
        return str(refused)
    if root is None:
        return None if os.geteuid() == 0 else "control groups are mounted by root"
    if not os.access(root, os.W_OK):
        return f"{root} is not ours to write"
    return _why_not_shared(home(root), controller) if version(controller) == 2 else None


def _why_not_shared(place: Path, controller: str) -> str | None:
    """A container's tree begins somewhere below the machine's, and may have less."""
    if controller not in _has(place):
        return f"{place} has no control groups for {controller}: whoever made it kept them"
    is_shared = controller in (place / _SHARED).read_text().split()
    is_top = not (place / "cgroup.type").exists()
    if is_shared or is_top or _is_delegated(place) or not _processes(place):
        return None
    return f"processes are in {place} itself: their groups cannot be limited one by one"


def _make_room(unit: Path) -> None:
    rest = unit / REST
    rest.mkdir(exist_ok=True)
    for _ in range(_FORKS):
        pids = _processes(unit)
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                (rest / "cgroup.procs").write_text(pid)


def _is_delegated(place: Path) -> bool:
    if not place.name.startswith(_OURS):
        return False
    for name in _DELEGATED:
        with contextlib.suppress(OSError):
            if os.getxattr(place, name) == b"1":
                return True
    return False


def _mounts(kind: str, controller: str | None = None) -> list[Path]:
    """Where trees are mounted and nothing is mounted over them."""
    found = []
    for line in os.fsdecode((_PROC / "self/mountinfo").read_bytes()).split("\n")[:-1]:
        before, _, after = line.partition(" - ")
        type_, _, options = after.split(" ", 2)
        place = Path(before.split(" ")[4])
        if (
            type_ == kind
            and (controller is None or controller in options.split(","))
            and (place / "cgroup.procs").exists()
        ):
            found.append(place)
    return found


def _has(place: Path) -> list[str]:
    return (place / "cgroup.controllers").read_text().split()


def _processes(place: Path) -> list[str]:
    return (place / "cgroup.procs").read_text().split()
