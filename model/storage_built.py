"""One member's disk as it is built: what recovery of the log and of the data files is held against.

It is the storage model with the switches that the implementation has, and where the implementation
chooses otherwise, the choice: exploring it shows that no promise depends on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .actor import Fifo, GoodPhase, Model, Property, Scope, Step
from .actor import Kind as Sort
from .properties.storage import Promises, is_repaired
from .storage import Storage
from .storage_group import event_name, is_calm
from .storage_rules import Identity, Marking, Options, Write, is_synced, restarted
from .storage_types import Event, Kind, Member, Own, Record, Records


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
        "The log is never truncated: what the data files lack is always redone "
        "(model: checkpoints).",
    ),
    Difference(
        "no-drop",
        "Tables are created and never dropped (model: drops, too).",
    ),
    Difference(
        "publishes-nothing",
        "There are no subscriptions (model: subscribers get the rows that are committed).",
    ),
    Difference(
        "written-when-committed-and-synced",
        "Here a record waits for its commit and for the own log's sync before it goes into a data "
        "file (model: for one of them; a switch says which). That members write rows ahead of the "
        "commit, and roll them back, has tests of its own and is in the plain model.",
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

    Rows and LSN are one write (a checksum covers both), and a record is skipped iff its LSN is at
    most the file's (V4); LSNs alone are enough, since committed records are never overruled.
    """
    return Options(
        records=records,
        batch=batch,
        tables=tables,
        ddl=ddl,
        overrules=overrules,
        crashes=crashes,
        checkpoints=0,
        identity=Identity.LSN,
        start_row=False,
        marking=Marking.ATOMIC,
        write=Write.COMMITTED,
        rollback=False,
    )


@dataclass(frozen=True)
class BuiltStorage(Storage):
    """A member with `built_options`, and with all of `DIFFERENCES`."""

    def events(self, state: Member) -> Iterator[Any]:
        for event in super().events(state):
            if event not in NOT_BUILT:
                yield event
        yield Kill()

    def step(self, state: Member, event: Event | Kill) -> Step | None:
        if isinstance(event, Kill):
            found = state._replace(log=state.log.synced())
            return Step(restarted(self.options, found), cost="crashes")
        return super().step(state, event)

    def _proposals(self, records: Records) -> Iterator[tuple[Kind, int]]:
        for kind, table in super()._proposals(records):
            if kind is not Kind.DROP:
                yield kind, table

    def _redoing(self, s: Member) -> bool:
        return False

    def _write(self, s: Member, event: Event) -> Step | None:
        record = following(s)
        if record is None or not is_synced(s, record):
            return None
        step = super()._write(s, event)
        if step is None or record.kind is Kind.ROWS:
            return step
        after = step.state
        assert isinstance(after, Member)
        return Step(after._replace(files=s.files))


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
}  # fmt: skip
"""Of checkpoints and subscriptions, which are not built."""


def built_storage(options: Options) -> Model:
    """The member as it is built, alone; see `built_options`."""
    member = BuiltStorage(options)
    promises = Promises(options, member.initial(0).tables).properties()
    expected = ["append", "commit", "sync_log", "write", "sync"]
    if options.overrules:
        expected.append("overrule")
    if options.overrules > 1:
        expected.append("return")
    if options.crashes:
        expected += ["crash", "kill", "redo", "repair", "skip"]
    return Model(
        name="storage-built",
        actors=(member,),
        network=Fifo(1),
        budgets=(("overrules", options.overrules), ("crashes", options.crashes)),
        properties=(*(p for p in promises if p.name not in _ELSEWHERE), SETTLES),
        good=(GoodPhase("calm", (member,), (0,), is_calm, (SETTLES.name,)),),
        event_names=event_name,
        expected_events=tuple(expected),
        parameters=tuple((name, getattr(options, name)) for name in options.__dataclass_fields__),
    )
