"""Seeded bugs: known mistakes that a test may switch on, to show that the checks find them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Bug:
    """What goes wrong, and the promises that it breaks."""

    name: str
    mistake: str
    promises: tuple[str, ...]


BUGS: Mapping[str, Bug] = MappingProxyType(
    {
        bug.name: bug
        for bug in (
            Bug(
                "stale-read",
                "A leader answers reads without confirming that it still leads.",
                ("HS-4",),
            ),
            Bug(
                "ack-before-quorum",
                "A leader commits an entry as soon as its own disk holds it.",
                ("HS-2", "HS-3"),
            ),
            Bug(
                "ack-before-fsync",
                "A member answers before its log is synced.",
                ("HS-2", "HS-3"),
            ),
            Bug(
                "vote-twice",
                "A vote is not made durable: a restarted member may vote again in the term.",
                ("HS-1",),
            ),
            Bug(
                "commit-old-term",
                "A leader commits entries of older terms by counting replicas (Figure 8).",
                ("HS-2", "HS-4"),
            ),
        )
    }
)


def parse(names: Iterable[str]) -> frozenset[str]:
    """The names as a set. Raises ValueError, naming those there are, for an unknown one."""
    found = frozenset(names)
    for name in sorted(found):
        if name not in BUGS:
            raise ValueError(f"no seeded bug '{name}'; there are {', '.join(sorted(BUGS))}")
    return found
