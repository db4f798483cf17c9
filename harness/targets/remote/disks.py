"""Disks and clocks of members on hosts: their own, where a scenario breaks them."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ...together import together
from ..faults import SOUND, TRUE, ClockState, DiskState
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
        said = await _ask(
            daemon,
            "shim-disk",
            slow=state.slow,
            fail_sync=state.fail_sync,
            fail_write=state.fail_write,
        )
        filled = await _ask(daemon, "disk-fill", full=state.full)
        # One that does not run meets it when it does.
        is_met = daemon.state is ProcessState.DEAD or said["pid"] == daemon.pid
        seen = msgspec.structs.replace(state, full=filled["full"])
        self._disks[daemon.alias] = seen if is_met else SOUND

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
    was_running = daemon.state is ProcessState.RUNNING
    if was_running:
        await daemon.pause()
    try:
        said = await _ask(daemon, "flip", folders=[str(f) for f in folders], at=random.random())
    finally:
        if was_running:
            await daemon.resume()
    return None if said is None else (said["path"], said["byte"])


async def _ask(daemon: RemoteDaemon, do: str, *, timeout_s: float = 30.0, **more: Any) -> Any:
    agent = daemon.station.agent
    if do == "flip":
        return await agent.call(do, timeout_s=timeout_s, **more)
    return await agent.call(do, timeout_s=timeout_s, name=daemon.alias, **more)
