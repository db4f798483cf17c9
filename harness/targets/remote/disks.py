"""Members' disks on hosts: file systems in files, where a scenario asks for more than a folder."""

from collections.abc import Sequence
from pathlib import Path

from ...together import together
from ..target import Capability, ProcessState
from .daemons import RemoteDaemon

NEED_DISKS = frozenset({Capability.POWER_CUT})
"""What can only be done to a disk that is the member's own."""

_CUT_S = 60.0
"""How long it may take to mount a disk anew, and to see what it has lost."""


async def furnish(daemon: RemoteDaemon, folders: Sequence[Path]) -> None:
    """Give a member that has not begun a disk of its own, for what it keeps in these folders."""
    await daemon.station.agent.call(
        "disk-make",
        name=daemon.alias,
        folders=[str(folder) for folder in folders],
        user=daemon.station.entry.user if daemon.station.is_sudo else None,
    )


async def cut_power(daemons: Sequence[RemoteDaemon]) -> dict[str, int]:
    """End these members, then their file systems; the bytes that each has lost."""
    lost = {}

    async def cut(daemon: RemoteDaemon) -> None:
        if daemon.state is not ProcessState.DEAD:
            await daemon.kill()
        agent = daemon.station.agent
        said = await agent.call("disk-cut", name=daemon.alias, timeout_s=_CUT_S)
        lost[daemon.alias] = said["bytes"]

    await together(*(cut(daemon) for daemon in daemons))
    return dict(sorted(lost.items()))
