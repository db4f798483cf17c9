"""One member's disk as it is built: what recovery of the log and of the data files is held against.

It is the storage model with the switches that the implementation has, and where the implementation
chooses otherwise, the choice: exploring it shows that no promise depends on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from .actor import Fifo, GoodPhase, Model, Property, Scope, Step
from .actor import Kind as Sort
from .properties.storage import Promises, is_repaired
from .storage import Storage, with_file
from .storage_group import event_name, is_calm
from .storage_rules import Marking, Options, may_write, restarted
from .storage_types import (
    Cached,
    Crash,
    Data,
    Event,
    Kind,
    Log,
    Mark,
    Member,
    Own,
    Record,
    Records,
    Row,
)


@dataclass(frozen=True, slots=True)
class Kill:
    """The process dies and is started again; the power stays, and so does the page cache."""

    def __str__(self) -> str:
        return "is killed and restarts"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a member as it is built differs from the plain model, and why it may."""

    name: str
    reason: str


DIFFERENCES = (
    Difference(
        "no-checkpoint",
        "Not compared here: checkpoints have tests of their own, and what Raft knows of them is in "
        "raft-built (model: checkpoints).",
    ),
    Difference(
        "no-drop",
        "Not compared here: tables are created and never dropped (model: drops, too).",
    ),
    Difference(
        "publishes-nothing",
        "What subscribers get is in the model of subscriptions (model: the rows that are "
        "committed).",
    ),
    Difference(
        "rolled-back-at-once",
        "Overruled rows are cut off in the turn in which the log is (model: in a step of its own, "
        "before anything else is written).",
    ),
    Difference(
        "found-rows-are-met",
        "A restart believes the whole records of a data file as far as the last that the log has; "
        "redoing the log meets them one by one, by LSN and term (model: the file's LSN vouches for "
        "all, or nothing behind the checkpoint stays).",
    ),
    Difference(
        "joins-at-once",
        "A restarted member takes part in its group before it has redone its log "
        "(model: it redoes what it can first).",
    ),
    Difference(
        "killed",
        "A killed process leaves its writes in the page cache; the log is then made durable before "
        "it is believed, data files lag as they did (model: what is found is durable).",
    ),
    Difference(
        "empty-file-has-no-lsn",
        "A table's creation is not written to its data file: the LSN is that of the newest rows, "
        "and tables are made anew from the log (model: the creation is the first LSN, durably).",
    ),
)

NOT_BUILT = frozenset({Own.CHECKPOINT, Own.PUBLISH, Own.MARK, Own.ROLL_BACK})


def built_options(
    *,
    records: int = 2,
    batch: int = 1,
    tables: int = 1,
    ddl: int = 0,
    overrules: int = 1,
    crashes: int = 1,
) -> Options:
    """The switches that describe the implementation, within these bounds.

    Rows are written once the own log has them (V2), to the offset that their record carries; rows
    and LSN are one write (a checksum covers both), and a record is known by LSN and term (V4).
    """
    return Options(
        records=records,
        batch=batch,
        tables=tables,
        ddl=ddl,
        overrules=overrules,
        crashes=crashes,
        checkpoints=0,
        marking=Marking.ATOMIC,
    )


@dataclass(frozen=True)
class BuiltStorage(Storage):
    """A member with `built_options`, and with all of `DIFFERENCES`.

    Rows behind the cursor are *found*: a restart found them, and the redo has not met them yet.
    """

    def recover(self, node: int, durable: Member) -> Member:
        return tidied(restarted(replace(self.options, rollback=False), durable))

    def events(self, state: Member) -> Iterator[Any]:
        for event in super().events(state):
            if event not in NOT_BUILT:
                yield event
        yield Kill()

    def step(self, state: Member, event: Event | Kill) -> Step | None:
        if isinstance(event, Kill):
            found = state._replace(log=state.log.synced())
            return Step(self.recover(0, found), cost="crashes")
        return super().step(state, event)

    def _proposals(self, records: Records) -> Iterator[tuple[Kind, int]]:
        for kind, table in super()._proposals(records):
            if kind is not Kind.DROP:
                yield kind, table

    def _redoing(self, s: Member) -> bool:
        return False

    def _group(self, s: Member, event: Event) -> Step | None:
        step = super()._group(s, event)
        if step is None:
            return None
        assert isinstance(step.state, Member)
        return replace(step, state=tidied(step.state))

    def _merge(self, s: Member) -> Member:
        return super()._merge(s)._replace(undo=False)

    def _write(self, s: Member, event: Event) -> Step | None:
        record = following(s)
        if record is None or not may_write(self.options, s, record):
            return None
        s = tidied(s)
        file = s.files[record.table]
        skipped = record.kind is Kind.ROWS and next(found(s, record.table), None) == record.mark
        if event is not (Own.SKIP if skipped else Own.REDO if s.redo else Own.WRITE):
            return None
        s = s._replace(cursor=record.lsn, redo=s.redo if record.lsn < s.redo else 0)
        if record.kind is Kind.CREATE:
            before, behind = s.tables[: record.table], s.tables[record.table + 1 :]
            return Step(s._replace(tables=(*before, record.mark, *behind)))
        if not skipped:
            file = _cut(file, record.start)
            file = file.written(Data(file.now.rows + record.rows(self.options.batch), record.mark))
        return Step(with_file(s, record.table, file))


def found(s: Member, table: int) -> Iterator[Mark]:
    """The records of a data file that a restart found and the redo has not met, in order."""
    for row in s.files[table].now.rows:
        if row.lsn > s.cursor:
            yield Mark(row.lsn, row.term)


def tidied(s: Member) -> Member:
    """What the log does not have is cut off the end of every data file that is in use (HS-11)."""
    for table, file in enumerate(s.files):
        rows = file.now.rows
        while rows and not has(s.log.now, rows[-1]):
            rows = rows[:-1]
        if s.tables[table] is not None:
            s = with_file(s, table, _cut(file, len(rows)))
    return s


def has(log: Log, row: Row) -> bool:
    """Whether the log has the record of a row; there are no checkpoints."""
    return row.lsn <= log.end and log.record(row.lsn).mark == (row.lsn, row.term)


def _cut(file: Cached[Data], rows: int) -> Cached[Data]:
    """The first rows and no more, with their LSN."""
    kept = file.now.rows[:rows]
    return file.written(Data(kept, Mark(kept[-1].lsn, kept[-1].term) if kept else Mark(0, 0)))


def following(s: Member) -> Record | None:
    """The record that the writer would take next."""
    return s.log.now.record(s.cursor + 1) if s.cursor < s.log.now.end else None


def settles(members: tuple[Member, ...]) -> bool:
    """HS-24, HS-25: all that the leader has is committed, and in the data files."""
    (s,) = members
    return is_repaired(s) and s.commit == len(s.leader)


SETTLES = Property("the member settles", Sort.EVENTUALLY, Scope.TUPLE, settles, ("HS-24", "HS-25"))

_ELSEWHERE = {
    "truncated-is-durable", "published-rows-stay", "a row is published", "the log is truncated",
    "overruled rows are rolled back",
}  # fmt: skip
"""Of checkpoints, subscriptions, and of rolling back as a step of its own."""


def rolls_back(s: Member, event: Any, step: Step) -> bool:
    """Rows that were written ahead are cut off while the member runs."""
    return not isinstance(event, Crash | Kill) and _shrinks(s.files, step)


def cuts_what_it_found(s: Member, event: Any, step: Step) -> bool:
    """A restart finds rows that were written ahead and that the log has lost since."""
    if isinstance(event, Crash):
        return _shrinks(tuple(Cached((data,)) for data in event.files), step)
    return isinstance(event, Kill) and _shrinks(s.files, step)


def _shrinks(before: tuple[Cached[Data], ...], step: Step) -> bool:
    assert isinstance(step.state, Member)
    pairs = zip(before, step.state.files, strict=True)
    return any(len(after.now.rows) < len(file.now.rows) for file, after in pairs)


def _sometimes(options: Options) -> Iterator[Property]:
    kind, scope = Sort.SOMETIMES, Scope.STEP
    if options.overrules and options.has_rows:
        yield Property("overruled rows are cut off", kind, scope, rolls_back)
    if options.overrules and options.crashes and not options.ddl:
        yield Property("rows that were found are cut off", kind, scope, cuts_what_it_found)


def built_storage(options: Options) -> Model:
    """The member as it is built, alone; see `built_options`."""
    member = BuiltStorage(options)
    promises = Promises(options, member.initial(0).tables).properties()
    expected = ["append", "commit", "sync_log", "write", *(["sync"] if options.has_rows else ())]
    if options.overrules:
        expected.append("overrule")
    if options.overrules > 1:
        expected.append("return")
    if options.crashes:
        expected += ["crash", "kill", "redo", "repair", *(["skip"] if options.has_rows else ())]
    return Model(
        name="storage-built",
        actors=(member,),
        network=Fifo(1),
        budgets=(("overrules", options.overrules), ("crashes", options.crashes)),
        properties=(
            *(p for p in promises if p.name not in _ELSEWHERE),
            *_sometimes(options),
            SETTLES,
        ),
        good=(GoodPhase("calm", (member,), (0,), is_calm, (SETTLES.name,)),),
        event_names=event_name,
        expected_events=tuple(expected),
        parameters=tuple((name, getattr(options, name)) for name in options.__dataclass_fields__),
    )
