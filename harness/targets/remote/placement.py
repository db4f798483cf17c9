"""Which member lives on which host, and at which of its addresses. Pure, but for names of hosts."""

from collections.abc import Mapping, Sequence

import msgspec

from ...errors import UsageError, WorldError
from ...hosts.inventory import Entry
from ...hosts.lookup import is_local, number
from ...language.sides import is_controller

CONTROLLER, DATA = "controller", "data"
"""Roles of hosts. One without roles takes any member."""


class Spot(msgspec.Struct, frozen=True):
    """Where a member lives: the host's name, and an address there that is this member's alone."""

    host: str
    address: str


def placed(members: Sequence[str], hosts: Sequence[Entry]) -> dict[str, Spot]:
    """A spot for every member, hosts in turn. Raises UsageError where there are too few.

    Every member has an address of its own: packets tell by it whose they are.
    """
    free = {entry.name: _addresses(entry, hosts) for entry in hosts}
    turn = [entry.name for entry in hosts]
    roles = {entry.name: entry.roles for entry in hosts}
    found: dict[str, Spot] = {}
    for alias in members:
        role = CONTROLLER if is_controller(alias) else DATA
        name = next((n for n in turn if free[n] and (not roles[n] or role in roles[n])), None)
        if name is None:
            raise UsageError(_too_few(alias, role, members, hosts))
        found[alias] = Spot(name, free[name].pop(0))
        turn.remove(name)
        turn.append(name)
    return found


def _addresses(entry: Entry, hosts: Sequence[Entry]) -> list[str]:
    """Those of the host that no other one has, too: behind one of those are forwarded ports."""
    others = {a for other in hosts if other is not entry for a in other.every_address}
    return [address for address in dict.fromkeys(entry.every_address) if address not in others]


def _too_few(alias: str, role: str, members: Sequence[str], hosts: Sequence[Entry]) -> str:
    count = sum(len(_addresses(entry, hosts)) for entry in hosts)
    if any(entry.roles for entry in hosts):
        return (
            f"no address is left for {alias}: give a host that takes the role {role} more of them "
            "(`addresses`)"
        )
    return (
        f"{len(members)} members need an address each, and the hosts have {count}: say more "
        "(`addresses` of a host)"
    )


def resolved(spots: Mapping[str, Spot]) -> dict[str, Spot]:
    """The same with every name looked up, and each address still one member's alone.

    Raises WorldError for a name that is none, for two of the same address, and for one by which a
    host is this machine alone, while others are not.
    """
    found = {alias: Spot(spot.host, _number(spot)) for alias, spot in spots.items()}
    whose: dict[str, str] = {}
    for alias, spot in found.items():
        first = whose.setdefault(spot.address, alias)
        if first != alias:
            both = f"{spots[first].address} of {first} and {spots[alias].address} of {alias}"
            raise WorldError(f"{both} are one address, {spot.address}", node=spot.host)
    local = [alias for alias, spot in found.items() if is_local(spot.address)]
    if local and len(local) < len(found):
        named = spots[local[0]]
        raise WorldError(
            f"{named.address} is {found[local[0]].address} here, where no other host finds it: say "
            "another `address`, by which all of them do",
            node=named.host,
        )
    return found


def _number(spot: Spot) -> str:
    try:
        return number(spot.address)
    except OSError as error:
        raise WorldError(f"{spot.address}: {error.strerror}", node=spot.host) from error
