"""The data files' side: real tables over real data files, put into states and stepped."""

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ....impl.stream.datafile import DataFiles
from ....impl.stream.record import HEADER
from ....impl.stream.record import Record as Batch
from ....model.storage_built import Kill
from ....model.storage_types import (
    Append,
    Crash,
    Data,
    Event,
    Mark,
    Overrule,
    Own,
    Records,
    Return,
    Row,
    Sync,
)
from .disk import ImageDisk
from .files import Files, LiveFiles, World, path_in, restarted
from .words import REFUSALS, told


class Seen(NamedTuple):
    """What the files may be found to be, and the rows that can be read of each table there is."""

    images: tuple[tuple[Data | str, ...], ...] = ()
    rows: tuple[int | None, ...] = ()
    wrong: tuple[str, object, object] | None = None


class Step(NamedTuple):
    """What happens to a member whose files are `before`; then its log is `log`."""

    before: Files
    event: Event | Kill
    log: Records


@dataclass(frozen=True)
class Start:
    """A state, which a restart has found; or with a `path`, to which the member's own steps lead.

    Any path to it will do.
    """

    files: Files
    reopened: bool = True
    path: Callable[[], Sequence[Step]] = field(default=tuple, compare=False)

    def __str__(self) -> str:
        return "since a restart" if self.reopened else "by its own steps"


Go = Callable[[LiveFiles], LiveFiles | Seen | None]
"""What happens to the files: nothing but to them; a restart, which gives others; or all is seen."""


class FileSide:
    """Steps of the data files, each tried once however many states of the member share it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[tuple[object, ...], Seen] = {}
        self._found: dict[tuple[int, bytes], Data | str] = {}

    @property
    def steps(self) -> int:
        """How many steps the implementation has made, recoveries included."""
        return len(self._known) + len(self._found)

    def begin(self) -> LiveFiles:
        """A member that has just been installed."""
        return LiveFiles(self._world, ImageDisk())

    def stay(self, start: Start) -> Seen:
        """Nothing happens: abstract(concretize(state))."""
        return self._once(("stay", start), lambda live: None)

    def step(self, start: Start, step: Step) -> Seen:
        """One step of the model."""
        key = ("step", start, step.event, step.log)
        return self._once(key, lambda live: self.make(live, step))

    def turn(self, start: Start, durable: int) -> Seen:
        """All that the writer may do when so many records are synced, in one go."""
        key = ("turn", start, durable)
        return self._once(key, lambda live: live.turn(durable, start.files.commit))

    def make(self, live: LiveFiles, step: Step) -> LiveFiles:
        """Make a step of the model; a restart gives others. Raises DataFileError."""
        before, event, log = step
        match event:
            case Append() | Overrule() | Return() | Own.REPAIR:
                live.follow(log)
            case Own.COMMIT:
                live.commit(before.commit + 1)
            case Own.WRITE | Own.REDO | Own.SKIP:
                live.write(log[before.cursor], before.commit)
            case Sync(table):
                live.sync(table)
            case Kill():
                return LiveFiles(self._world, live.disk, log)
            case Crash(_, targets):
                return LiveFiles(self._world, self.left(live.disk, targets), log)
        return live

    def lose_tails(self, start: Start) -> Seen:
        """Power fails, and files have their new lengths, but zeros for what did not arrive."""

        def go(live: LiveFiles) -> Seen:
            for table, images in enumerate(start.files.images):
                for left in live.disk.only(path_in(live.disk, table)).zero_tails():
                    data = self.found(table, left[0][1])
                    if data not in images:
                        return Seen(wrong=("left by a crash", images, data))
            return Seen(self.images(live.disk), live.rows())

        return self._once(("zeros", start), go)

    def left(self, disk: ImageDisk, targets: Sequence[Data]) -> ImageDisk:
        """What a power failure leaves that the files are these: as many bytes as can be."""
        left = []
        for table, target in enumerate(targets):
            content = self._content(disk, table, target)
            if content is not None:
                left.append((path_in(disk, table), content))
        return ImageDisk(tuple(left))

    def _once(self, key: tuple[object, ...], go: Go) -> Seen:
        if key not in self._known:
            self._known[key] = self._try(key, go)
        return self._known[key]

    def _try(self, key: tuple[object, ...], go: Go) -> Seen:
        event, start = key[:2]
        assert isinstance(start, Start)
        try:
            live = self._put(start)
            if event != "stay":
                stayed = self.stay(start)
                if stayed.images != start.files.images:
                    wrong = "abstract(concretize(state))", start.files.images, stayed.images
                    return stayed._replace(wrong=wrong)
            after = go(live)
            if isinstance(after, Seen):
                return after
            live = after or live
            return Seen(self.images(live.disk), live.rows())
        except REFUSALS as error:
            told_as = f"{type(error).__name__}: {error}"
            return Seen(wrong=("refusal", "a step", told_as))

    def _put(self, start: Start) -> LiveFiles:
        if start.reopened:
            return restarted(start.files, self._world)
        live = self.begin()
        for step in start.path():
            live = self.make(live, step)
        return live

    def images(self, disk: ImageDisk) -> tuple[tuple[Data | str, ...], ...]:
        """What a power cut may leave of every file, the oldest first."""
        found = []
        for table in range(self._world.tables):
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
