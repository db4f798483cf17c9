"""How a member may keep its tables: the bounds of the model, its switches, and what they decide.

Every switch has the value that semantics.md §6 recommends as its default; the others are what a
document says when it is taken by the letter, or what a programmer might think is enough.
"""

from dataclasses import dataclass
from enum import StrEnum

from .storage_types import Cached, Data, Kind, Log, Mark, Member, Record, after


class Redo(StrEnum):
    """V4: a record is not redone if its LSN is below the file's, or at most the file's."""

    BELOW = "below"
    UPTO = "upto"


class Identity(StrEnum):
    """How a record is compared with a file's LSN.

    By LSN; by term, then LSN; or by whether the log has the very record that the file names.
    """

    LSN = "lsn"
    ORDER = "order"
    MATCH = "match"


class Write(StrEnum):
    """V2: rows are written when the record arrives, when it is synced, or when it is committed."""

    RECEIVED = "received"
    LOGGED = "logged"
    COMMITTED = "committed"


class Marking(StrEnum):
    """How a file's LSN relates to its rows.

    ATOMIC: one write. ORDERED: a second write, which the disk never does first. LOOSE: a second
    write. SYNCED: a second write, once the rows are synced.
    """

    ATOMIC = "atomic"
    ORDERED = "ordered"
    LOOSE = "loose"
    SYNCED = "synced"


class Publish(StrEnum):
    """HS-12: subscribers get what is written, or what is committed."""

    WRITTEN = "written"
    COMMITTED = "committed"


class Truncate(StrEnum):
    """V5: a checkpoint drops records whose rows are written, or whose rows are synced."""

    WRITTEN = "written"
    SYNCED = "synced"


class Schemas(StrEnum):
    """D7: where schemas are: in the records of the log alone, or in its checkpoint as well."""

    LOG = "log"
    CHECKPOINT = "checkpoint"


class Definitions(StrEnum):
    """When a table is created or dropped: as rows are written, committed, or synced as well."""

    EARLY = "early"
    COMMITTED = "committed"
    SYNCED = "synced"


@dataclass(frozen=True)
class Options:
    """Bounds (how many of each), then switches.

    `batch`: rows of a record. `ddl`: records that create or drop a table; with none, all tables
    exist from the start. `start_row`: a record's rows go to the offset that the record carries, and
    what lies behind it is cut off; else they go to the end of the file. `rollback`: rows of records
    that were overruled are cut off before anything else is written, and at a restart all that the
    file's LSN or the log does not account for. `lower_first`: a file's LSN is lowered, and that is
    synced, before rows are cut off.
    """

    records: int = 2
    batch: int = 1
    tables: int = 1
    ddl: int = 0
    overrules: int = 1
    crashes: int = 1
    checkpoints: int = 1
    redo: Redo = Redo.UPTO
    identity: Identity = Identity.MATCH
    start_row: bool = True
    marking: Marking = Marking.SYNCED
    write: Write = Write.LOGGED
    rollback: bool = True
    publish: Publish = Publish.COMMITTED
    truncate: Truncate = Truncate.SYNCED
    schemas: Schemas = Schemas.CHECKPOINT
    definitions: Definitions = Definitions.SYNCED
    lower_first: bool = True

    @property
    def has_rows(self) -> bool:
        """Whether a record can have any: the first one, with DDL, creates the table."""
        return self.records > 1 or not self.ddl

    @property
    def atomic(self) -> bool:
        """Whether rows and LSN of a file are one write."""
        return self.marking is Marking.ATOMIC

    @property
    def apart(self) -> bool:
        """Whether rows and LSN of a file may survive without each other."""
        return self.marking in (Marking.LOOSE, Marking.SYNCED)


def may_write(options: Options, s: Member, record: Record) -> bool:
    """V2, V3: whether a record may go into the data files now.

    A drop cannot be rolled back, so that it waits for more.
    """
    if record.kind is not Kind.ROWS and options.definitions is not Definitions.EARLY:
        synced = options.definitions is Definitions.COMMITTED or is_synced(s, record)
        return record.lsn <= s.commit and synced
    match options.write:
        case Write.RECEIVED:
            return True
        case Write.LOGGED:
            return is_synced(s, record)
        case Write.COMMITTED:
            return record.lsn <= s.commit


def is_synced(s: Member, record: Record) -> bool:
    """Whether the log has the record whatever a power failure leaves of it."""
    return all(holds(image, record) for image in s.log.images)


def holds(log: Log, record: Record) -> bool:
    """Whether this image of the log has the record, or a checkpoint that covers it."""
    return record.lsn <= log.base or (record.lsn <= log.end and log.record(record.lsn) == record)


def knows(options: Options, log: Log, mark: Mark) -> bool:
    """Whether the log accounts for what a file says it holds."""
    match options.identity:
        case Identity.LSN:
            return mark.lsn <= log.end
        case Identity.ORDER:
            newest = max((r.mark for r in log.records), key=_age, default=None)
            return mark.lsn <= log.base or (newest is not None and _age(mark) <= _age(newest))
        case Identity.MATCH:
            within = mark.lsn <= log.end
            return mark.lsn <= log.base or (within and log.record(mark.lsn).mark == mark)


def skips(options: Options, log: Log, file: Mark, record: Record) -> bool:
    """D4: whether the record is in the file already, judged by the file's LSN."""
    match options.identity:
        case Identity.LSN:
            mine, theirs = (record.lsn, 0), (file.lsn, 0)
        case Identity.ORDER:
            mine, theirs = _age(record.mark), _age(file)
        case Identity.MATCH:
            if not knows(options, log, file):
                return False
            mine, theirs = (record.lsn, 0), (file.lsn, 0)
    return mine < theirs if options.redo is Redo.BELOW else mine <= theirs


def _age(mark: Mark) -> tuple[int, int]:
    """Raft's order of records: by term, then by LSN."""
    return (mark.term, mark.lsn)


def write_record(options: Options, file: Cached[Data], record: Record) -> Cached[Data]:
    """The record's effect on its table's file; its LSN too, where that is the same write.

    A table's file is created, and deleted, in one step that is on the disk when it returns.
    """
    data = file.now
    if record.kind is not Kind.ROWS:
        return Cached((Data((), record.mark),))
    rows = data.rows[: record.start] if options.start_row else data.rows
    added = record.rows(options.batch)
    if options.atomic:
        return file.written(Data(rows + added, record.mark))
    for n in range(len(added) + 1):
        file = file.written(Data(rows + added[:n], data.mark))
    return file


def may_mark(options: Options, file: Cached[Data]) -> bool:
    """Whether the file's LSN may follow what was written to it."""
    return options.marking is not Marking.SYNCED or len({i.rows for i in file.images}) == 1


def cut(options: Options, file: Cached[Data], rows: int, mark: Mark) -> Cached[Data]:
    """Roll a file back to its first `rows` rows and a lower LSN: the LSN first."""
    data = file.now
    short = Data(data.rows[:rows], mark)
    if options.atomic:
        return file.written(short)
    if options.marking is Marking.SYNCED and options.lower_first:
        lowered = dict.fromkeys(Data(image.rows, mark) for image in file.images)
        return Cached(tuple(lowered)).written(short)
    return file.written(Data(data.rows, mark)).written(short)


def roll_back(options: Options, s: Member) -> Member:
    """HS-11: cut off what was overruled: all that the writer put behind `cursor`."""
    kept = after(s.log.now, s.cursor, options.batch)
    files = tuple(
        cut(options, file, table.rows, min(table.mark, file.now.mark, key=lambda m: m.lsn))
        for file, table in zip(s.files, kept, strict=True)
    )
    return s._replace(files=files, undo=False, tables=tuple(table.schema for table in kept))


def restarted(options: Options, s: Member) -> Member:
    """What a restart makes of a disk: memory is gone, the log decides what has to be redone.

    Promises HS-9, HS-11, HS-18 speak of the state that the redo ends in.
    """
    log, files = s.log.now, s.files
    if options.rollback:
        files = tuple(_vouched(options, log, table, file) for table, file in enumerate(files))
    remembered = options.schemas is Schemas.CHECKPOINT or not log.base
    return s._replace(
        files=files, commit=log.base, cursor=log.base, redo=log.end if log.records else 0,
        undo=False, due=None, tables=tuple(k.schema if remembered else None for k in log.kept),
    )  # fmt: skip


def _vouched(options: Options, log: Log, table: int, file: Cached[Data]) -> Cached[Data]:
    """Cut off what the file's LSN does not account for; all after the checkpoint, if the log does
    not have the record that it names.
    """
    mark = file.now.mark
    if knows(options, log, mark):
        return cut(options, file, after(log, mark.lsn, options.batch)[table].rows, mark)
    return cut(options, file, log.kept[table].rows, log.kept[table].mark)
