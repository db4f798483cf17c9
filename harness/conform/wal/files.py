"""Real tables over real data files in a state of the model: how they get there, and their steps."""

import posixpath
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ....impl.client.errors import RequestError
from ....impl.raft.applier import Applier
from ....impl.raft.core import Core
from ....impl.raft.debts import Debts, Proposal
from ....impl.raft.messages import Entry, HardState
from ....impl.stream.datafile import DataFiles
from ....impl.stream.tables import Tables
from ....impl.stream.writer import Writer
from ....model.storage_types import (
    TABLE_NAMES,
    Data,
    Kind,
    Mark,
    Member,
    Record,
    Records,
    Row,
    Rows,
)
from .disk import Cut, ImageDisk, Put
from .words import entry_of, rows_of

FOLDER = "/data"
DATA_FILE = "data0.log"
BEFORE = 0
"""The LSN of creations that the model does not log: of tables that are there from the start."""


class Files(NamedTuple):
    """What a member has made of its log, in a state of the model.

    `log`: all of it; the writer is done with `cursor` records, and `commit` are committed. `images`
    of every data file.
    """

    log: Records
    images: tuple[tuple[Data, ...], ...]
    cursor: int
    commit: int


def files_of(s: Member) -> Files:
    """What of a state of the model the tables and the data files know."""
    images = tuple(file.images for file in s.files)
    return Files(s.log.now.records, images, s.cursor, s.commit)


class World(NamedTuple):
    """What all tables have in common. `logged`: the log creates them; else they are there."""

    tables: int
    batch: int
    logged: bool
    bugs: frozenset[str]


class LiveFiles:
    """Tables in use, by a writer that makes one step of an `Applier` at a time."""

    def __init__(self, world: World, disk: ImageDisk, log: Records = ()) -> None:
        """Tables as after a start, beside that log. Raises DataFileError."""
        self.world = world
        self.disk = disk
        self._log = log
        self.tables = Tables(disk, FOLDER, bugs=world.bugs)
        if not world.logged:
            for table in range(world.tables):
                self.tables.apply(BEFORE, self._entry(Record(BEFORE, 0, Kind.CREATE, table, 0)))
        self._roll_back()

    def follow(self, log: Records) -> None:
        """The log is another one now."""
        self._log = log
        self._roll_back()

    def commit(self, lsn: int) -> None:
        """The record is committed."""
        self._roll_back()
        if lsn <= self.written:
            self.tables.apply(lsn, self._entry(self._log[lsn - 1]))
            self.tables.flush()

    def write(self, record: Record, commit: int) -> None:
        """Write, redo or skip: the member does not know which. Raises DataFileError."""
        self._roll_back()
        assert record.lsn == self.written + 1
        entry = self._entry(record)
        if record.lsn <= commit:
            self.tables.apply(record.lsn, entry)
        else:
            assert self.tables.write_ahead(record.lsn, entry), "a record that has to wait"
        self.tables.flush()

    def turn(self, durable: int, commit: int) -> None:
        """All that the writer may do now, as the member itself decides it."""
        term = max((record.term for record in self._log), default=0)
        core = Core.recover("n1", ("n1",), HardState(term), map(self._entry, self._log))
        core.log.durable = durable
        core.log.commit_to(commit)
        applier = Applier(core, self.tables, Debts(), _Owner(Writer(core, self.tables)))
        applier.apply()
        # What the first turn has created is looked at in the next one.
        applier.apply()

    def sync(self, table: int) -> None:
        """The kernel gets round to it."""
        path = path_in(self.disk, table)
        inode = self.disk.files.get(path)
        if inode is not None:
            inode.sync()
            self.disk.sync_folder(posixpath.dirname(path))

    @property
    def written(self) -> int:
        """The last record that is in the data files, as far as the member knows."""
        return max(self.tables.applied.index, self.tables.written_ahead)

    def rows(self) -> tuple[int | None, ...]:
        """How many rows of each table can be read; None: no such table."""
        there = self.tables.summary()
        names = TABLE_NAMES[: self.world.tables]
        return tuple(there[name]["rows"] if name in there else None for name in names)

    def _entry(self, record: Record) -> Entry:
        return entry_of(record, self.world.batch, made=made_by(self._log, record.table))

    def _roll_back(self) -> None:
        self.tables.roll_back(self._holds)

    def _holds(self, lsn: int, term: int) -> bool:
        return lsn <= len(self._log) and self._log[lsn - 1].term == term


class _Owner:
    """Of a group that has nothing but its tables: an `Owner`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def status(self) -> dict[str, Any]:
        return {}

    def logged(self, proposals: Sequence[Proposal]) -> None:
        """Nobody proposes anything."""

    def applying(self) -> None:
        self._writer.roll_back()

    def applied(self, entry: Entry) -> None:
        """Nobody reads."""

    def level(self, index: int) -> None:
        self._writer.write(index)

    def advanced(self) -> None:
        """Nobody subscribes."""

    def changed_role(self) -> None:
        """There are no roles."""

    def stood_down(self, error: RequestError) -> None:
        """There are no roles."""

    def closed(self) -> None:
        """Nothing is open."""


def made_by(log: Records, table: int) -> int:
    """The LSN of the record that creates a table: its id."""
    lsns = (r.lsn for r in log if r.kind is Kind.CREATE and r.table == table)
    return next(lsns, BEFORE)


def path_of(table: int, made: int) -> str:
    """The data file of a table with that id."""
    return f"{FOLDER}/{TABLE_NAMES[table]}.{made}/{DATA_FILE}"


def path_in(disk: ImageDisk, table: int) -> str:
    """The data file of a table, whatever its id; as of one that was there before, if it is not."""
    begin = f"{FOLDER}/{TABLE_NAMES[table]}."
    found = (p for p in disk.files if p.startswith(begin) and p.endswith(DATA_FILE))
    return next(found, path_of(table, BEFORE))


def restarted(files: Files, world: World) -> LiveFiles:
    """Tables in this state, which a restart has found on the disk: the oldest images are durable.

    The bytes are those that the implementation writes; that it writes them is seen elsewhere.
    """
    paths = [path_of(table, made_by(files.log, table)) for table in range(world.tables)]
    contents = [[content_of(image.rows) for image in images] for images in files.images]
    named = zip(paths, contents, strict=True)
    disk = ImageDisk(tuple((path, images[0]) for path, images in named if images[0]))
    for path, images in zip(paths, contents, strict=True):
        if len(images) > 1:
            _write(disk, path, images)
    live = LiveFiles(world, disk, files.log)
    for record in files.log[: files.cursor]:
        live.write(record, files.commit)
    return live


def _write(disk: ImageDisk, path: str, contents: Sequence[bytes]) -> None:
    disk.open(path)
    inode = disk.files[path]
    for content in contents[1:]:
        now = bytes(inode.now)
        if content.startswith(now):
            inode.write(Put(len(now), content[len(now) :]))
        else:
            assert now.startswith(content)
            inode.write(Cut(len(content)))


_contents: dict[Rows, bytes] = {}


def content_of(rows: Rows) -> bytes:
    """What a data file has for these rows."""
    if rows not in _contents:
        disk = ImageDisk()
        files = DataFiles(disk, FOLDER)
        for mark, batch in _batches(rows):
            start = files.rows
            files.write(*mark, start, len(batch), memoryview(rows_of(*mark, start)))
        files.flush()
        _contents[rows] = disk.read(posixpath.join(FOLDER, DATA_FILE)) or b""
    return _contents[rows]


def _batches(rows: Iterable[Row]) -> Iterable[tuple[Mark, list[Row]]]:
    for mark, batch in groupby(rows, key=lambda row: Mark(row.lsn, row.term)):
        yield mark, list(batch)
