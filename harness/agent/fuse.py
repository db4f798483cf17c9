"""A disk that is a process: a file system in user space, which keeps what was synced.

Its power fails when the process ends: what it held back is gone, and the next one begins with what
was kept. For hosts without loop devices.
"""

import asyncio
import os
import tempfile
from pathlib import Path

from . import tool
from .beside import Beside
from .forgetful import FULL, READ_ONLY, ROOT, SYNC
from .run import Refused, Run

_DEVICE = Path("/dev/fuse")

_CAP_SYS_ADMIN = 21


class Forgetting:
    """One of them, mounted at its root."""

    kind = "in user space"

    def __init__(self, run: Run, place: Path) -> None:
        self._run = run
        self._place = place
        self._process: Beside | None = None
        run.endings.append(self.let_go)

    async def make(self) -> None:
        """It is there when it is mounted."""

    async def mount(self) -> None:
        log = self._place / "log"
        self._process = await Beside.begin(self._run, "disk", "forget", str(self._place), log=log)

    async def let_go(self) -> None:
        """Its process ends: whoever has files open there has nothing any more."""
        if self._process is not None:
            await self._process.end()
            self._process = None

    cut = let_go

    async def sync(self) -> None:
        await self._tell(SYNC)

    async def fill(self, *, full: bool) -> None:
        await self._tell(FULL, b"1" if full else b"0")

    async def lock(self) -> None:
        await self._tell(READ_ONLY)

    async def _tell(self, what: str, value: bytes = b"1") -> None:
        """Through the file system itself, which does one thing at a time."""
        try:
            await asyncio.to_thread(os.setxattr, self._place / ROOT, what, value)
        except OSError as error:
            raise Refused(f"the disk does not do it: {error.strerror}") from error


def probe(folder: Path) -> str | None:
    """Why there are none here; None where there can be."""
    lacking = tool.missing("mount", "umount", "unshare")
    if lacking is not None:
        return lacking
    if not tool.may(_CAP_SYS_ADMIN):
        return "only root mounts file systems: log in as root, or say sudo: true"
    if not _DEVICE.exists():
        return f"there is no {_DEVICE}: modprobe fuse, or give it to the container"
    try:
        # Several agents may see one folder.
        with tempfile.TemporaryDirectory(prefix="probe-", dir=folder) as place:
            # What is mounted in a namespace of its own goes with the last process there.
            tool.run_now("unshare", "--mount", *tool.own("forget", "--try", place))
    except tool.FAILURES as error:
        return f"a file system in user space cannot be used: {tool.said(error).splitlines()[-1]}"
    return None
