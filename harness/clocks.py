"""When it was, in the history's time, by what a member's steady clock said: traces tell no other.

Members on this machine run by its clock. Hosts of their own have clocks of their own, which begin
anywhere and go a little faster or slower: each is looked at before and after the run.
"""

from collections.abc import Mapping

import msgspec

from .errors import UsageError
from .reading import read_json
from .rundir import RunDir
from .running.journal import SEALED, entries

APART_NS = 1_000_000_000
"""Two looks nearer to each other tell nothing about how fast a clock goes."""

DRIFT_MAX = 0.01
"""A clock that went so much faster or slower did something else meanwhile: it slept, or was set."""


class Steady(msgspec.Struct, frozen=True):
    """A look at a host's steady clock: when ours said `ours_ns` it said `theirs_ns`, give or
    take `within_ns`."""

    ours_ns: int = 0
    theirs_ns: int = 0
    within_ns: int = 0


class Course(msgspec.Struct, frozen=True):
    """How a clock went: what it said when the history began, its seconds in one of ours, and how
    wrong a time by it may be."""

    zero_ns: int
    rate: float = 1.0
    within_ns: int = 0

    def at_ns(self, told_ns: int) -> int:
        """When it said so, in nanoseconds of the history."""
        return round((told_ns - self.zero_ns) / self.rate)

    def told_ns(self, at_ns: int) -> int:
        """What it said then."""
        return self.zero_ns + round(at_ns * self.rate)


class Clocks(msgspec.Struct, frozen=True):
    """The clocks of all members: one that all share, or each its own. Of others nobody knows."""

    shared: Course | None = None
    own: dict[str, Course] = {}

    def of(self, member: str) -> Course | None:
        return self.own.get(member, self.shared)

    def at_ns(self, member: str, told_ns: int) -> int | None:
        """When the member's clock said so, in nanoseconds of the history."""
        course = self.of(member)
        return None if course is None else course.at_ns(told_ns)


class _Ending(msgspec.Struct, frozen=True):
    zero_ns: int | None = None
    hosts_zero_ns: int | None = None


class _Line(msgspec.Struct, frozen=True):
    ending: _Ending = _Ending()


class _Host(msgspec.Struct, frozen=True):
    members: dict[str, str] = {}
    steady_before: Steady = Steady()
    steady_after: Steady = Steady()


class _Hosts(msgspec.Struct, frozen=True):
    hosts: dict[str, _Host] = {}


def shared(zero_ns: int) -> Clocks:
    """One clock, which said this when the history began."""
    return Clocks(Course(zero_ns))


def clocks_of(run: RunDir) -> Clocks:
    """As the run's journal and its hosts.json tell; what cannot be read is not known."""
    try:
        sealed = [entry for entry in entries(run.journal) if entry["phase"] == SEALED]
        ending = msgspec.convert(sealed[-1], _Line).ending if sealed else _Ending()
        if ending.zero_ns is not None:
            return shared(ending.zero_ns)
        if ending.hosts_zero_ns is None or not run.hosts.is_file():
            return Clocks()
        hosts = read_json(run.hosts, _Hosts, "what is known of hosts").hosts
    except (UsageError, msgspec.ValidationError):
        return Clocks()
    return Clocks(own=_own(ending.hosts_zero_ns, hosts))


def _own(zero_ns: int, hosts: Mapping[str, _Host]) -> dict[str, Course]:
    found: dict[str, Course] = {}
    for host in hosts.values():
        course = course_of(zero_ns, host.steady_before, host.steady_after)
        if course is not None:
            found |= dict.fromkeys(host.members, course)
    return found


def course_of(zero_ns: int, before: Steady, after: Steady) -> Course | None:
    """How a host's clock went between two looks at it, from when ours said `zero_ns`."""
    if not (before.ours_ns and after.ours_ns):
        return None
    ours_ns, theirs_ns = after.ours_ns - before.ours_ns, after.theirs_ns - before.theirs_ns
    within_ns = max(before.within_ns, after.within_ns)
    rate = theirs_ns / ours_ns if ours_ns >= APART_NS else 1.0
    if abs(rate - 1) > DRIFT_MAX:
        return None
    return Course(before.theirs_ns + round((zero_ns - before.ours_ns) * rate), rate, within_ns)
