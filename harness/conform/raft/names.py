"""Who is who: aliases of members and their numbers in the model."""

from collections.abc import Sequence

from ....model.raft_types import NOBODY, Role

STRANGER = -2
"""The number of somebody who is no member."""

ROLES = {role.value: role for role in Role}
"""Roles by name: the implementation calls them the same."""


class Names:
    """Members' aliases, and their numbers in the model: their places in the sorted list."""

    def __init__(self, aliases: Sequence[str]) -> None:
        self.aliases = tuple(sorted(aliases))
        self.numbers: dict[str | None, int] = {a: i for i, a in enumerate(self.aliases)}
        self.numbers[None] = NOBODY

    def number(self, alias: str | None) -> int:
        """NOBODY for None, STRANGER for who is no member."""
        return self.numbers.get(alias, STRANGER)

    def alias(self, number: int) -> str | None:
        """None for NOBODY."""
        return None if number == NOBODY else self.aliases[number]

    def member(self, number: int) -> str:
        """The alias of a member."""
        return self.aliases[number]
