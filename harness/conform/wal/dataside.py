"""The data files' side: real tables over real data files, put into states and stepped."""

import posixpath
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ....impl.stream.datafile import DataFiles
from ....impl.stream.record import HEADER
from ....impl.stream.record import Record as Batch
from ....impl.stream.tables import Tables
from ....model.storage_types import TABLE_NAMES, Data, Kind, Mark, Member, Record, Records, Row
from .disk import ImageDisk
from .words import REFUSALS, entry_of, told

FOLDER = "/data"
DATA_FILE = "data0.log"
BEFORE = 0
"""The LSN of creations that the model does not log: of tables that are there from the start."""


class Files(NamedTuple):
    """What the data files are made of, in a state of the model.

    `records`: the group's log as far as the files or the writer have got; `images` of every file;
    `cursor`: the writer is done with the records up to it. `reopened`: since a restart.
    """

    records: Records
    images: tuple[tuple[Data, ...], ...]
    cursor: int
    reopened: bool


class Seen(NamedTuple):
    """What the files may be found to be, and the rows that can be read of each table there is."""

    images: tuple[tuple[Data | str, ...], ...] = ()
    rows: tuple[int | None, ...] = ()
    wrong: tuple[str, object, object] | None = None


def files_of(s: Member, *, reopened: bool) -> Files:
    """What of a state of the model is in its data files."""
    newest = max(s.cursor, *(file.now.mark.lsn for file in s.files))
    images = tuple(file.images for file in s.files)
    return Files(s.leader[:newest], images, s.cursor, reopened)


def may_be_live(s: Member) -> bool:
    """Whether the writer itself can have written the files, with no restart since."""
    return all(file.now.mark.lsn <= s.cursor for file in s.files)


class LiveFiles:
    """Tables in use."""

    def __init__(self, disk: ImageDisk, tables: int, batch: int, *, logged: bool) -> None:
        """Tables as after a start. `logged`: the log creates them; else they are there."""
        self.disk = disk
        self._batch = batch
        self._count = tables
        self._made: dict[int, int] = {}
        self.tables = Tables(disk, FOLDER)
        if not logged:
            for table in range(tables):
                self.apply(Record(BEFORE, 0, Kind.CREATE, table, 0))

    def apply(self, *records: Record) -> None:
        """Write, redo or skip: the member does not know which. Raises DataFileError."""
        for record in records:
            if record.kind is Kind.CREATE:
                self._made[record.table] = record.lsn
            entry = entry_of(record, self._batch, made=self._made.get(record.table, BEFORE))
            self.tables.apply(record.lsn, entry)
        self.tables.flush()

    def sync(self, table: int) -> None:
        """The kernel gets round to it."""
        path = path_in(self.disk, table)
        inode = self.disk.files.get(path)
        if inode is not None:
            inode.sync()
            self.disk.sync_folder(posixpath.dirname(path))

    def rows(self) -> tuple[int | None, ...]:
        """How many rows of each table can be read; None: no such table."""
        there = self.tables.summary()
        names = TABLE_NAMES[: self._count]
        return tuple(there[name]["rows"] if name in there else None for name in names)


def path_in(disk: ImageDisk, table: int) -> str:
    """The data file of a table, whatever its id; as of one that was there before, if it is not."""
    begin = f"{FOLDER}/{TABLE_NAMES[table]}."
    found = (p for p in disk.files if p.startswith(begin) and p.endswith(DATA_FILE))
    return next(found, f"{begin}{BEFORE}/{DATA_FILE}")


def concretize(files: Files, tables: int, batch: int, *, logged: bool) -> LiveFiles:
    """Tables and data files in this state: the first images are durable, the rest is not."""
    live = LiveFiles(ImageDisk(), tables, batch, logged=logged)
    for record in files.records:
        images = files.images[record.table]
        created = record.kind is Kind.CREATE
        if created and (record.lsn <= files.cursor or images[-1].mark.lsn):
            live.apply(record)
        if not created and record.lsn <= images[-1].mark.lsn:
            live.apply(record)
            if record.mark == images[0].mark:
                live.sync(record.table)
    if files.reopened:
        live.tables.close()
        live = LiveFiles(live.disk, tables, batch, logged=logged)
        live.apply(*files.records[: files.cursor])
    return live


Go = Callable[[LiveFiles], LiveFiles | Seen | None]
"""What happens to the files: nothing but to them; a restart, which gives others; or all is seen."""


class FileSide:
    """Steps of the data files, each tried once however many states of the member share it."""

    def __init__(self, tables: int, batch: int, *, logged: bool) -> None:
        self._tables = tables
        self._batch = batch
        self._logged = logged
        self._known: dict[tuple[object, ...], Seen] = {}
        self._found: dict[tuple[int, bytes], Data | str] = {}

    @property
    def steps(self) -> int:
        """How many steps the implementation has made, recoveries included."""
        return len(self._known) + len(self._found)

    def stay(self, files: Files) -> Seen:
        """Nothing happens: abstract(concretize(state))."""
        return self._once(("stay", files), lambda live: None)

    def write(self, files: Files, *records: Record) -> Seen:
        """The writer takes the next records, and puts them into the files at once."""
        return self._once(("write", files, records), lambda live: live.apply(*records))

    def sync(self, files: Files, table: int) -> Seen:
        """A data file reaches the disk."""
        return self._once(("sync", files, table), lambda live: live.sync(table))

    def kill(self, files: Files) -> Seen:
        """The process is killed and started again."""
        return self._once(("kill", files), lambda live: self._start(live.disk))

    def crash(self, files: Files, targets: Sequence[Data]) -> Seen:
        """Power fails and leaves these: of each file, some beginning of the bytes does."""

        def go(live: LiveFiles) -> LiveFiles:
            return self._start(self.left(live.disk, targets))

        return self._once(("crash", files, tuple(targets)), go)

    def lose_tails(self, files: Files) -> Seen:
        """Power fails, and files have their new lengths, but zeros for what did not arrive."""

        def go(live: LiveFiles) -> Seen:
            for table, images in enumerate(files.images):
                for left in live.disk.only(path_in(live.disk, table)).zero_tails():
                    data = self.found(table, left[0][1])
                    if data not in images:
                        return Seen(wrong=("left by a crash", images, data))
            return Seen(self.images(live.disk), live.rows())

        return self._once(("zeros", files), go)

    def left(self, disk: ImageDisk, targets: Sequence[Data]) -> ImageDisk:
        """What a power failure leaves that the files are these: as many bytes as can be."""
        left = []
        for table, target in enumerate(targets):
            content = self._content(disk, table, target)
            if content is not None:
                left.append((path_in(disk, table), content))
        return ImageDisk(tuple(left))

    def _start(self, disk: ImageDisk) -> LiveFiles:
        return LiveFiles(disk, self._tables, self._batch, logged=self._logged)

    def _once(self, key: tuple[object, ...], go: Go) -> Seen:
        if key not in self._known:
            self._known[key] = self._try(key, go)
        return self._known[key]

    def _try(self, key: tuple[object, ...], go: Go) -> Seen:
        event, files = key[:2]
        assert isinstance(files, Files)
        try:
            live = concretize(files, self._tables, self._batch, logged=self._logged)
            if event != "stay":
                stayed = self.stay(files)
                if stayed.images != files.images:
                    wrong = "abstract(concretize(state))", files.images, stayed.images
                    return stayed._replace(wrong=wrong)
            after = go(live)
            if isinstance(after, Seen):
                return after
            live = after or live
            return Seen(self.images(live.disk), live.rows())
        except REFUSALS as error:
            told_as = f"{type(error).__name__}: {error}"
            return Seen(wrong=("refusal", "a step", told_as))

    def images(self, disk: ImageDisk) -> tuple[tuple[Data | str, ...], ...]:
        """What a power cut may leave of every file, the oldest first."""
        found = []
        for table in range(self._tables):
            images: list[Data | str] = []
            for content in self._contents(disk, table):
                data = self.found(table, content)
                if not images or images[-1] != data:
                    images.append(data)
            found.append(tuple(images))
        return tuple(found)

    def _contents(self, disk: ImageDisk, table: int) -> list[bytes]:
        """Every beginning of the bytes of one file, none for a file that is not there."""
        alone = disk.only(path_in(disk, table))
        return [left[0][1] if left else b"" for left in alone.beginnings()]

    def _content(self, disk: ImageDisk, table: int, target: Data) -> bytes | None:
        """The longest beginning of a file's bytes that is this image, torn behind it."""
        if path_in(disk, table) not in disk.files:
            return None
        fits = [c for c in self._contents(disk, table) if self.found(table, c) == target]
        return fits[-1] if fits else b""

    def found(self, table: int, content: bytes) -> Data | str:
        """What a data file is found to be that has this content; else what is wrong with it."""
        key = (table, content)
        if key not in self._found:
            self._found[key] = self._recovered(
                ImageDisk(((path_in(ImageDisk(), table), content),)), table
            )
        return self._found[key]

    def _recovered(self, disk: ImageDisk, table: int) -> Data | str:
        path = path_in(disk, table)
        try:
            files = DataFiles(disk, posixpath.dirname(path))
            files.close()
            return self._told(disk.read(path) or b"", Mark(files.lsn, files.term))
        except REFUSALS as error:
            return f"{type(error).__name__}: {error}"

    def _told(self, content: bytes, its_mark: Mark) -> Data | str:
        """What a repaired file says, of which all has to be whole. Raises NotARecordError."""
        rows: list[Row] = []
        mark = Mark(0, 0)
        at = 0
        while at < len(content):
            if len(content) < at + HEADER.size:
                return f"{len(content) - at} bytes that are no record, at {at}"
            batch = Batch(*HEADER.unpack_from(content, at))
            at += HEADER.size
            lsn, term, start = told(content[at : at + batch.body_bytes])
            at += batch.body_bytes
            if (lsn, term) != (batch.lsn, batch.term):
                return f"record {lsn}.{term} stands as {batch}"
            if batch.start != len(rows) or start != batch.start:
                return f"record {lsn}.{term} from row {start} on stands as {batch}"
            rows += (Row(lsn, term, n) for n in range(batch.rows))
            mark = Mark(lsn, term)
        if its_mark != mark:
            return f"LSN {its_mark}, where the rows end with {mark}"
        return Data(tuple(rows), mark)
