"""How far an exploration may go, and how far it has come."""

from dataclasses import dataclass

GOOD_STATES = 200_000
"""States of a good phase that are followed unless somebody asks for more: some ten seconds."""


@dataclass(frozen=True)
class Limits:
    """When to stop early: states, depth, bytes held, seconds. None: never.

    `seconds` are of the clock, `cpu_seconds` of one core: with all threads, as if it had only one.
    `good_states`: how large a good phase may be whose graph is searched for EVENTUALLY.
    """

    states: int | None = None
    depth: int | None = None
    memory: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    good_states: int = GOOD_STATES


@dataclass(frozen=True)
class Progress:
    """What a watcher is told after each level."""

    depth: int
    states: int
    transitions: int
    queue: int
    bytes_held: int
    seconds: float
    cpu_seconds: float


def exceeded(limits: Limits, now: Progress, *, inside_level: bool) -> str:
    """The limit that was passed, in words, or nothing. Inside a level only memory counts."""
    checks = (
        (limits.memory, now.bytes_held, "bytes"),
        (limits.states, now.states, "states"),
        (limits.depth, now.depth + 1, "levels"),
        (limits.seconds, now.seconds, "seconds"),
        (limits.cpu_seconds, now.cpu_seconds, "seconds of one core"),
    )
    for limit, value, what in checks[:1] if inside_level else checks:
        if limit is not None and value > limit:
            return f"the limit of {limit:,} {what}"
    return ""
