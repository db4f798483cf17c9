"""Whose member an alias names, where a system is several clusters: `md2` is data node 2 of `m`."""

import re
from collections.abc import Iterable

import msgspec

MASTER = "m"

_ALIAS = re.compile(r"(m|[a-z][a-z0-9]*?)([cd])(\d+)")


class Side(msgspec.Struct, frozen=True):
    """One of the clusters: the master, called `m`, or a slave."""

    name: str
    controllers: tuple[str, ...] = ()
    data: tuple[str, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        return self.controllers + self.data


def side_of(alias: str | None) -> str | None:
    """The cluster's name; None where the alias names no member of one."""
    found = _ALIAS.fullmatch(alias or "")
    return None if found is None else found.group(1)


def is_controller(alias: str) -> bool:
    """Whether the member decides, where the others store."""
    found = _ALIAS.fullmatch(alias)
    return found is not None and found.group(2) == "c"


def sides(members: Iterable[str]) -> dict[str, Side]:
    """All clusters by name, the master first, then in the order of their first members."""
    names = list(dict.fromkeys(name for m in members if (name := side_of(m)) is not None))
    names.sort(key=lambda name: name != MASTER)
    kept = [alias for alias in members if side_of(alias) is not None]
    return {
        name: Side(
            name,
            tuple(a for a in kept if side_of(a) == name and is_controller(a)),
            tuple(a for a in kept if side_of(a) == name and not is_controller(a)),
        )
        for name in names
    }
