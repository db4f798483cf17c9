"""Whose member an alias names, where a system is several clusters: `md2` is data node 2 of `m`."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import msgspec

MASTER = "m"

ONE_OF = "one-of-"

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
    return _parts(alias or "")[0]


def is_controller(alias: str) -> bool:
    """Whether the member decides, where the others store."""
    return _parts(alias)[1] == "c"


@lru_cache(1024)
def _parts(alias: str) -> tuple[str | None, str | None]:
    """Cluster and kind. Asked of the same few members for every record of a trace."""
    found = _ALIAS.fullmatch(alias)
    return (None, None) if found is None else (found.group(1), found.group(2))


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


def groups(members: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Words for several members at once: `master`, `s1-controllers`, `slaves`, …"""
    found: dict[str, tuple[str, ...]] = {}
    slaves: tuple[str, ...] = ()
    for name, side in sides(members).items():
        word = _word(name)
        found |= {
            word: side.members,
            f"{word}-controllers": side.controllers,
            f"{word}-data": side.data,
        }
        slaves += () if name == MASTER else side.members
    if slaves:
        found["slaves"] = slaves
    return found


def leaders(members: Sequence[str]) -> dict[str, str]:
    """Words for who leads at the moment, each with the side that it is about."""
    return {f"{_word(name)}-leader": name for name in sides(members)}


def words(members: Sequence[str]) -> list[str]:
    """All words for members of several clusters; none where there is but one group."""
    several = groups(members)
    return [*several, *leaders(members), *(f"{ONE_OF}{word}" for word in several)]


def reach(word: str, members: Sequence[str]) -> tuple[str, ...]:
    """All members that a word of a selector can ever mean; of a word for anybody all of them."""
    if word in members:
        return (word,)
    several = groups(members)
    led = {leader: sides(members)[side].controllers for leader, side in leaders(members).items()}
    return {**several, **led}.get(word.removeprefix(ONE_OF), tuple(members))


def meanings(
    members: Sequence[str], order: Sequence[str], leading: Callable[[str], str | None]
) -> dict[str, tuple[str, ...]]:
    """What the words mean now. `order` decides who is one of several."""
    several = groups(members)
    found = dict(several)
    for word, aliases in several.items():
        found[f"{ONE_OF}{word}"] = tuple(alias for alias in order if alias in aliases)[:1]
    for word, side in leaders(members).items():
        leader = leading(side)
        found[word] = () if leader is None else (leader,)
    return found


def _word(name: str) -> str:
    return "master" if name == MASTER else name
