"""Seeded bugs: known mistakes that a test may switch on, to show that the checks find them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

STALE_READ = "stale-read"
ACK_BEFORE_QUORUM = "ack-before-quorum"
ACK_BEFORE_FSYNC = "ack-before-fsync"
VOTE_TWICE = "vote-twice"
COMMIT_OLD_TERM = "commit-old-term"


@dataclass(frozen=True, slots=True)
class Bug:
    """What goes wrong, in one sentence, and the promises that it breaks."""

    name: str
    mistake: str
    promises: tuple[str, ...]


_ALL = (
    Bug(
        STALE_READ,
        "A leader answers reads without confirming that it still leads.",
        ("HS-4",),
    ),
    Bug(
        ACK_BEFORE_QUORUM,
        "A leader commits an entry as soon as its own disk holds it.",
        ("HS-2", "HS-3"),
    ),
    Bug(
        ACK_BEFORE_FSYNC,
        "A member answers before its log is synced.",
        ("HS-2", "HS-3"),
    ),
    Bug(
        VOTE_TWICE,
        "Term and vote are made durable only with the next entry of the log, so that a member "
        "that restarts may vote again in the same term.",
        ("HS-1",),
    ),
    Bug(
        COMMIT_OLD_TERM,
        "A leader commits entries of older terms by counting who holds them (Figure 8).",
        ("HS-2", "HS-4"),
    ),
)

BUGS: Mapping[str, Bug] = MappingProxyType({bug.name: bug for bug in _ALL})
"""All of them by name."""


def parse(names: Iterable[str]) -> frozenset[str]:
    """The names as a set. Raises ValueError, naming those there are, for an unknown one."""
    found = frozenset(names)
    for name in sorted(found):
        if name not in BUGS:
            raise ValueError(f"no seeded bug '{name}'; there are {', '.join(sorted(BUGS))}")
    return found
