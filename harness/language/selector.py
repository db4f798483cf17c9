"""Which members a fault means: written in a scenario, resolved when its moment has come."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from .sides import MASTER, leaders

WORDS = ("one", "leader", "follower", "followers", "majority", "minority", "all")
"""Words with a meaning of their own; member aliases and names bound by `as` come on top."""

_ABOUT_LEADER = frozenset({"leader", "follower", "followers"})

Raw = str | list[str]
"""A selector as it stands in YAML and in plan.json."""


@dataclass(frozen=True, slots=True)
class Selector:
    """The members that any of the words means, or, when negated, all others."""

    words: tuple[str, ...]
    negated: bool = False

    def leads(self, members: Sequence[str]) -> frozenset[str]:
        """The sides without whose leaders it means nothing; that of a single group is MASTER."""
        named = leaders(members)
        sides = {named[word] for word in self.words if word in named}
        return frozenset(sides if _ABOUT_LEADER.isdisjoint(self.words) else {*sides, MASTER})

    def explicit(self, members: Collection[str]) -> bool:
        """Whether it names members only, so that it means the same at any moment."""
        return not self.negated and all(word in members for word in self.words)


@dataclass(frozen=True, slots=True)
class View:
    """What is known of the group at the moment of a fault.

    `order` is the member list as the seed shuffled it for this fault: "one" is its first.
    """

    order: tuple[str, ...]
    leader: str | None = None
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)


def parse(raw: object) -> Selector:
    """Read `leader`, `not old nor leader` or `[n1, n2]`. Raises ValueError."""
    if isinstance(raw, list) and raw and all(isinstance(word, str) for word in raw):
        return Selector(tuple(raw))
    if not isinstance(raw, str) or not raw.split():
        raise ValueError(f"must name members, like leader, {WORDS[2]} or [n1, n2], not {raw!r}")
    words = raw.split()
    if words[0] != "not":
        if len(words) == 1:
            return Selector((words[0],))
        raise ValueError(f"{raw!r} is not understood; write several members as a list: [n1, n2]")
    named, joints = words[1::2], words[2::2]
    if len(named) == len(joints) or set(joints) - {"nor"}:
        raise ValueError(f"{raw!r} is not understood; write it like: not old nor leader")
    return Selector(tuple(named), negated=True)


def unknown(selector: Selector, members: Sequence[str], names: Collection[str]) -> str | None:
    """A sentence about the first word that means nothing, with what would be right."""
    for word in selector.words:
        known = list(dict.fromkeys([*WORDS, *members, *names]))
        if word not in known:
            return f"{word!r} is no member{closest(word, known)}"
    return None


def closest(word: str, known: Collection[str]) -> str:
    """Advice to append to a complaint about an unknown word."""
    allowed = ", ".join(known)
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}? (known: {allowed})" if near else f" (known: {allowed})"


def resolve(
    selector: Selector, view: View, candidates: Collection[str] | None = None
) -> tuple[str, ...]:
    """The members meant, in alias order; only `candidates` count where they are given.

    Empty when nothing qualifies: no leader is known, or every candidate is gone.
    """
    fit = [m for m in view.order if candidates is None or m in candidates]
    needed = selector.leads(view.order)
    if (MASTER in needed and view.leader is None) or any(
        not view.names.get(word) for word, side in leaders(view.order).items() if side in needed
    ):
        return ()
    chosen = {member for word in selector.words for member in _meaning(word, view, fit)}
    if selector.negated:
        chosen = set(fit) - chosen
    return tuple(sorted(chosen))


def _meaning(word: str, view: View, fit: Sequence[str]) -> Sequence[str]:
    count = len(view.order)
    followers = [m for m in fit if m != view.leader]
    match word:
        case "one":
            return fit[:1]
        case "leader":
            return [m for m in fit if m == view.leader]
        case "follower":
            return followers[:1]
        case "followers":
            return followers
        case "majority":
            return fit[: count // 2 + 1]
        case "minority":
            return fit[: (count - 1) // 2]
        case "all":
            return fit
        case _:
            return [m for m in view.names.get(word, (word,)) if m in fit]
