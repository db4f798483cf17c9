"""Where members live, and what can be done to them there."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

from ..conduct.triggers import Snapshot
from ..rundir import RunDir
from ..running.leases import Lease
from ..system import Connection, Setup, System
from .faults import (
    ClockState,
    Crashes,
    CrashState,
    CutFile,
    DiskState,
    MemoryState,
    Messages,
    PacketProbe,
    Packets,
    Shares,
    Spares,
)
from .links import Links, Pair, Probes
from .rules import Rules


class Capability(StrEnum):
    """What a target can do to its members."""

    CUT = "cut"
    DELAY = "delay"
    RATE = "rate"
    PACKETS = "packets"
    KILL = "kill"
    PAUSE = "pause"
    CPU = "cpu"
    MEMORY = "memory"
    POWER_CUT = "power-cut"
    NAME_LOSS = "name-loss"
    MESSAGE_ORDER = "message-order"
    RESET = "reset"
    DISK = "disk"
    CLOCK = "clock"
    FILES = "files"
    PERMISSIONS = "permissions"


class ProcessState(StrEnum):
    """What a member's process should be, and what it was seen to be."""

    RUNNING = "running"
    PAUSED = "paused"
    DEAD = "dead"


class Cluster(Protocol):
    """A group that lives somewhere. The only thing that crosses a doorway and is not data."""

    @property
    def members(self) -> tuple[str, ...]: ...

    async def up(self) -> None:
        """Start everything and wait until every member answers. Raises WorldError."""

    async def down(self) -> None:
        """End everything that `up` started, whatever state it is in. May be called twice."""

    async def set_links(self, links: Links) -> None:
        """Make the links so: the whole value, at once, as often as one likes."""

    async def probe(self, links: Links) -> Probes:
        """Send bytes over every link; wait as long as `links` lets them take."""

    async def set_process(self, alias: str, state: ProcessState) -> None:
        """Make one member's process so, and return when it is, or has failed to start."""

    def process_state(self, alias: str) -> ProcessState:
        """What the member's process is now, as the operating system says."""

    def deaths(self) -> list[tuple[str, str]]:
        """Members that ended by themselves since the last call, each with how.

        Raises WorldError if something else died without which there is nothing to observe.
        """

    async def open(self, alias: str, timeout_s: float) -> Connection | None:
        """A new client connection to the member; None if it does not answer in time."""

    def roam(self, name: str) -> Connection:
        """A client of that name that finds its way among the members by itself."""


@runtime_checkable
class WatchedCluster(Cluster, Protocol):
    """A group whose members' states are known, as far as their traces tell them."""

    def states(self) -> Sequence[Snapshot]:
        """What became known of members' states since the last call, oldest first; at least one.

        The last one is what is known now. Without traces nothing is known.
        """


@runtime_checkable
class FurnishedCluster(Cluster, Protocol):
    """A group that has to be made another way for some of what is to be done to it."""

    def furnish(self, needs: Collection[Capability]) -> None:
        """Say what will be done to it, before `up`."""


class TraceClock(StrEnum):
    """Whose clock it is that members' traces tell times by: one that faults set is nobody's."""

    OURS = "ours"
    HOSTS = "hosts"
    SET = "set"


@runtime_checkable
class RemoteClocks(Cluster, Protocol):
    """A group whose members may run by clocks that are not ours."""

    def traces_by(self) -> TraceClock:
        """Whose clock tells the times in members' traces."""


@runtime_checkable
class FileCluster(Cluster, Protocol):
    """A group whose members' files can be reached."""

    async def lose_task_data(self, alias: str) -> int:
        """Remove what a member keeps for slaves; how many files that were."""

    async def cut_tail(self, alias: str, of: str | None, size: int | None) -> CutFile | None:
        """Cut so many bytes off the end of a file, in the folder `of` if it is said.

        Without `size` chance says how many. Gives the file, or None if the member stores none.
        """


@runtime_checkable
class LockedCluster(Cluster, Protocol):
    """A group whose members can lose the permission to write their own files."""

    async def set_writable(self, alias: str, writable: bool, of: str | None = None) -> None:
        """Give it or take it away, perhaps in the folder `of` alone.

        What a member has open it may write all the same.
        """

    async def is_writable(self, alias: str, of: str | None = None) -> bool:
        """Whether the member's files, perhaps those in the folder `of`, may be written."""


@runtime_checkable
class ThrottledCluster(Cluster, Protocol):
    """A group whose members can be given little of the processor."""

    async def set_shares(self, shares: Shares) -> None:
        """Give members so much of one processor: the whole value, at once. Over restarts, too."""

    async def shares(self) -> Shares:
        """What holds for living members now, as their hosts' kernels say."""


@runtime_checkable
class CrampedCluster(Cluster, Protocol):
    """A group whose members can be given little memory."""

    async def set_spares(self, spares: Spares) -> None:
        """Let members have so much more memory than they have now: the whole value, at once.

        The limit stays where it is until it is taken away, over restarts, too.
        """

    async def memory(self) -> Mapping[str, MemoryState]:
        """What members have and may have, as their hosts' kernels say."""


@runtime_checkable
class CrashingCluster(Cluster, Protocol):
    """A group whose members can be made to crash again and again."""

    async def set_crashes(self, crashes: Crashes) -> None:
        """Kill these members, and again so long after each start: the whole value, at once.

        Each is started anew at once. Returns when each that is new in it has crashed once, and each
        that is not in it any more answers, or has ended by itself. Whatever else is done to the
        process of such a member ends that for it.
        """

    def crash_states(self) -> Mapping[str, CrashState]:
        """What is true of members that crash again and again, or did."""


@runtime_checkable
class PowerCluster(Cluster, Protocol):
    """A group whose members can lose their power."""

    async def cut_power(
        self, aliases: Sequence[str], *, keeps_nothing: bool = False
    ) -> Mapping[str, int]:
        """End these members all at once; what they had not synced may be lost, wholly or partly.

        `keeps_nothing`: it is lost, but for what the operating system has written by itself.
        Gives the bytes that each has lost, of those of whom it is known.
        """


@runtime_checkable
class MessageCluster(Cluster, Protocol):
    """A group whose single messages can be got at.

    What `set_…` makes holds until it is made otherwise, over deaths and restarts of the member;
    this goes for the protocols below, too. What is asked for without `set_` is what holds now, for
    receipts.
    """

    async def set_messages(self, messages: Messages) -> None:
        """Make what happens to messages so: the whole value, at once."""

    def messages(self) -> Messages:
        """What happens to messages now."""

    async def set_rules(self, rules: Rules) -> int:
        """Make the rules for single messages so: the whole value, at once.

        What a rule held that is gone now is sent; returns how many messages that were.
        """

    def rules(self) -> Rules:
        """The rules in force now."""


@runtime_checkable
class HastyCluster(Cluster, Protocol):
    """A group that brings home what its members wrote, which takes its time."""

    def hurry(self) -> None:
        """While it is taken down: what has not come home stays where it is. No process does."""


@runtime_checkable
class PacketCluster(Cluster, Protocol):
    """A group whose links carry packets that can be lost."""

    async def set_packets(self, packets: Packets) -> None:
        """Make what happens to packets so: the whole value, at once."""

    async def probe_packets(self, packets: Packets) -> Mapping[Pair, PacketProbe]:
        """Send packets over every link that is not cut, more where something is to happen."""


@runtime_checkable
class ResetCluster(Cluster, Protocol):
    """A group whose connections can be broken."""

    async def reset_links(self, pairs: Collection[Pair]) -> int:
        """Break every connection that carries one of these links; how many there were.

        Members may connect again at once.
        """


@runtime_checkable
class DiskCluster(Cluster, Protocol):
    """A group whose disks can be made to fail."""

    async def set_disk(self, alias: str, state: DiskState) -> None:
        """Make one member's disk so."""

    def disk_state(self, alias: str) -> DiskState:
        """How the member's disk behaves now."""

    async def flip(self, alias: str, of: str | None) -> tuple[str, int] | None:
        """Turn one bit of what the member stores, in the folder `of` if it is said.

        Gives the file and byte, or None if it stores none.
        """


@runtime_checkable
class ClockCluster(Cluster, Protocol):
    """A group whose clocks can be set."""

    async def set_clock(self, alias: str, state: ClockState) -> None:
        """Set one member's clock, and let it run so."""

    def clock_state(self, alias: str) -> ClockState:
        """How the member's clock was last set."""


class Target(Protocol):
    """A kind of place where groups can live."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    @property
    def reasons(self) -> Mapping[Capability, str]:
        """Why it lacks some of the others, where there is more to say than that it does."""

    @property
    def inventory_digest(self) -> str | None:
        """Which hosts it is, where they stand in a file: the SHA-256 of its text."""


@runtime_checkable
class RealTarget(Target, Protocol):
    """A place with processes of its own: what a run leaves there is on a lease."""

    def cluster(self, setup: Setup, system: System, run: RunDir, lease: Lease) -> Cluster:
        """A group that is not up yet."""
