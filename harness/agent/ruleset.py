"""What the links to this host should be like, and the nft table that makes them so. Pure.

Each link (a source's address, one of our own) has a chain of its own that counts what it loses. The
way to the chains leads through two sets whose elements the kernel forgets after a while, so that a
table that nobody renews does nothing. Only what comes in is touched: what is dropped on its way out
is an error in the program that sends it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from ipaddress import ip_address
from typing import Any

from .run import Refused
from .shape import Shape

MILLION = 1_000_000

PRIORITY = -300

LATE_S_MAX = 60.0

MASK = 0xFFFF0000
"""The half of a packet's mark that says that it is to be shaped, and by which queue's process."""

COPY = 0xDE1E0001
"""The mark of the second one of a duplicated packet: nothing happens to it any more."""

_BURST_S, _BURST_BYTES = 0.1, (16_384, 262_144)

Pair = tuple[str, str]
"""The address that packets come from, and the own one that they come to."""

Counts = Mapping[tuple[Pair, str], tuple[int, int]]
"""Packets and bytes by link and by what became of them."""

CUT, LOST, SLOWED = "cut", "lost", "slowed"


@dataclass(frozen=True, slots=True)
class Link:
    """How packets from one address to another arrive."""

    source: str
    own: str
    cut: bool
    loss: float
    """The chance of each packet, from 0 to 1."""
    shape: Shape

    @property
    def pair(self) -> Pair:
        return self.source, self.own

    @property
    def version(self) -> int:
        """4 or 6."""
        return ip_address(self.source).version


_SHAPE = {field.name for field in fields(Shape)}
_KNOWN = {"source", "own", "cut", "loss", *_SHAPE}


def link(said: Mapping[str, Any]) -> Link:
    """A link as it was asked for, checked. Raises Refused."""
    if not {"source", "own"} <= said.keys() <= _KNOWN:
        raise Refused(f"a link has source, own, and what is wanted of {sorted(_KNOWN)}: {said}")
    try:
        source, own = ip_address(str(said["source"])), ip_address(str(said["own"]))
    except ValueError as error:
        raise Refused(str(error)) from error
    if source.version != own.version or "%" in f"{source}{own}":
        raise Refused(f"no packets go from {source} to {own}")
    shape = Shape(**{key: value for key, value in said.items() if key in _SHAPE})
    made = Link(str(source), str(own), bool(said.get("cut")), said.get("loss", 0.0), shape)
    for what, chance in (
        ("loss", made.loss),
        *((each, getattr(shape, each)) for each in ("reorder", "duplicate", "corrupt")),
    ):
        if not 0 <= chance <= 1:
            raise Refused(f"{source} to {own}: {what} is a chance from 0 to 1, not {chance}")
    for what in ("delay_s", "jitter_s", "reorder_s"):
        if not 0 <= getattr(shape, what) <= LATE_S_MAX:
            raise Refused(f"{source} to {own}: {what} is from 0 to {LATE_S_MAX:g}")
    if shape.rate_bytes_s is not None and shape.rate_bytes_s < 1:
        raise Refused(f"{source} to {own}: a rate of {shape.rate_bytes_s} bytes a second is a cut")
    return made


@dataclass(frozen=True, slots=True)
class Shaping:
    """Where packets go that are to be shaped: a queue, and a number for each link."""

    queue: int
    numbers: Mapping[Pair, int]

    def mark(self, pair: Pair) -> int:
        """What packets of this link are marked with."""
        return self.queue << 16 | self.numbers[pair]


def ruleset(
    table: str,
    links: Sequence[Link],
    lasts_s: float,
    spare_port: int | None,
    counted: Counts,
    shaping: Shaping | None,
) -> str:
    """The table for these links in one transaction, instead of what it was.

    Without shaping, rates are kept by losing what is too much, and nothing else has a shape.
    """
    lines = [removal(table), f"table inet {table} {{"]
    for number, each in enumerate(links):
        lines += _counters(number, each, counted)
        lines += [f"chain l{number} {{", *_rules(number, each, shaping), "}"]
    for version, ip in ((4, "ip"), (6, "ip6")):
        own = [(number, each) for number, each in enumerate(links) if each.version == version]
        elements = ", ".join(f"{each.source} . {each.own} : jump l{n}" for n, each in own)
        way = f"{ip} saddr . {ip} daddr vmap {{ {elements} }}" if own else ""
        lines += [
            f"set live{version} {{ type ipv{version}_addr . ipv{version}_addr; flags timeout; }}",
            f"chain links{version} {{",
            way,
            "}",
        ]
    lines += [
        "chain input {",
        f"type filter hook input priority {PRIORITY}; policy accept;",
        # Orders that come here, and answers to those that whoever is here gives to other hosts.
        *(f"tcp {end} {spare_port} accept" for end in ("dport", "sport") if spare_port is not None),
        f"meta mark {COPY} accept",
        # Version 6 finds its neighbours by packets: without, no other packet goes either way.
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
        "ip saddr . ip daddr @live4 jump links4",
        "ip6 saddr . ip6 daddr @live6 jump links6",
        "}",
        "}",
        renewal(table, links, lasts_s),
    ]
    return "\n".join(lines)


def renewal(table: str, links: Sequence[Link], lasts_s: float) -> str:
    """Let the links last so long from now on. Adding what is there does not renew it."""
    lines = []
    for version in (4, 6):
        lines.append(f"flush set inet {table} live{version}")
        elements = ", ".join(
            f"{each.source} . {each.own} timeout {round(lasts_s * 1000)}ms"
            for each in links
            if each.version == version
        )
        if elements:
            lines.append(f"add element inet {table} live{version} {{ {elements} }}")
    return "\n".join([*lines, ""])


def queue_table(table: str, queue: int, *, rule: bool) -> str:
    """A table that sends marked packets to a queue, or lets them pass if nobody serves it."""
    marked = f"meta mark & {MASK} == {queue << 16} queue num {queue} bypass"
    return "\n".join(
        [
            removal(table),
            f"table inet {table} {{",
            "chain input {",
            f"type filter hook input priority {PRIORITY + 1}; policy accept;",
            *([marked] if rule else []),
            "}",
            "}",
            "",
        ]
    )


def removal(table: str) -> str:
    """Remove the table, if there is one."""
    return f"add table inet {table}\ndelete table inet {table}"


def counts(listed: Mapping[str, object], links: Sequence[Link]) -> Counts:
    """What nft's list of counters (JSON) says of these links."""
    found = {}
    objects = listed["nftables"]
    assert isinstance(objects, list)
    for counter in (each["counter"] for each in objects if "counter" in each):
        what, _, number = counter["name"].partition("_")
        found[links[int(number)].pair, what] = (counter["packets"], counter["bytes"])
    return found


def _counters(number: int, each: Link, counted: Counts) -> list[str]:
    """All counters that the link has now or had before, with what they had counted."""
    lines = []
    for what in (CUT, LOST, SLOWED):
        packets, size = counted.get((each.pair, what), (0, 0))
        lines.append(f"counter {what}_{number} {{ packets {packets} bytes {size} }}")
    return lines


def _rules(number: int, each: Link, shaping: Shaping | None) -> list[str]:
    if each.cut:
        return [f'counter name "{CUT}_{number}" drop']
    rules, rate = [], each.shape.rate_bytes_s
    if each.loss:
        chance = f"numgen random mod {MILLION} < {round(each.loss * MILLION)}"
        rules.append(f'{chance} counter name "{LOST}_{number}" drop')
    if shaping is not None and each.pair in shaping.numbers:
        rules.append(f"meta mark set {shaping.mark(each.pair)}")
    elif rate is not None:
        burst = min(max(_BURST_BYTES[0], round(rate * _BURST_S)), _BURST_BYTES[1])
        # The kernel adds to it what the rate makes of one second.
        over = f"limit rate over {round(rate)} bytes/second burst {burst} bytes"
        rules.append(f'{over} counter name "{SLOWED}_{number}" drop')
    return rules
