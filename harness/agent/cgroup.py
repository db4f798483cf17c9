"""Control groups of either version: one of ours for processes to be limited in, and how it goes."""

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from . import tool
from .groups import REST, home, limit_in, mounted, mounting, share, unshare, version
from .proc import here
from .run import Refused, Run, plain
from .undo import What

_PERIOD_US = 100_000

_V1 = {"cpu": "cpu.cfs_quota_us", "memory": "memory.limit_in_bytes"}
_V2 = {"cpu": "cpu.max", "memory": "memory.max"}
UNLIMITED = None

_SWAP_V1, _SWAP_V2 = "memory.swappiness", "memory.swap.max"
"""Nobody gets memory back by swapping: what is not there is not there."""

_TRIES, _TRY_S = 10, 0.02
"""What may be taken from a process has to be written to its disk first."""


class Group:
    """One group of ours for one controller."""

    def __init__(self, run: Run, controller: str, name: str) -> None:
        """Make it. Raises Refused."""
        root = mounted(controller) or _mount(run, controller)
        self._version = version(controller)
        self._controller = controller
        place = home(root) if self._version == 2 else root
        within = str(place.relative_to(root))
        if self._version == 2:
            what = {"controller": controller, "within": within, "boot": here().boot}
            share(place, controller, lambda: run.log.add("shared", **what))
        self._path = place / f"{run.table}_{plain(name)}"
        run.log.add("cgroup", controller=controller, name=self._path.name, within=within)
        try:
            self._path.mkdir(exist_ok=True)
            swap = self._path / (_SWAP_V2 if self._version == 2 else _SWAP_V1)
            if controller == "memory" and swap.exists():
                swap.write_text("0")
        except OSError as error:
            raise Refused(f"{self._path}: {error.strerror}") from error

    def take(self, pids: list[int]) -> None:
        """These processes are in it from now on."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                (self._path / "cgroup.procs").write_text(str(pid))

    def seen(self) -> tuple[float | None, int]:
        """The limit as the kernel has it, None if there is none, and how many processes it has."""
        count = len((self._path / "cgroup.procs").read_text().split())
        limit = limit_in(self._path / self._file)
        if limit is None:
            return None, count
        return limit / (_PERIOD_US if self._controller == "cpu" else 1), count

    def used(self) -> int:
        """Of memory: the bytes that cannot be taken back, as copies of files can."""
        stat = self._counts("memory.stat")
        current = "memory.current" if self._version == 2 else "memory.usage_in_bytes"
        total = int((self._path / current).read_text())
        return max(0, total - stat["inactive_file"] - stat["active_file"])

    def killed(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        events = "memory.events" if self._version == 2 else "memory.oom_control"
        return self._counts(events).get("oom_kill", 0)

    def _counts(self, file: str) -> dict[str, int]:
        lines = (line.split() for line in (self._path / file).read_text().splitlines())
        return {word: int(number) for word, number in lines}

    def limit(self, limit: float | None) -> None:
        """So many processors, or bytes; None for no limit. Raises Refused."""
        value, period = "max" if self._version == 2 else "-1", ""
        if self._controller == "cpu":
            period = f" {_PERIOD_US}" if self._version == 2 else ""
            limit = None if limit is None else limit * _PERIOD_US
        if limit is not None:
            value = str(round(limit))
        for left in reversed(range(_TRIES)):
            try:
                (self._path / self._file).write_text(value + period)
                return
            except OSError as error:
                if error.errno != errno.EBUSY or not left:
                    raise Refused(f"{self._path.name}: {error.strerror}") from error
            time.sleep(_TRY_S)

    @property
    def _file(self) -> str:
        return (_V2 if self._version == 2 else _V1)[self._controller]


def _mount(run: Run, controller: str) -> Path:
    place = run.folder / f"cgroup-{controller}"
    run.log.add("mount", path=str(place))
    place.mkdir(exist_ok=True)
    try:
        tool.run_now(*mounting(controller), str(place))
    except tool.FAILURES as error:
        raise Refused(f"control groups cannot be mounted: {tool.said(error)}") from error
    return place


@contextlib.contextmanager
def _root(controller: str) -> Iterator[Path]:
    """The groups of a controller, for whoever undoes: perhaps where the run's mount is not seen."""
    root = mounted(controller)
    if root is not None:
        yield root
        return
    with tempfile.TemporaryDirectory() as folder:
        tool.run_now(*mounting(controller), folder)
        try:
            yield Path(folder)
        finally:
            tool.run_now("umount", folder)


def _leave(what: What) -> None:
    with _root(str(what["controller"])) as root:
        place = root / str(what.get("within", "."))
        group = place / str(what["name"])
        if not group.exists():
            return
        rest = place / REST
        to = rest if rest.exists() else place
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (to / "cgroup.procs").write_text(pid)
        group.rmdir()


def _unshare(what: What) -> None:
    if what["boot"] != here().boot:
        return
    controller = str(what["controller"])
    with _root(controller) as root:
        unshare(root / str(what["within"]), controller, _V2[controller])


def _unmount(what: What) -> None:
    path = str(what["path"])
    if os.path.ismount(path):
        tool.run_now("umount", path)


UNDO = {"cgroup": _leave, "shared": _unshare, "mount": _unmount}
