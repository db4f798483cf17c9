"""The hosts on which members lived, as hosts.json tells: their systems, clocks and packets."""

from collections.abc import Iterator, Mapping

import msgspec

from ..markup import Html
from ..prose import duration_text
from .tables import table

PASSED = "passed"
"""What became of a packet that nothing was the matter with."""


class ClockFacts(msgspec.Struct, frozen=True):
    """How far a host's clock was ahead of ours, give or take `within_s`."""

    ahead_s: float = 0.0
    within_s: float = 0.0


class PacketFacts(msgspec.Struct, frozen=True):
    """What became of so many packets from one address to another."""

    source: str = ""
    own: str = ""
    what: str = ""
    packets: int = 0


class HostFacts(msgspec.Struct, frozen=True):
    """One host."""

    address: str = ""
    members: dict[str, str] = {}
    system: str = ""
    python: str = ""
    clock_before: ClockFacts = ClockFacts()
    clock_after: ClockFacts = ClockFacts()
    packets: tuple[PacketFacts, ...] = ()


class HostsFile(msgspec.Struct, frozen=True):
    """hosts.json."""

    hosts: dict[str, HostFacts] = {}


def hosts_section(hosts: Mapping[str, HostFacts]) -> Html | None:
    """A row for each host; nothing where members were processes of this machine."""
    if not hosts:
        return None
    heads = ("host", "members", "system", "Python", "clock ahead of ours", "packets")
    rows = [
        (
            name,
            ", ".join(f"{alias} at {place}" for alias, place in host.members.items()),
            host.system,
            host.python,
            f"{_ahead(host.clock_before)}, in the end {_ahead(host.clock_after)}",
            "; ".join(_packets(host)) or "–",
        )
        for name, host in hosts.items()
    ]
    return table("Hosts", heads, rows)


def _ahead(clock: ClockFacts) -> str:
    sign = "−" if clock.ahead_s < 0 else ""
    ahead, within = (duration_text(round(s * 1e6)) for s in (abs(clock.ahead_s), clock.within_s))
    return f"{sign}{ahead} ± {within}"


def _packets(host: HostFacts) -> Iterator[str]:
    """How many were lost, doubled, …; not those that simply passed."""
    found: dict[str, int] = {}
    for one in host.packets:
        if one.what != PASSED:
            found[one.what] = found.get(one.what, 0) + one.packets
    yield from (f"{count:,} {what}" for what, count in sorted(found.items()))
