"""What the controllers' leader sees to: transactions that nobody ends, chunks that are dropped.

A coordinator that is gone leaves transactions behind: undecided ones are aborted, in the log;
committed ones are pushed to their participants, and completed. One that is silent for some rounds
counts as gone: should it come back, it is told what was decided.
"""

from collections.abc import Callable
from typing import Any

from ..client.errors import DISCONNECTED, RequestError
from ..runtime import Alarm, Clock
from ..service.forwarding import Ask
from .catalog_state import Transaction
from .commands import Abort, Command, Complete, Swept
from .group import CatalogGroup

ROUND_S = 0.5

AGE_ROUNDS = 3
"""A transaction is left alone for so many rounds: its coordinator may not know of it yet."""

SILENT_ROUNDS = 3
ANSWER_S = 2.0
"""Who says nothing for so long is silent."""

UNDER_WAY = "txnUnderWay"
"""What a data node is asked: the tids that it coordinates at this moment."""

COMMIT, ABORT, DROP = "chunkCommit", "chunkAbort", "chunkDrop"
"""What participants are told; each may be said again."""


class Resolver:
    """A `Follower` of the catalog's group: works while this controller leads, in rounds."""

    def __init__(self, group: CatalogGroup, clock: Clock, ask: Ask) -> None:
        self._group = group
        self._clock = clock
        self._ask = ask
        self._alarm: Alarm | None = None
        self._ages: dict[int, int] = {}
        """Rounds since this leader met a transaction."""
        self._silent: dict[str, int] = {}
        """Rounds in a row without a word, by coordinator."""
        self._busy: set[str] = set()
        """What is under way, by name: once at a time."""

    def led(self) -> None:
        self._forget()
        self._alarm = self._clock.call_later(ROUND_S, self._round)

    def stood_down(self) -> None:
        self._forget()

    def applied(self, command: Command, outcome: Any) -> None:
        """The catalog is asked when there is time."""

    def _forget(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._ages = {}
        self._silent = {}
        # Answers of an earlier time belong to that set.
        self._busy = set()

    def _round(self) -> None:
        self._alarm = self._clock.call_later(ROUND_S, self._round)
        catalog = self._group.catalog
        open_ = catalog.transactions.open
        self._ages = {tid: self._ages.get(tid, 0) + 1 for tid in open_}
        old: dict[str, list[Transaction]] = {}
        for tid, txn in open_.items():
            if self._ages[tid] > AGE_ROUNDS:
                old.setdefault(txn.coordinator, []).append(txn)
        for coordinator in sorted(old):
            self._question(coordinator, old[coordinator])
        for node in sorted(catalog.placement.dropped):
            self._sweep(node, tuple(catalog.placement.dropped[node]))

    def _question(self, coordinator: str, txns: list[Transaction]) -> None:
        def told(answer: Any) -> None:
            if isinstance(answer, RequestError) or not isinstance(answer, list | tuple):
                silent = self._silent[coordinator] = self._silent.get(coordinator, 0) + 1
                if silent < SILENT_ROUNDS:
                    return
                answer = ()
            else:
                self._silent.pop(coordinator, None)
            for txn in txns:
                if txn.tid not in answer:
                    self._resolve(txn.tid)

        self._once(f"ask {coordinator}", coordinator, UNDER_WAY, (), told)

    def _resolve(self, tid: int) -> None:
        txn = self._group.catalog.transactions.open.get(tid)
        if txn is None:
            return
        nodes = _nodes(txn)
        if not txn.cid:

            def aborted(outcome: Any) -> None:
                if outcome is None:
                    for node in nodes:
                        self._once(f"abort {tid} {node}", node, ABORT, (tid,), _nothing)

            self._group.propose(Abort(tid), aborted)
            return
        missing = set(nodes)

        def done(node: str, answer: Any) -> None:
            if not isinstance(answer, RequestError):
                missing.discard(node)
            if not missing:
                self._complete(tid)

        for node in nodes:
            self._once(f"commit {tid} {node}", node, COMMIT, (tid, txn.cid), _bound(done, node))
        if not nodes:
            self._complete(tid)

    def _complete(self, tid: int) -> None:
        self._group.propose(Complete(tid, self._clock.wall_ns()), _nothing)

    def _sweep(self, node: str, chunks: tuple[int, ...]) -> None:
        def dropped(answer: Any) -> None:
            if not isinstance(answer, RequestError):
                self._group.propose(Swept(node, chunks), _nothing)

        self._once(f"sweep {node}", node, DROP, (chunks,), dropped)

    def _once(
        self,
        name: str,
        node: str,
        function: str,
        args: tuple[Any, ...],
        told: Callable[[Any], None],
    ) -> None:
        """Ask a node, unless it is being asked; what is answered after this reign is not heard."""
        busy = self._busy
        if name in busy:
            return
        busy.add(name)

        def answered(answer: Any) -> None:
            busy.discard(name)
            if busy is self._busy:
                told(answer)

        lost = RequestError(DISCONNECTED, True, f"{node} cannot be reached")
        self._ask(node, function, args, answered, lost, ANSWER_S)


def _nodes(txn: Transaction) -> list[str]:
    return sorted({chunk.node for chunk in txn.chunks})


def _bound(done: Callable[[str, Any], None], node: str) -> Callable[[Any], None]:
    return lambda answer: done(node, answer)


def _nothing(_: Any) -> None:
    """The next round sees what came of it."""
