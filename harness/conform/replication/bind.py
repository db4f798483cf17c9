"""The binding of replication: every pair that exploring the model reaches, on both sides."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ....impl.bugs_of_replication import (
    APPLIED_UNCHECKED,
    DEDUP_BY_HIGHEST,
    FAILURE_SWALLOWED,
    FAILURES_ADD_UP,
    FLAG_OFF_DROPS_QUEUED,
    GROUPS_OVERLAP,
    LAST_GROUP_WAITS,
    OFFSET_BEFORE_LOG,
    QUEUES_WHILE_DISABLED,
    SKIP_NOT_KEPT,
    STOP_DROPS_QUEUE,
    TRIMS_UNREAD,
)
from ....impl.replication.slave import SlaveState
from ....model.actor import Step
from ....model.explore.limits import Limits
from ....model.explore.pairs import Pairs, explore_pairs
from ....model.explore.show import text
from ....model.replication_group import event_name, replication
from ....model.replication_rules import Options
from ....model.replication_types import Master, Slave
from ..binding import Bounds, Conformance, Difference, Divergence
from .master import MasterSide
from .slave import SlaveSide
from .words import Found, differing_masters, differing_slaves

SMALL = (
    Bounds.of("one task, and all that operators do", writes=1, stops=1, starts=1, skips=1,
            failovers=1, poisons=1, clients=1),
    Bounds.of("two tasks of one group", chunks=2, attempts=1, limit=1, skips=1, failovers=1),
    Bounds.of("a master that is stopped, and metadata", writes=1, definitions=1, chunks=2,
            attempts=1, limit=1, orders=2),
    Bounds.of("flags", writes=1, created=0, flags=2, attempts=1, limit=1),
    Bounds.of("two slaves", writes=1, slaves=2, attempts=1, limit=1),
    Bounds.of("task data that is late, or lost", writes=1, sync=0, crashes=1, elections=1,
            controllers=2, fills=1),
)  # fmt: skip

DOCUMENTED = (
    *SMALL,
    Bounds.of("two tasks, one after the other", stops=1, starts=1, skips=1),
    Bounds.of("two tasks of one group, stopped and started", chunks=2, attempts=1, limit=1, stops=1,
            starts=1, skips=1, failovers=1),
    Bounds.of("three tasks", writes=3, chunks=2, attempts=1, limit=1, skips=1),
    Bounds.of("two databases", databases=2, flags=2, attempts=1, limit=1, definitions=1, writes=1),
    Bounds.of("two slaves and two tasks", slaves=2, attempts=1, limit=1, stops=1, starts=1),
    Bounds.of("three failures", writes=1, limit=3, attempts=4, stops=1, starts=1, skips=1,
            failovers=1, poisons=1),
    Bounds.of("two data nodes", nodes=2, chunks=2, attempts=1, limit=1, fills=1, failovers=1),
)  # fmt: skip

BLIND: dict[str, str] = {
    "waits-for-slowest": "it holds back what is 16 tasks behind, and no bounds have so many",
    "recorded-at-begin": "it is in the catalog's transactions, beside the slave's queue",
    "serves-uncommitted": "it is in how a leader reads its log for slaves; the queue is correct",
    "task-data-unchecked": "it is in the files of task data; in the model, data is there or lost",
    "incomplete-shown": "it is in what data nodes show readers, whom the model does not have",
}
"""Seeded bugs of replication that are not in these cores, or too wide for the bounds."""

DIFFERENCES = (
    Difference(
        "proposed-then-applied",
        "What a leader decides is proposed, applied, and then told to the dispatcher; an entry "
        "that comes too late is refused (model: one step).",
    ),
    Difference(
        "dispatched-at-once",
        "What is ready is dispatched at once; what has failed or must wait rests first (model: any "
        "time).",
    ),
    Difference(
        "attempt-ends-after-commit",
        "The end of an attempt that has committed is heard before or after its transaction is "
        "complete, and says nothing (model: it ends with the task).",
    ),
)


@dataclass(frozen=True)
class ReplicationBinding:
    """`impl/replication/` against `model/replication.py`."""

    name: str = "replication"
    title: str = (
        "the master's queue (impl/replication/master.py) and a slave (slave.py, dispatcher.py) "
        "against model/replication.py"
    )
    small: Sequence[Bounds] = SMALL
    documented: Sequence[Bounds] = DOCUMENTED
    bugs: frozenset[str] = frozenset(
        {
            APPLIED_UNCHECKED,
            DEDUP_BY_HIGHEST,
            FAILURES_ADD_UP,
            FAILURE_SWALLOWED,
            FLAG_OFF_DROPS_QUEUED,
            GROUPS_OVERLAP,
            LAST_GROUP_WAITS,
            OFFSET_BEFORE_LOG,
            QUEUES_WHILE_DISABLED,
            SKIP_NOT_KEPT,
            STOP_DROPS_QUEUE,
            TRIMS_UNREAD,
        }
    )

    @property
    def differences(self) -> Sequence[Difference]:
        """Where the implementation is meant to differ from the model."""
        return DIFFERENCES

    def conform(
        self,
        bounds: Bounds,
        *,
        bugs: frozenset[str] = frozenset(),
        first: bool = False,
        workers: int = 1,
    ) -> Conformance:
        """Compare every pair within the bounds; `first` ends at the first divergence."""
        began = time.perf_counter()
        pairs = reached(bounds, workers)
        result = Conformance(self.name, bounds, pairs.explored, len(pairs.states))
        _Comparing(options_of(bounds), pairs, bugs, result, first=first).run()
        result.seconds = time.perf_counter() - began
        return result


class _Comparing:
    """All pairs, all states, and the cores' own way to each of them."""

    def __init__(
        self,
        options: Options,
        pairs: Pairs,
        bugs: frozenset[str],
        result: Conformance,
        *,
        first: bool,
    ) -> None:
        self.options = options
        self.pairs = pairs
        self.result = result
        self.first = first
        self.master = MasterSide(options, bugs)
        self.slave = SlaveSide(options, bugs)

    def run(self) -> None:
        """Until the end, or the first divergence."""
        for compare in (self._events, self._states, self._replay):
            if not (self.first and self.result.diverged):
                compare()
        self.result.cores = self.master.steps + self.slave.steps

    def _events(self) -> None:
        for node, state, event, step in self.pairs.found:
            name = event_name(event)
            try:
                found = self._compared(state, event, step)
            except AssertionError as error:
                found = refused(error)
            if found is None:
                continue
            self.result.pairs[name] += 1
            for what, expected, made in found:
                self._diverge(node, state, name, (what, expected, made), text(event))
            if found and self.first:
                return

    def _compared(self, state: Any, event: Any, step: Step | None) -> Found | None:
        """What differs; None where neither side has a part in it. Raises AssertionError."""
        if isinstance(state, Master):
            return self.master.compare(state, event, step)
        return self.slave.compare(state, event, step) if isinstance(state, Slave) else None

    def _always(self, state: Any) -> Iterator[tuple[str, Found]]:
        """What any state shows."""
        try:
            if isinstance(state, Master):
                yield from self.master.always(state)
            elif isinstance(state, Slave):
                yield from self.slave.always(state)
        except AssertionError as error:
            yield "any time", refused(error)

    def _states(self) -> None:
        for node, state in self.pairs.states:
            for name, found in self._always(state):
                self.result.pairs[name] += 1
                for each in found:
                    self._diverge(node, state, name, each, name)
                if found and self.first:
                    return

    def _replay(self) -> None:
        """Reach each state by entries alone."""
        masters = {self.pairs.model.actors[0].initial(0): self.master.initial()}
        slaves: dict[tuple[int, Any], SlaveState] = {}
        for node, actor in enumerate(self.pairs.model.actors):
            first = actor.initial(node)
            if isinstance(first, Slave):
                slaves[node, first] = SlaveState()
        for node, before, event, after in self.pairs.tree():
            if isinstance(before, Master):
                core = self.master.core(masters[before])
                entries = self.master.entries(before, event, Step(after))
                found = told(core, entries) or differing_masters(self.options, after, core)
                masters[after] = core.dump()
            elif isinstance(before, Slave):
                slave = self.slave.core(slaves[node, before])
                each = self.slave.entries(before, event, Step(after))
                found = told(slave, each) or differing_slaves(self.options, after, slave)
                slaves[node, after] = slave.dump()
            else:
                continue
            self.result.replayed += 1
            for what in found:
                self._diverge(node, before, event_name(event), what, text(event))
            if found and self.first:
                return

    def _diverge(
        self, node: int, state: Any, event: str, what: tuple[str, Any, Any], cause: str
    ) -> None:
        path = tuple(self.pairs.path(node, state))
        self.result.diverge(Divergence(state, event, *what, path, cause=cause))


def told(core: Any, entries: Sequence[Any]) -> Found:
    """Let a core take these entries of the log; that it cannot, if it cannot."""
    try:
        for entry in entries:
            core.step(entry)
    except AssertionError as error:
        return refused(error)
    return []


def refused(error: AssertionError) -> Found:
    """A core that fails has diverged."""
    return [("assertion", "a step", f"the core refuses: {error}")]


def options_of(bounds: Bounds) -> Options:
    """The model's options: switches are numbers in bounds."""
    chosen: dict[str, Any] = dict(bounds.options)
    for name in ("created", "sync"):
        chosen[name] = bool(chosen.get(name, 1))
    return Options(**chosen)


def reached(bounds: Bounds, workers: int) -> Pairs:
    """The model's pairs within the bounds."""
    model = replication(options_of(bounds))
    return explore_pairs(model, workers=workers, limits=Limits(depth=bounds.depth, good_states=0))
