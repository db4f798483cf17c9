"""Rules for single messages between members: which to hold back, which to lose. All values.

Nothing in this file touches anything. A message is what the system under test calls one; a target
that can look into messages says which rule fits.
"""

from collections.abc import Iterable, Mapping

import msgspec

from .links import Pair

KINDS = (
    "pre-vote-request",
    "pre-vote-response",
    "vote-request",
    "vote-response",
    "append-request",
    "append-response",
    "snapshot-request",
)
"""What members say to one another."""

ANY = "any"


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which messages of a link it is about, and whether they are held or lost.

    `entries` (append requests): `none`, `some`, `old` (some, none of them of the message's own
    term) or `new` (one of its own term). `answer` (responses): `yes` or `no`. A rule with a `count`
    is about that many messages of all its links together, the first ones. `name` is the word that
    the scenario gave it.
    """

    hold: bool = False
    message: str = ANY
    entries: str | None = None
    answer: str | None = None
    term: int | None = None
    count: int | None = None
    name: str | None = None


Rules = Mapping[Pair, tuple[Rule, ...]]
"""Every link that has rules; of several that fit a message, the first one decides."""

Caught = Mapping[tuple[str, str], int]
"""How many messages the rule of this name caught of what this member sent."""


def merged_rules(parts: Iterable[Rules]) -> Rules:
    """All of them at once, those of earlier parts first."""
    found: dict[Pair, tuple[Rule, ...]] = {}
    for part in parts:
        for pair, rules in part.items():
            found[pair] = (*found.get(pair, ()), *rules)
    return dict(sorted(found.items()))
