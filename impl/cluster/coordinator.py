"""Executes writes as transactions over the chunks that they are about.

In this order: the controllers begin it; each data node prepares its part, one after another by
name, so that no two transactions wait for one another; where slaves need it, its data is kept, with
sync persistence durably before the next step (U2); the controllers' log decides; the nodes commit;
the controllers complete it. What fails before the decision is asked for has certainly not happened.
Later on nobody knows until the controllers have said; what cannot be finished here they resolve.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..client.errors import (
    ABORTED,
    BAD_REQUEST,
    FRAME_TOO_LARGE,
    INDETERMINATE,
    OVERLOADED,
    RequestError,
)
from ..replication.tasks import TaskMeta
from ..runtime import Clock
from ..service.forwarding import Ask
from ..site import Site
from .changes import Change, Work, bytes_of
from .chunk_store import LOCK_S
from .commands import KEYS_MAX
from .contract import (
    Answer,
    Begun,
    Controllers,
    TaskData,
    definite,
    layout_of,
    outcome_of,
    understood,
    unreachable,
)
from .operations import Operation
from .participant import ABORT, COMMIT, PREPARE
from .writes import OPERATIONS, Layout, Write, decode, encode, parts, with_keys

PREPARE_S = LOCK_S + 2.0
"""A data node votes within this time, or the transaction is aborted."""

COMMIT_S = 10.0
"""A data node has committed within this time, or the controllers see to it."""

ASK_S = 2.0
PAUSE_S = 0.1
"""A data node that has not said that it has committed is told again."""

FRAME_SLACK_BYTES = 4096

TASK_DATA = "TaskData"
"""What slaves need could not be kept (S01035)."""


@dataclass(slots=True, eq=False)
class _Execution:
    """A write from being asked for to its answer."""

    user: str | None
    database: str
    table: str
    write: Write
    payload: bytes
    applied: int | None
    answer: Answer
    tid: int = 0
    replicates: bool = False
    keys: tuple[str, ...] = ()
    works: dict[str, list[Work]] = field(default_factory=dict)
    """By data node."""
    asked: list[str] = field(default_factory=list)
    """Data nodes that may have prepared."""
    rows: int = 0
    may_happen: bool = False
    """Whether its commit was asked for."""
    is_saved: bool = False

    @property
    def operation(self) -> Operation:
        return OPERATIONS[type(self.write.change)]


class Coordinator:
    """Of one data node. Calls belong to its event loop."""

    def __init__(
        self,
        site: Site,
        clock: Clock,
        controllers: Controllers,
        ask: Ask,
        frame_bytes_max: int,
        task_data: TaskData | None = None,
        *,
        is_sync: bool = False,
    ) -> None:
        """`is_sync`: the data of tasks is durable before the decision."""
        self._site = site
        self._clock = clock
        self._controllers = controllers
        self._ask = ask
        self._frame_bytes_max = frame_bytes_max
        self._task_data = task_data
        self._is_sync = is_sync
        self._under_way: dict[int, _Execution] = {}
        self._is_ending = False

    @property
    def tids(self) -> list[int]:
        """What this node coordinates at this moment."""
        return sorted(self._under_way)

    def execute(
        self,
        user: str | None,
        operation: Operation,
        database: str,
        table: str,
        payload: bytes,
        applied: int | None,
        answer: Answer,
    ) -> None:
        """Do what a write says (see writes.py); answers `{tid, rows}`.

        `applied`: the task that this is, on a slave.
        """
        try:
            write = decode(payload)
            if OPERATIONS[type(write.change)] is not operation:
                raise RequestError(BAD_REQUEST, True, f"this is no {operation}")
        except RequestError as error:
            answer(error)
            return
        run = _Execution(user, database, table, write, payload, applied, answer)
        self._controllers.ask("tableLayout", (user, database, table), partial(self._found, run))

    # Before the decision: every failure is definite.

    def _found(self, run: _Execution, told: Any) -> None:
        """How the table is made: what belongs to which partition?"""
        made = layout_of(told)
        if isinstance(made, RequestError):
            run.answer(definite(made))
            return
        try:
            write = with_keys(run.write, made)
            if write is not run.write:
                run.write, run.payload = write, encode(write)
            divided = parts(write, made)
        except RequestError as error:
            run.answer(error)
            return
        keys = None if divided is None else tuple(sorted(divided))
        args = (
            run.user,
            run.database,
            run.table,
            str(run.operation),
            keys,
            made.mark,
            run.applied,
        )
        self._controllers.ask("txnBegin", args, lambda told: self._begun(run, made, divided, told))

    def _begun(
        self, run: _Execution, made: Layout, divided: dict[str, Change] | None, told: Any
    ) -> None:
        begun = understood(Begun, told)
        if isinstance(begun, RequestError):
            # Whatever has begun does nothing: nobody will ever ask for its commit.
            run.answer(definite(begun))
            return
        run.tid, run.replicates = begun.tid, begun.replicates
        run.keys = tuple(sorted(begun.chunks))
        self._under_way[run.tid] = run
        if divided is None:
            # Slaves do it where it was done here, whatever partitions they have (U11).
            divided = dict.fromkeys(run.keys, run.write.change)
            run.write = Write(run.write.change, b"", run.keys)
            run.payload = encode(run.write)
        elif run.write.keys is not None:
            divided = {key: divided[key] for key in run.keys}
        if begun.layout != made or begun.chunks.keys() != divided.keys():
            self._abort(run, RequestError(OVERLOADED, True, "the table has just been replaced"))
            return
        if run.replicates and self._task_data is not None and not self._task_data.has_room:
            message = "too much data of tasks waits for the disk"
            self._abort(run, RequestError(OVERLOADED, True, message))
            return
        for key, change in divided.items():
            chunk, node = begun.chunks[key]
            run.works.setdefault(node, []).append(Work(chunk, begun.schema, change))
        refusal = self._too_large(run)
        if refusal is not None:
            self._abort(run, refusal)
            return
        self._prepare(run)

    def _too_large(self, run: _Execution) -> RequestError | None:
        """Whether a data node's part fits into no frame or command, here or where slaves repeat it.

        The part of this node counts, too: a slave may have it elsewhere, or all on one data node.
        """
        sizes = [bytes_of(works) for works in run.works.values()]
        if run.replicates:
            if len(run.keys) > KEYS_MAX:
                message = f"slaves repeat nothing in {len(run.keys)} partitions, but in {KEYS_MAX}"
                return RequestError(FRAME_TOO_LARGE, True, message)
            sizes = [len(run.payload), sum(sizes)]
        size = max(sizes, default=0)
        if size <= self._frame_bytes_max - FRAME_SLACK_BYTES:
            return None
        message = f"{size} bytes for a data node are more than maxFrameSize; write less at once"
        return RequestError(FRAME_TOO_LARGE, True, message)

    def _prepare(self, run: _Execution) -> None:
        """Ask the next data node, if there is one."""
        left = [node for node in sorted(run.works) if node not in run.asked]
        if not left:
            self._keep(run)
            return
        node = left[0]
        works = tuple(run.works.pop(node))
        run.asked.append(node)
        self._ask(
            node,
            PREPARE,
            (run.tid, works),
            lambda told: self._voted(run, told),
            unreachable(node),
            PREPARE_S,
        )

    def _voted(self, run: _Execution, told: Any) -> None:
        rows = understood(list[int], told)
        if isinstance(rows, RequestError):
            self._abort(run, rows)
            return
        run.rows += sum(rows)
        self._prepare(run)

    def _keep(self, run: _Execution) -> None:
        """The data for slaves, durable if it has to be."""
        if run.replicates and self._is_sync and self._task_data is not None:
            run.is_saved = True
            self._task_data.save(run.tid, run.payload, lambda e: self._kept(run, e), at_once=True)
        else:
            self._decide(run)

    def _kept(self, run: _Execution, error: OSError | None) -> None:
        if error is None:
            self._decide(run)
        else:
            message = f"the data of the task cannot be kept: {error}"
            self._abort(run, RequestError(TASK_DATA, True, message))

    def _abort(self, run: _Execution, why: RequestError) -> None:
        """It was not asked to commit, and never will be."""
        self._under_way.pop(run.tid, None)
        self._controllers.ask("txnAbort", (run.tid,), _ignore)
        self._undo(run)
        run.answer(definite(why))

    def _undo(self, run: _Execution) -> None:
        """Nodes that are not reached ask by themselves."""
        for node in run.asked:
            self._ask(node, ABORT, (run.tid,), _ignore, unreachable(node))
        if run.replicates and self._task_data is not None:
            self._task_data.delete(run.tid)

    # The decision, and what follows from it.

    def finish(self) -> None:
        """The node ends: keep the data of what may happen yet, and ask for nothing more."""
        self._is_ending = True
        for run in self._under_way.values():
            if run.may_happen:
                self._save_late(run)

    def _decide(self, run: _Execution) -> None:
        if self._is_ending:
            self._abort(run, RequestError(OVERLOADED, True, "this node is being stopped"))
            return
        run.may_happen = True
        meta = None
        if run.replicates:
            names = tuple(f"{run.database}/{run.table}/{key}" for key in run.keys)
            meta = TaskMeta(
                tid=run.tid,
                operation=run.operation,
                database=run.database,
                table=run.table,
                chunks=names,
                source_host=self._site.host,
                source_port=self._site.port,
                submitted_ns=self._clock.wall_ns(),
            )
            if not run.is_saved and self._task_data is not None:
                # Once it is decided it can be completed, and asked for, before that is heard here.
                self._task_data.announce(run.tid)
        self._controllers.ask("txnCommit", (run.tid, meta), partial(self._decided, run))

    def _decided(self, run: _Execution, told: Any) -> None:
        cid = understood(int, told)
        if not isinstance(cid, RequestError):
            self._committed(run, cid)
        elif cid.definite:
            self._abort(run, cid)
        else:
            # An abort that comes first settles it; otherwise its refusal says what was decided.
            self._controllers.ask("txnAbort", (run.tid,), lambda _: self._doubt(run))

    def _doubt(self, run: _Execution) -> None:
        self._controllers.ask("txnOutcome", (run.tid,), lambda told: self._learnt(run, told))

    def _learnt(self, run: _Execution, told: Any) -> None:
        cid = outcome_of(told)
        if cid:
            self._committed(run, cid)
        elif cid == 0:
            self._undo(run)
            message = f"transaction {run.tid} was aborted"
            self._end(run, RequestError(ABORTED, True, message))
        else:
            self._save_late(run)
            message = f"transaction {run.tid} may have happened or not"
            self._end(run, RequestError(INDETERMINATE, False, message))

    def _committed(self, run: _Execution, cid: int) -> None:
        self._save_late(run)
        if not run.asked:
            self._complete(run, [])
        missing = set(run.asked)
        lost: list[str] = []
        until_ns = self._clock.now_ns() + int(COMMIT_S * 1e9)

        def tell(node: str) -> None:
            answer = partial(answered, node)
            self._ask(node, COMMIT, (run.tid, cid), answer, unreachable(node), ASK_S)

        def answered(node: str, told: Any) -> None:
            if isinstance(told, RequestError) and self._clock.now_ns() < until_ns:
                self._clock.call_later(PAUSE_S, partial(tell, node))
                return
            missing.discard(node)
            if isinstance(told, RequestError):
                lost.append(node)
            if not missing:
                self._complete(run, sorted(lost))

        for node in run.asked:
            tell(node)

    def _complete(self, run: _Execution, lost: list[str]) -> None:
        if lost:
            # The controllers tell them; until then nobody sees any of it.
            message = f"transaction {run.tid} is committed, and not complete: {', '.join(lost)}"
            self._end(run, RequestError(INDETERMINATE, False, message))
            return
        self._controllers.ask("txnComplete", (run.tid,), lambda told: self._completed(run, told))

    def _completed(self, run: _Execution, told: Any) -> None:
        if isinstance(told, RequestError):
            message = f"transaction {run.tid} is committed, and perhaps not complete: {told}"
            self._end(run, RequestError(INDETERMINATE, False, message))
        else:
            self._end(run, {"tid": run.tid, "rows": run.rows})

    def _save_late(self, run: _Execution) -> None:
        """In the background: a crash before it is written loses it (PR-20)."""
        if run.replicates and not run.is_saved and self._task_data is not None:
            run.is_saved = True
            self._task_data.save(run.tid, run.payload, lambda _: None, at_once=False)

    def _end(self, run: _Execution, result: Any) -> None:
        self._under_way.pop(run.tid, None)
        run.answer(result)


def _ignore(_: Any) -> None:
    """Whatever is told: others see to it."""
