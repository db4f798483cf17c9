"""Whether hosts hear each other at the addresses at which members would."""

import asyncio
from collections.abc import Mapping, Sequence

from ..errors import WorldError
from .agent import Agent
from .examined import Examined
from .lookup import is_local, number
from .reach import Way, reach

Numbers = dict[str, list[str]]
"""By host, its own addresses, as packets have them."""


async def hear_each_other(found: Sequence[Examined], agents: Mapping[str, Agent]) -> None:
    """Say of each who hears whom; a host that cannot be asked is told why, and left out."""
    numbers = await _looked_up(found)
    _demand_apart(found, numbers)
    for one in found:
        own = numbers[one.entry.name]
        numbers[one.entry.name] = [n for n in own if await _listens(one, agents, n)]
    asked = [one for one in found if numbers[one.entry.name]]
    ways = [
        Way(agents[a.entry.name], source, agents[b.entry.name], own)
        for a in asked
        for b in asked
        if a is not b
        for source, own in zip(numbers[a.entry.name], numbers[b.entry.name], strict=False)
    ]
    if not ways:
        return
    names = {n: one.entry.name for one in asked for n in numbers[one.entry.name]}
    try:
        heard = await reach(ways, wait_s=2.0)
    except WorldError as error:
        for one in asked:
            one.note("network", f"cannot be tried: {error}")
        return
    for one in asked:
        own = numbers[one.entry.name]
        deaf = {source for (source, to), got in heard.items() if got is None and to in own}
        if deaf:
            who = ", ".join(f"{names[source]} ({source})" for source in sorted(deaf))
            one.bad("network", f"hears nothing from {who}: a firewall, or an address of a router")
        else:
            one.ok("network", "hears all others")


async def _looked_up(found: Sequence[Examined]) -> Numbers:
    """Every address that is one host's alone: behind one of several are forwarded ports."""
    numbers: Numbers = {}
    for one in found:
        own = numbers[one.entry.name] = []
        others = {a for other in found if other is not one for a in other.entry.every_address}
        for address in one.entry.every_address:
            if address in others:
                one.note("network", f"{address} is another host's, too: no member can live there")
                continue
            try:
                own.append(await asyncio.to_thread(number, address))
            except OSError as error:
                one.bad("network", f"{address}: {error.strerror}")
    return numbers


def _demand_apart(found: Sequence[Examined], numbers: Numbers) -> None:
    """Take out what a run would refuse (targets/remote/placement.py)."""
    all_local = all(is_local(n) for own in numbers.values() for n in own)
    whose: dict[str, str] = {}
    for one in found:
        kept = []
        for n in numbers[one.entry.name]:
            first = whose.setdefault(n, one.entry.name)
            if first != one.entry.name:
                one.bad("network", f"its address is {n}, as that of {first} is")
            elif is_local(n) and not all_local:
                one.bad("network", f"its address is {n} here, where no other host finds it")
            else:
                kept.append(n)
        numbers[one.entry.name] = kept


async def _listens(one: Examined, agents: Mapping[str, Agent], own: str) -> bool:
    try:
        await agents[one.entry.name].call("listen", addresses=[own])
    except WorldError as error:
        one.note("network", f"no member can live at {own}: {error.message}")
        return False
    return True
