"""What can be wrong with a log, the promises that each kind breaks, and how it is told."""

from collections.abc import Sequence
from typing import Any

import msgspec

from .prose import identity, summary
from .view import Append, Read

PROMISES: dict[str, tuple[str, ...]] = {
    "lost": ("HS-2",),
    "vanished": ("HS-5",),
    "two-rows-at-one-offset": ("HS-4", "HS-5"),
    "duplicate": ("HS-4", "HS-5"),
    "torn-batch": ("HS-4", "HS-5"),
    "reordered": ("HS-4", "HS-5"),
    "gap": ("HS-4", "HS-5"),
    "phantom": ("HS-4", "HS-5"),
    "future-read": ("HS-4", "HS-5"),
    "aborted-read": ("HS-6", "HS-11"),
    "stale-read": ("HS-4",),
    "overlong-read": ("HS-4",),
}
"""Kind → promises of semantics.md §5.3; docs/verdicts.md explains each kind."""


class Anomaly(msgspec.Struct, frozen=True):
    """One violation with the two or three operations that show it."""

    kind: str
    key: Any
    sentence: str
    operations: tuple[Append | Read, ...]

    def __post_init__(self) -> None:
        assert self.kind in PROMISES
        assert 1 <= len(self.operations) <= 3

    @property
    def witness(self) -> tuple[int, ...]:
        """The indices of the operations' completions, in order of time."""
        return tuple(sorted({identity(operation.call) for operation in self.operations}))

    def as_details(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "key": self.key,
            "promises": list(PROMISES[self.kind]),
            "sentence": self.sentence,
            "witness": list(self.witness),
            "operations": [summary(operation) for operation in self.operations],
        }


def broken(anomalies: Sequence[Anomaly]) -> tuple[str, ...]:
    """All promises that they break, in order of their numbers."""
    promises = {promise for anomaly in anomalies for promise in PROMISES[anomaly.kind]}
    return tuple(sorted(promises, key=lambda promise: int(promise.removeprefix("HS-"))))
