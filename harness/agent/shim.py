"""What single processes are told by their clocks, and by their disks when they sync or write.

A library that is loaded into the process (LD_PRELOAD) maps a file that is written here; in the same
file the process notes what it was told, for receipts. It ends with the process: there is nothing
to undo. The library's source, with the layout of that file, is targets/remote/shim.c.
"""

import asyncio
import mmap
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import tool
from .disk import numbers
from .run import Refused, Run

_SIZE = 4096
_ORDERS = struct.Struct("<4q2dQ")
_ORDERS_AT = 8
_NOTES = struct.Struct("<2Q4q3Q")
_NOTES_AT = 64
_PID_AT = 72
_SEQUENCE = struct.Struct("<Q")

_FAIL_SYNC, _FAIL_WRITE = 1, 2

_READ_S, _LOOK_S, _RATE_S = 3.0, 0.01, 0.2
"""How soon a process that runs looks at its clock, and how long its rate is watched."""

_TRIAL = "import time; print(time.time() - time.clock_gettime(time.CLOCK_TAI))"
_TRIAL_S = 20.0
_TRIED_S = 1000.0


@dataclass(frozen=True, slots=True)
class Orders:
    """Where both clocks are let run from, how fast, and what becomes of syncs and writes."""

    day_true: int = 0
    day_shown: int = 0
    steady_true: int = 0
    steady_shown: int = 0
    rate: float = 1.0
    slow: float = 1.0
    fails: int = 0


class Control:
    """The file that one process shares with us."""

    def __init__(self, path: Path, user: str | None = None) -> None:
        """Make it, for a process of that user."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if user is not None and os.geteuid() == 0:
                os.fchown(handle, *numbers(user))
            os.ftruncate(handle, _SIZE)
            self._held = mmap.mmap(handle, _SIZE)
        finally:
            os.close(handle)
        self.orders = Orders()
        self.write(self.orders)

    def write(self, orders: Orders) -> None:
        """While the number is odd, nobody reads."""
        (number,) = _SEQUENCE.unpack_from(self._held, 0)
        _SEQUENCE.pack_into(self._held, 0, number + 1)
        values = (orders.day_true, orders.day_shown, orders.steady_true, orders.steady_shown)
        rest = (orders.rate, orders.slow, orders.fails)
        _ORDERS.pack_into(self._held, _ORDERS_AT, *values, *rest)
        _SEQUENCE.pack_into(self._held, 0, number + 2)
        self.orders = orders

    def belongs_to(self, pid: int) -> None:
        """Only that process notes what it was told, not what it starts."""
        _SEQUENCE.pack_into(self._held, _PID_AT, pid)

    def clock(self, offset_s: float, drift: float) -> None:
        """The clock of the day jumps; the steady one goes on from where it was."""
        now, steady = time.time_ns(), time.monotonic_ns()
        was = self.orders
        shown = was.steady_shown + round((steady - was.steady_true) * was.rate)
        day = now + round(offset_s * 1e9)
        self.write(Orders(now, day, steady, shown, drift, was.slow, was.fails))

    def disk(self, slow: float, fails: int) -> None:
        was = self.orders
        clocks = (was.day_true, was.day_shown, was.steady_true, was.steady_shown, was.rate)
        self.write(Orders(*clocks, slow, fails))

    def seen(self) -> dict[str, Any]:
        """What the process has noted: of its clock since it was set, and of its disk."""
        notes = _NOTES.unpack_from(self._held, _NOTES_AT)
        seen, pid, day_read, day_told, steady_read, steady_told, slowed, syncs, writes = notes
        return {
            "is_read": seen == _SEQUENCE.unpack_from(self._held, 0)[0],
            "pid": pid,
            "ahead_s": (day_told - day_read) / 1e9,
            "steady": (steady_read, steady_told),
            "slowed": slowed,
            "failed_syncs": syncs,
            "failed_writes": writes,
        }


class Shims:
    """The control files of this run's processes."""

    def __init__(self, run: Run) -> None:
        self._controls: dict[str, Control] = {}
        run.starts.append(self._started)

    def verbs(self) -> Mapping[str, Any]:
        return {
            "shim-try": attempt,
            "shim-make": self.make,
            "shim-clock": self.clock,
            "shim-disk": self.disk,
        }

    async def make(self, name: str, path: str, user: str | None = None) -> None:
        """A control file for a process of that user, which is to be started with it."""
        self._controls[name] = Control(Path(path), user)

    async def clock(
        self, name: str, offset_s: float, drift: float, wait: bool = True
    ) -> dict[str, object]:
        """Set its clock; what the process then reads, once it has, and how fast that goes."""
        control = self._control(name)
        control.clock(offset_s, drift)
        give_up = time.monotonic() + (_READ_S if wait else 0.0)
        while not (seen := control.seen())["is_read"]:
            if time.monotonic() > give_up:
                return {"is_read": False}
            await asyncio.sleep(_LOOK_S)
        read, told = seen["steady"]
        later = seen
        while later["steady"][0] - read < _RATE_S * 1e9:
            if time.monotonic() > give_up + _RATE_S:
                return {"is_read": False}
            await asyncio.sleep(_LOOK_S)
            later = control.seen()
        rate = (later["steady"][1] - told) / (later["steady"][0] - read)
        return {"is_read": True, "ahead_s": seen["ahead_s"], "rate": rate}

    async def disk(
        self, name: str, slow: float = 1.0, fail_sync: bool = False, fail_write: bool = False
    ) -> dict[str, Any]:
        """Let its syncs take so many times as long, or its syncs or writes fail."""
        control = self._control(name)
        control.disk(slow, fail_sync * _FAIL_SYNC + fail_write * _FAIL_WRITE)
        return control.seen()

    def _started(self, name: str, pid: int) -> None:
        if name in self._controls:
            self._controls[name].belongs_to(pid)

    def _control(self, name: str) -> Control:
        if name not in self._controls:
            raise Refused(f"{name} runs without the shim")
        return self._controls[name]


def attempt(library: str) -> str | None:
    """Why the library cannot be used here; None where a process told another time believes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "control"
        Control(path).clock(_TRIED_S, 1.0)
        env = {**os.environ, "LD_PRELOAD": library, "DELPHIC_SHIM": str(path)}
        words = [sys.executable, "-c", _TRIAL]
        try:
            ran = subprocess.run(
                words, env=env, capture_output=True, text=True, timeout=_TRIAL_S, check=True
            )
        except tool.FAILURES as error:
            return f"the shim cannot be loaded: {tool.said(error)}"
    # The loader only complains of a library that it cannot use.
    if ran.stderr or abs(float(ran.stdout)) < _TRIED_S / 2:
        return f"the shim cannot be loaded: {ran.stderr.strip() or 'a process does not see it'}"
    return None
