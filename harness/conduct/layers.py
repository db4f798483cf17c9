"""Faults that last, by what they change: links, messages, disks, clocks. Set, and seen to hold.

Faults of one layer stack: each adds its part while it lasts, and the wanted state of the whole
layer is always all parts merged, so that undoing one leaves the others in force.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ..nemeses.nemesis import Aim
from ..targets.faults import (
    FAITHFUL,
    SHARE_MIN,
    SOUND,
    TRUE,
    UNHARMED,
    merged_clocks,
    merged_disks,
    merged_least,
    merged_messages,
    merged_packets,
)
from ..targets.links import any_late, as_wanted, merged, soonest
from ..targets.rules import merged_rules
from ..targets.target import (
    ClockCluster,
    Cluster,
    CrampedCluster,
    CrashingCluster,
    DiskCluster,
    LockedCluster,
    MessageCluster,
    PacketCluster,
    ThrottledCluster,
)

Part = Mapping[Any, Any]
"""What a fault adds: state by link or by member."""

Made = tuple[dict[str, Any], bool]
"""What was observed once it was made so, and whether it was as wanted."""


_LATE_LOOKS, _LOOK_AGAIN_S = 5, 0.3
"""So often what comes late is looked at again: a machine that is busy is so for a moment."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing that faults change, and how it is made so."""

    name: str
    """What receipts call it."""
    undo: str
    """What the history calls the undoing."""
    by_link: bool
    """Whether its state is by link, else by member."""
    part: Callable[[Aim], Part]
    merged: Callable[[Iterable[Any]], Part]
    make: Callable[[Cluster, Any, Collection[str]], Awaitable[Made]]
    """Make the whole layer so; the members named are those that may have changed."""


async def _make_links(cluster: Cluster, wanted: Part, _: Collection[str]) -> Made:
    await cluster.set_links(wanted)
    probes = await cluster.probe(wanted)
    for _look in range(_LATE_LOOKS):
        if not any_late(wanted, probes):
            break
        await asyncio.sleep(_LOOK_AGAIN_S)
        probes = soonest(wanted, probes, await cluster.probe(wanted))
    return spelled(probes), as_wanted(wanted, probes, cluster.members)


async def _make_messages(cluster: Cluster, wanted: Part, _: Collection[str]) -> Made:
    assert isinstance(cluster, MessageCluster)
    await cluster.set_messages(wanted)
    seen = {pair: s for pair, s in cluster.messages().items() if s != FAITHFUL}
    return spelled(seen), seen == wanted


async def _make_packets(cluster: Cluster, wanted: Part, _: Collection[str]) -> Made:
    assert isinstance(cluster, PacketCluster)
    await cluster.set_packets(wanted)
    probes = await cluster.probe_packets(wanted)
    for _look in range(_LATE_LOOKS):
        if not any(probe.is_late(wanted.get(pair, UNHARMED)) for pair, probe in probes.items()):
            break
        await asyncio.sleep(_LOOK_AGAIN_S)
        again = await cluster.probe_packets(wanted)
        # What was right once is: of many links, a machine that is busy holds up another each time.
        right = {p: probe for p, probe in probes.items() if probe.shows(wanted.get(p, UNHARMED))}
        probes = {**again, **right}
    as_wanted = all(probe.shows(wanted.get(pair, UNHARMED)) for pair, probe in probes.items())
    return spelled(probes), as_wanted and bool(probes)


async def _make_rules(cluster: Cluster, wanted: Part, _: Collection[str]) -> Made:
    assert isinstance(cluster, MessageCluster)
    await cluster.set_rules(wanted)
    seen = cluster.rules()
    return spelled(seen), seen == wanted


async def _make_disks(cluster: Cluster, wanted: Part, nodes: Collection[str]) -> Made:
    assert isinstance(cluster, DiskCluster)
    for alias in nodes:
        await cluster.set_disk(alias, wanted.get(alias, SOUND))
    seen = {alias: cluster.disk_state(alias) for alias in nodes}
    return spelled(seen), all(seen[a] == wanted.get(a, SOUND) for a in nodes)


async def _make_read_only(cluster: Cluster, wanted: Part, nodes: Collection[str]) -> Made:
    assert isinstance(cluster, LockedCluster)
    for alias in nodes:
        await cluster.set_writable(alias, True)
        if alias in wanted:
            await cluster.set_writable(alias, False, wanted[alias])
    seen = {alias: not await cluster.is_writable(alias, wanted.get(alias)) for alias in nodes}
    return dict(seen), all(seen[alias] == (alias in wanted) for alias in nodes)


async def _make_shares(cluster: Cluster, wanted: Part, nodes: Collection[str]) -> Made:
    assert isinstance(cluster, ThrottledCluster)
    await cluster.set_shares(wanted)
    seen = await cluster.shares()
    as_wanted = all(
        alias in seen and abs(seen[alias] - wanted[alias]) < SHARE_MIN / 10
        if alias in wanted
        else alias not in seen
        for alias in nodes
    )
    return {alias: seen.get(alias) for alias in nodes}, as_wanted


async def _make_spares(cluster: Cluster, wanted: Part, nodes: Collection[str]) -> Made:
    assert isinstance(cluster, CrampedCluster)
    await cluster.set_spares(wanted)
    found = await cluster.memory()
    seen = {alias: found[alias] for alias in nodes if alias in found}
    # Whom the kernel has killed meanwhile has met its limit.
    limited = {a for a, s in seen.items() if s.limit is not None and (s.processes or s.killed)}
    unlimited = {a for a, s in seen.items() if s.limit is None}
    as_wanted = all(alias in (limited if alias in wanted else unlimited) for alias in nodes)
    return spelled(seen), as_wanted


async def _make_crashes(cluster: Cluster, wanted: Part, nodes: Collection[str]) -> Made:
    assert isinstance(cluster, CrashingCluster)
    await cluster.set_crashes(wanted)
    found = cluster.crash_states()
    seen = {alias: found[alias] for alias in nodes if alias in found}
    as_wanted = all(
        alias in seen and seen[alias].count > 0 and seen[alias].every_s == wanted.get(alias)
        for alias in nodes
    )
    return spelled(seen), as_wanted


def _merged_read_only(parts: Iterable[Part]) -> Part:
    """By member the folder that is meant; of two different ones, all."""
    found: dict[str, str | None] = {}
    for part in parts:
        for alias, of in part.items():
            found[alias] = of if found.get(alias, of) == of else None
    return found


async def _make_clocks(cluster: Cluster, wanted: Part, nodes: Collection[str]) -> Made:
    assert isinstance(cluster, ClockCluster)
    for alias in nodes:
        await cluster.set_clock(alias, wanted.get(alias, TRUE))
    seen = {alias: cluster.clock_state(alias) for alias in nodes}
    return spelled(seen), all(seen[a] == wanted.get(a, TRUE) for a in nodes)


def spelled(states: Part) -> dict[str, Any]:
    """The states as JSON may have them, links as `n1->n2`."""
    return {
        "->".join(key) if isinstance(key, tuple) else key: msgspec.to_builtins(state)
        for key, state in states.items()
    }


LINKS = Layer("links", "heal", True, lambda aim: aim.links, merged, _make_links)

RULES = Layer("rules", "heal", True, lambda aim: aim.rules, merged_rules, _make_rules)

_READ_ONLY = _merged_read_only, _make_read_only

LAYERS = (
    LINKS,
    Layer("packets", "heal", True, lambda aim: aim.packets, merged_packets, _make_packets),
    Layer("messages", "heal", True, lambda aim: aim.messages, merged_messages, _make_messages),
    RULES,
    Layer("disks", "mend", False, lambda aim: aim.disks, merged_disks, _make_disks),
    Layer("read-only", "mend", False, lambda aim: aim.read_only, *_READ_ONLY),
    Layer("shares", "mend", False, lambda aim: aim.shares, merged_least, _make_shares),
    Layer("memory", "mend", False, lambda aim: aim.spares, merged_least, _make_spares),
    Layer("crashes", "mend", False, lambda aim: aim.crashes, merged_least, _make_crashes),
    Layer("clocks", "set-clock", False, lambda aim: aim.clocks, merged_clocks, _make_clocks),
)
"""All of them, in the order in which the end of a run undoes them."""
