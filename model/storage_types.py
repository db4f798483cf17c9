"""The nouns of the storage model: records, rows, the log and the data files of one member.

A record is known by its LSN and its term, printed `lsn.term`; so are its rows (`2.1` is the row of
record 2 of term 1, `2.1+1` the next one of the same batch). Raft promises that two records with
equal LSN and term are equal, and all before them too.

A file that was written to and not synced may be found, after a power failure, as it was after any
of those writes: it is the sequence of its `images`. The first is on the disk for certain, the last
is what the member sees. They are printed `first ⇢ … ⇢ last`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Generic, NamedTuple, TypeVar

Image = TypeVar("Image")

TABLE_NAMES = "abc"


class Kind(StrEnum):
    """What a record says: rows for a table, a new table, or the end of one (S4 §4)."""

    ROWS = "rows"
    CREATE = "create"
    DROP = "drop"


class Mark(NamedTuple):
    """Which record: its LSN and its term. In a data file: the newest one that modified it."""

    lsn: int
    term: int

    def __str__(self) -> str:
        return f"{self.lsn}.{self.term}"


class Row(NamedTuple):
    """A row is known by its record and its place in the record's batch."""

    lsn: int
    term: int
    nth: int

    def __str__(self) -> str:
        return f"{self.lsn}.{self.term}" + (f"+{self.nth}" if self.nth else "")


Rows = tuple[Row, ...]


class Record(NamedTuple):
    """One record of the Raft log. `start`: the offset of its first row in its table."""

    lsn: int
    term: int
    kind: Kind
    table: int
    start: int

    @property
    def mark(self) -> Mark:
        return Mark(self.lsn, self.term)

    def rows(self, batch: int) -> Rows:
        """The rows it adds, if it is of that kind."""
        return tuple(Row(self.lsn, self.term, nth) for nth in range(batch))

    def __str__(self) -> str:
        return f"{self.mark} {self.kind} {TABLE_NAMES[self.table]}"


Records = tuple[Record, ...]


class Kept(NamedTuple):
    """A table after some record: its schema (None: no such table), its rows, who changed it last.

    The schema is named by the record that created the table.
    """

    schema: Mark | None
    rows: int
    mark: Mark


class Log(NamedTuple):
    """The Raft log on disk: a checkpoint of the records up to `base`, and the records after it."""

    base: int
    kept: tuple[Kept, ...]
    records: Records

    @property
    def end(self) -> int:
        return self.base + len(self.records)

    def record(self, lsn: int) -> Record:
        return self.records[lsn - self.base - 1]

    def __str__(self) -> str:
        records = ", ".join(map(str, self.records))
        return f"checkpoint at {self.base} [{records}]" if self.base else f"[{records}]"


class Data(NamedTuple):
    """A data file: the rows of one table, and the file's LSN (D3)."""

    rows: Rows
    mark: Mark

    def __str__(self) -> str:
        return "[" + ", ".join(map(str, self.rows)) + f"] LSN {self.mark}"


class Cached(NamedTuple, Generic[Image]):
    """A file: what it may be found to be after a power failure, oldest first."""

    images: tuple[Image, ...]

    @property
    def now(self) -> Image:
        return self.images[-1]

    @property
    def settled(self) -> bool:
        return len(self.images) == 1

    def written(self, image: Image) -> "Cached[Image]":
        return self if image == self.now else Cached((*self.images, image))

    def synced(self) -> "Cached[Image]":
        return Cached((self.now,))

    def __str__(self) -> str:
        return " ⇢ ".join(map(str, self.images))


class Member(NamedTuple):
    """One member and what it needs to know of its group.

    The group: the log of the current leader, that of the leader before it (who may come back), the
    current term, and how much is committed. The disk: the log and the data files. Memory: the
    commit index, `cursor` (the writer is done with records up to it), `redo` (where the redo after
    a restart ends; 0 when it is over), `undo` (rows of overruled records are to be cut off), `due`
    (this record's rows are written and the file's LSN is not), the schemas of the tables. Outside:
    which rows subscribers have received.
    """

    leader: Records
    rival: Records
    term: int
    agreed: int
    log: Cached[Log]
    files: tuple[Cached[Data], ...]
    commit: int
    cursor: int
    redo: int
    undo: bool
    due: Record | None
    tables: tuple[Mark | None, ...]
    published: frozenset[Row]


class Own(Enum):
    """Events of the member itself, but for writes of data files; and what the group does."""

    REPAIR = "receives the leader's log"
    COMMIT = "learns that one more record is committed"
    SYNC_LOG = "syncs the log"
    WRITE = "writes a record into the data files"
    REDO = "redoes a record"
    SKIP = "skips a record: it is in the data file"
    MARK = "updates the data file's LSN"
    ROLL_BACK = "rolls overruled rows back"
    CHECKPOINT = "checkpoints: truncates the log"
    PUBLISH = "publishes"


@dataclass(frozen=True, slots=True)
class Append:
    """The leader logs a new record, and this member receives it."""

    kind: Kind
    table: int

    def __str__(self) -> str:
        return f"receives a new record: {self.kind} {TABLE_NAMES[self.table]}"


@dataclass(frozen=True, slots=True)
class Overrule:
    """A new leader does not know the records from `lsn` on, and logs another one there."""

    lsn: int
    kind: Kind
    table: int

    def __str__(self) -> str:
        other = f"{self.kind} {TABLE_NAMES[self.table]}"
        return f"follows a new leader, which overrules from record {self.lsn} on with {other}"


@dataclass(frozen=True, slots=True)
class Return:
    """The leader before the current one is elected again, with its old log (Raft's Figure 8)."""

    def __str__(self) -> str:
        return "follows the former leader, elected again with its old log"


@dataclass(frozen=True, slots=True)
class Sync:
    """The data file of a table reaches the disk."""

    table: int

    def __str__(self) -> str:
        return f"syncs data file {TABLE_NAMES[self.table]}"


@dataclass(frozen=True, slots=True)
class Crash:
    """Power fails and comes back: this is found on the disk."""

    log: Log
    files: tuple[Data, ...]

    def __str__(self) -> str:
        files = ", ".join(
            f"{name} {data}" for name, data in zip(TABLE_NAMES, self.files, strict=False)
        )
        return f"loses power and restarts; on disk: log {self.log}, data {files}"


Event = Own | Append | Overrule | Return | Sync | Crash


def after(log: Log, lsn: int, batch: int) -> tuple[Kept, ...]:
    """The tables as the log says they are after record `lsn`, from its checkpoint on."""
    tables = list(log.kept)
    for record in log.records[: max(0, lsn - log.base)]:
        old = tables[record.table]
        match record.kind:
            case Kind.ROWS:
                new = Kept(old.schema, old.rows + batch, record.mark)
            case Kind.CREATE:
                new = Kept(record.mark, 0, record.mark)
            case Kind.DROP:
                new = Kept(None, 0, record.mark)
        tables[record.table] = new
    return tuple(tables)


def fold(records: Records, table: int, batch: int) -> Rows:
    """The rows of a table after these records."""
    rows: Rows = ()
    for record in records:
        if record.table == table:
            rows = rows + record.rows(batch) if record.kind is Kind.ROWS else ()
    return rows


def common(log: Log, records: Records) -> int:
    """Up to which LSN the log and a leader's records agree; a checkpoint always agrees."""
    at = log.base
    for mine, theirs in zip(log.records, records[log.base :], strict=False):
        if mine != theirs:
            break
        at += 1
    return at


def whole(log: Log, leader: Records) -> Records:
    """All records, those below the checkpoint too: a leader has them, as they are committed."""
    return leader[: log.base] + log.records


def outcomes(file: Cached[Data], *, apart: bool) -> Iterator[Data]:
    """What a power failure may leave of a data file; `apart`: rows and LSN each on their own."""
    if not apart:
        yield from dict.fromkeys(file.images)
        return
    rows = dict.fromkeys(data.rows for data in file.images)
    marks = dict.fromkeys(data.mark for data in file.images)
    yield from (Data(r, m) for r in rows for m in marks)
