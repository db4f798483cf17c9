"""Disks and clocks of members on hosts: their own, where a scenario breaks them."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from ...running.together import together
from ..faults import SOUND, TRUE, ClockState, CutFile, DiskState
from ..target import Capability, ProcessState
from . import shim
from .daemons import RemoteDaemon

NEED_DISKS = frozenset({Capability.POWER_CUT, Capability.DISK})
"""What can only be done to a disk that is the member's own."""

NEED_SHIM = frozenset({Capability.DISK, Capability.CLOCK})

_CUT_S = 60.0
"""How long it may take to mount a disk anew, and to see what it has lost."""

_AHEAD_S, _RATE = 0.001, 0.01
"""How well what a member reads must agree with what was asked for."""


class Conditions:
    """What disks and clocks of members are like."""

    def __init__(self) -> None:
        self._disks: dict[str, DiskState] = {}
        self._clocks: dict[str, ClockState] = {}
        self._full: dict[str, bool] = {}
        self._read_only: set[str] = set()
        """Whose disk has been made so that it must be mounted anew."""

    async def furnish(
        self, daemon: RemoteDaemon, folders: Sequence[Path], needs: frozenset[Capability]
    ) -> None:
        """Give a member that has not begun what its faults need. Raises WorldError."""
        user = daemon.station.entry.user if daemon.station.is_sudo else None
        if needs & NEED_DISKS:
            await daemon.station.agent.call(
                "disk-make",
                name=daemon.alias,
                folders=[str(folder) for folder in folders],
                user=user,
            )
        if needs & NEED_SHIM:
            control = f"{daemon.home}/shim"
            await daemon.station.agent.call("shim-make", name=daemon.alias, path=control, user=user)
            daemon.environment |= {
                "LD_PRELOAD": await shim.brought(daemon.station.host),
                "DELPHIC_SHIM": control,
                "DELPHIC_SHIM_FOLDER": str(folders[0]),
            }

    async def cut_power(self, daemons: Sequence[RemoteDaemon]) -> dict[str, int]:
        """End these members, then their file systems; the bytes that each has lost."""
        lost = {}

        async def cut(daemon: RemoteDaemon) -> None:
            if daemon.state is not ProcessState.DEAD:
                await daemon.kill()
            said = await _ask(daemon, "disk-cut", timeout_s=_CUT_S)
            lost[daemon.alias] = said["bytes"]

        await together(*(cut(daemon) for daemon in daemons))
        return dict(sorted(lost.items()))

    async def set_disk(self, daemon: RemoteDaemon, state: DiskState) -> None:
        """A disk with the shim in front of it; as whoever reads it now finds it."""
        alias = daemon.alias
        if alias in self._read_only and not state.read_only:
            if daemon.state is not ProcessState.DEAD:
                await daemon.kill()
            await _ask(daemon, "disk-lock", read_only=False)
            self._read_only.discard(alias)
        said = await _ask(
            daemon,
            "shim-disk",
            slow=state.slow,
            fail_sync=state.fail_sync,
            fail_write=state.fail_write,
        )
        if alias not in self._read_only:
            self._full[alias] = (await _ask(daemon, "disk-fill", full=state.full))["full"]
        if state.read_only:
            self._read_only.add(alias)
        read_only = False
        if state.read_only:
            async with _waiting(daemon):
                read_only = await _ask(daemon, "disk-lock", read_only=True)
        # One that does not run meets it when it does.
        is_met = daemon.state is ProcessState.DEAD or said["pid"] == daemon.pid
        seen = msgspec.structs.replace(state, full=self._full[alias], read_only=read_only)
        self._disks[alias] = seen if is_met else SOUND

    def disk_state(self, alias: str) -> DiskState:
        return self._disks.get(alias, SOUND)

    async def set_clock(self, daemon: RemoteDaemon, state: ClockState) -> None:
        """What the member reads is what counts; one that does not run reads it when it does."""
        runs = daemon.state is ProcessState.RUNNING
        asked = {"offset_s": state.offset_s, "drift": state.drift, "wait": runs}
        said = await _ask(daemon, "shim-clock", **asked)
        if runs:
            self._clocks[daemon.alias] = _read(said, state)
        else:
            self._clocks[daemon.alias] = state

    def clock_state(self, alias: str) -> ClockState:
        return self._clocks.get(alias, TRUE)


def _read(said: Mapping[str, Any], asked: ClockState) -> ClockState:
    """As asked, if that is what it read soon after; else what it did read."""
    if not said["is_read"]:
        return TRUE
    soon_s = abs(asked.drift - 1) * _SOON_S + _AHEAD_S
    if (
        abs(said["ahead_s"] - asked.offset_s) <= soon_s
        and abs(said["rate"] - asked.drift) <= _RATE * asked.drift
    ):
        return asked
    return ClockState(said["ahead_s"], said["rate"])


_SOON_S = 3.0
"""How late it may look for the first time: until then a clock that drifts has drifted."""


async def flip(daemon: RemoteDaemon, folders: Sequence[Path]) -> tuple[str, int] | None:
    """Turn one bit of a file in these folders; the member does not run meanwhile."""
    said = await _damaged(daemon, "flip", folders)
    return None if said is None else (said["path"], said["byte"])


async def cut_tail(
    daemon: RemoteDaemon, folders: Sequence[Path], size: int | None
) -> CutFile | None:
    """Cut the end off a file in these folders; the member does not run meanwhile."""
    said = await _damaged(daemon, "cut-tail", folders, size=size)
    return None if said is None else CutFile(**said)


async def _damaged(
    daemon: RemoteDaemon, do: str, folders: Sequence[Path], **more: Any
) -> dict[str, Any] | None:
    """What comes of doing that somewhere in these folders."""
    async with _waiting(daemon):
        said: dict[str, Any] | None = await daemon.station.agent.call(
            do, folders=[str(folder) for folder in folders], at=random.random(), **more
        )
    return said


@asynccontextmanager
async def _waiting(daemon: RemoteDaemon) -> AsyncIterator[None]:
    """The member does not run meanwhile."""
    was_running = daemon.state is ProcessState.RUNNING
    if was_running:
        await daemon.pause()
    try:
        yield
    finally:
        if was_running:
            await daemon.resume()


async def _ask(daemon: RemoteDaemon, do: str, *, timeout_s: float = 30.0, **more: Any) -> Any:
    return await daemon.station.agent.call(do, timeout_s=timeout_s, name=daemon.alias, **more)
