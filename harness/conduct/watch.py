"""Which of the states that steps wait for have come."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ..fault import Fault
from ..targets.target import Cluster, WatchedCluster
from .triggers import Names, Snapshot, leader_of, parse


@dataclass(frozen=True, slots=True)
class Match:
    """A state that came: for whom it held, and what was then known of all."""

    text: str
    nodes: tuple[str, ...]
    snapshot: Snapshot

    @property
    def leader(self) -> str | None:
        """Who led then."""
        return leader_of(self.snapshot)

    @property
    def told(self) -> dict[str, Any]:
        """For the receipt of what was done."""
        states = {alias: msgspec.to_builtins(s) for alias, s in sorted(self.snapshot.items())}
        return {"when": self.text, "nodes": list(self.nodes), "states": states}


class Watch:
    """Looks at the group for steps that wait, and keeps for each how its state first came.

    A step sees every state from the moment on when it begins to wait, the one then included.
    """

    def __init__(self, faults: Sequence[Fault], cluster: Cluster) -> None:
        self._triggers = {s: parse(f.when) for s, f in enumerate(faults) if f.when is not None}
        self._cluster = cluster
        self._waiting: frozenset[int] = frozenset()
        self.matches: dict[int, Match] = {}

    def look(self, waiting: Collection[int], names: Names) -> None:
        """Take in what members did since the last look; `waiting` are the steps that wait now."""
        if not self._triggers:
            return
        assert isinstance(self._cluster, WatchedCluster)
        snapshots = self._cluster.states()
        for snapshot in snapshots:
            self._hold(self._waiting.intersection(waiting), snapshot, names)
        self._waiting = frozenset(waiting)
        self._hold(self._waiting, snapshots[-1], names)

    def _hold(self, steps: Collection[int], snapshot: Snapshot, names: Names) -> None:
        for step in sorted(steps):
            if step in self.matches:
                continue
            trigger = self._triggers[step]
            nodes = trigger.holds(snapshot, names)
            if nodes is not None:
                self.matches[step] = Match(trigger.text, nodes, snapshot)
