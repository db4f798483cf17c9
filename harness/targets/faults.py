"""What else may be wrong with a member's world: its messages, its disk, its clock. All values.

Nothing in this file touches anything. What is not in a mapping is as it should be.
"""

from collections.abc import Iterable, Mapping

import msgspec

from .links import LATE_S, Pair


class MessageFaults(msgspec.Struct, frozen=True):
    """What happens to the messages of a link, each by itself: chances from 0 to 1.

    `delay_s` is the least and the most by which a message is late.
    """

    lose: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay_s: tuple[float, float] = (0.0, 0.0)


FAITHFUL = MessageFaults()

Messages = Mapping[Pair, MessageFaults]
"""Every link whose messages do not simply arrive."""


class PacketFaults(msgspec.Struct, frozen=True):
    """What happens to the packets of a link, whatever they carry: chances from 0 to 1.

    A packet is late by up to `jitter_s`, and none overtakes another by that.
    """

    lose: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    jitter_s: float = 0.0

    @property
    def chances(self) -> tuple[float, ...]:
        """Of each packet, those that are not nothing."""
        every = (self.lose, self.duplicate, self.reorder, self.corrupt)
        return tuple(chance for chance in every if chance > 0)


UNHARMED = PacketFaults()

Packets = Mapping[Pair, PacketFaults]
"""Every link whose packets do not simply arrive."""


ARRIVES = 0.9
"""So many of the packets of a link that loses none have to come: hosts are busy now and then."""


class PacketProbe(msgspec.Struct, frozen=True):
    """What became of packets that were sent over a link: how many came, came twice, came late.

    `late_s`: the most by which one came later than the link's own delay, give what clocks allow.
    """

    sent: int
    arrived: int
    again: int
    overtaken: int
    late_s: float = 0.0

    def shows(self, faults: PacketFaults) -> bool:
        """Whether it is what such a link does. A damaged packet is lost to its checksum.

        The second one of two may overtake those before it. Of some twenty packets that are late by
        anything up to the jitter, one is late by half of it.
        """
        if faults.lose > 0 or faults.corrupt > 0:
            arrives = self.arrived < self.sent
        else:
            arrives = self.arrived >= ARRIVES * self.sent
        may_overtake = faults.reorder > 0 or faults.duplicate > 0
        return (
            arrives
            and (self.again > 0) == (faults.duplicate > 0)
            and (self.overtaken > 0 or faults.reorder == 0)
            and (self.overtaken == 0 or may_overtake)
            and (faults.jitter_s == 0 or self.late_s >= faults.jitter_s / 2)
            and not self.is_late(faults)
        )

    def is_late(self, faults: PacketFaults) -> bool:
        """Whether something came later than such a link lets it."""
        return self.late_s > faults.jitter_s + LATE_S

    def plus(self, more: "PacketProbe") -> "PacketProbe":
        """What became of all of them."""
        return PacketProbe(
            self.sent + more.sent,
            self.arrived + more.arrived,
            self.again + more.again,
            self.overtaken + more.overtaken,
            max(self.late_s, more.late_s),
        )


class DiskState(msgspec.Struct, frozen=True):
    """How one member's disk behaves; `slow` multiplies how long a sync takes."""

    full: bool = False
    slow: float = 1.0
    fail_sync: bool = False
    fail_write: bool = False
    read_only: bool = False

    @property
    def fails(self) -> bool:
        """Whether it does not do what it is asked for, so that a member may well end."""
        return self.full or self.fail_sync or self.fail_write or self.read_only


SOUND = DiskState()

Disks = Mapping[str, DiskState]
"""Every member whose disk is not sound."""


class ClockState(msgspec.Struct, frozen=True):
    """A member's clock: set `offset_s` ahead of the true time, then `drift` times as fast."""

    offset_s: float = 0.0
    drift: float = 1.0


TRUE = ClockState()

Clocks = Mapping[str, ClockState]
"""Every member whose clock is not true."""


Shares = Mapping[str, float]
"""How much of one processor each member gets that does not get what it wants."""

SHARE_MIN = 0.01

Spares = Mapping[str, int]
"""How many bytes of memory more than it has each member gets that does not get what it wants."""

Crashes = Mapping[str, float]
"""How many seconds after each start a member is killed that is to crash again and again."""


TAIL_BYTES_MAX = 4096
"""How much of a file's end is cut off at most, where nobody says how much."""


class CutFile(msgspec.Struct, frozen=True):
    """A file whose end was cut off: how long it was before, and is since."""

    path: str
    was: int
    left: int


class MemoryState(msgspec.Struct, frozen=True):
    """A member's memory as its host's kernel counts it, in bytes; `limit` is None without one.

    `used` cannot be taken from it. `processes`: of how many that is true. `killed`: how often the
    kernel has killed it for want of memory.
    """

    limit: int | None
    used: int
    processes: int
    killed: int


class CrashState(msgspec.Struct, frozen=True):
    """How long the lives of a member last that is killed again and again, and how many it had.

    `every_s` is None when that is over, or has never been.
    """

    every_s: float | None
    count: int


def merged_messages(parts: Iterable[Messages]) -> Messages:
    """All of them at once: of two chances the higher one counts, delays add up."""
    found: dict[Pair, MessageFaults] = {}
    for part in parts:
        for pair, state in part.items():
            known = found.get(pair, FAITHFUL)
            found[pair] = MessageFaults(
                lose=max(known.lose, state.lose),
                duplicate=max(known.duplicate, state.duplicate),
                reorder=max(known.reorder, state.reorder),
                delay_s=(
                    known.delay_s[0] + state.delay_s[0],
                    known.delay_s[1] + state.delay_s[1],
                ),
            )
    return {pair: state for pair, state in sorted(found.items()) if state != FAITHFUL}


def merged_packets(parts: Iterable[Packets]) -> Packets:
    """All of them at once: of two chances the higher one counts, lateness adds up."""
    found: dict[Pair, PacketFaults] = {}
    for part in parts:
        for pair, state in part.items():
            known = found.get(pair, UNHARMED)
            found[pair] = PacketFaults(
                lose=max(known.lose, state.lose),
                duplicate=max(known.duplicate, state.duplicate),
                reorder=max(known.reorder, state.reorder),
                corrupt=max(known.corrupt, state.corrupt),
                jitter_s=known.jitter_s + state.jitter_s,
            )
    return {pair: state for pair, state in sorted(found.items()) if state != UNHARMED}


def merged_disks(parts: Iterable[Disks]) -> Disks:
    """All of them at once: every failure holds, of two factors the higher one."""
    found: dict[str, DiskState] = {}
    for part in parts:
        for alias, state in part.items():
            known = found.get(alias, SOUND)
            found[alias] = DiskState(
                full=known.full or state.full,
                slow=max(known.slow, state.slow),
                fail_sync=known.fail_sync or state.fail_sync,
                fail_write=known.fail_write or state.fail_write,
                read_only=known.read_only or state.read_only,
            )
    return {alias: state for alias, state in sorted(found.items()) if state != SOUND}


def merged_clocks(parts: Iterable[Clocks]) -> Clocks:
    """All of them at once: offsets add up, drifts multiply."""
    found: dict[str, ClockState] = {}
    for part in parts:
        for alias, state in part.items():
            known = found.get(alias, TRUE)
            found[alias] = ClockState(known.offset_s + state.offset_s, known.drift * state.drift)
    return {alias: state for alias, state in sorted(found.items()) if state != TRUE}


def merged_least(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """All of them at once: the lowest counts."""
    found: dict[str, float] = {}
    for part in parts:
        for alias, least in part.items():
            found[alias] = min(least, found.get(alias, least))
    return dict(sorted(found.items()))
