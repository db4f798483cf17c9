"""One step of a member's disk against the model: the log's side and the data files' side of it."""

from collections.abc import Iterator
from typing import NamedTuple

from ....model.actor import Step
from ....model.storage_built import BuiltStorage, Kill, following
from ....model.storage_rules import Options
from ....model.storage_types import (
    Append,
    Crash,
    Event,
    Member,
    Overrule,
    Own,
    Record,
    Records,
    Return,
    Sync,
    after,
)
from . import dataside, logside
from .dataside import FileSide, files_of, may_be_live
from .log import LONG, WAYS, Way
from .logside import LogSide

WRITES = (Own.WRITE, Own.REDO, Own.SKIP)


class Difference(NamedTuple):
    """Where a step differs; `guess` is what was assumed."""

    field: str
    expected: object
    found: object
    guess: str


class Comparison:
    """Compares steps within these bounds; what many pairs share is done once."""

    def __init__(self, options: Options, bugs: frozenset[str] = frozenset()) -> None:
        self.options = options
        self.log = LogSide(options.batch, bugs)
        self.files = FileSide(options.tables, options.batch, logged=options.ddl > 0)
        self._actor = BuiltStorage(options)

    @property
    def steps(self) -> int:
        """How many steps of the implementation, recoveries included, it took so far."""
        return self.log.steps + self.files.steps

    def step(self, s: Member, event: Event | Kill, step: Step) -> Difference | None:
        """The implementation's step, in every way in which it can be in this state."""
        then = step.state
        assert isinstance(then, Member)
        for way in WAYS:
            difference = self.logs(then, self._log(s, event, then, way), str(way))
            if difference is None and isinstance(event, Kill):
                seen = self.log.kill(logs_of(s), way, sync_fails=True)
                difference = self.logs(then, seen, f"{way}, a sync has failed")
            if difference is not None:
                return difference
        if isinstance(event, Crash):
            return self._torn(s) or self._all_files(s, event, then)
        return self._all_files(s, event, then)

    def vote(self, s: Member) -> Difference | None:
        """A vote is written: the log's records stay as they are."""
        for way in WAYS:
            difference = self.logs(s, self.log.vote(logs_of(s), way), str(way))
            if difference is not None:
                return difference
        return None

    def written_at_once(self, s: Member) -> tuple[Member, tuple[Record, ...]]:
        """All that the writer may take now, one step of the model after the other."""
        records: list[Record] = []
        while True:
            record = following(s)
            steps = [self._actor.step(s, event) for event in WRITES]
            step = next(filter(None, steps), None)
            if step is None:
                return s, tuple(records)
            assert record is not None
            assert isinstance(step.state, Member)
            records.append(record)
            s = step.state

    def at_once(self, s: Member, then: Member, records: tuple[Record, ...]) -> Difference | None:
        """These records, in one write."""
        for reopened in _ways(s):
            seen = self.files.write(files_of(s, reopened=reopened), *records)
            difference = self.tables(then, seen, reopened=reopened)
            if difference is not None:
                return difference
        return None

    # What was seen, and what should have been.

    def logs(self, then: Member, seen: logside.Seen, guess: str) -> Difference | None:
        """The images of the log after a step."""
        expected = logs_of(then)
        if seen.wrong is None and seen.images != expected:
            return Difference("log", _as_logs(expected), _as_logs(seen.images), guess)
        return None if seen.wrong is None else Difference(*seen.wrong, guess)

    def tables(self, then: Member, seen: dataside.Seen, *, reopened: bool) -> Difference | None:
        """The data files and what can be read, after a step."""
        guess = "since a restart" if reopened else "no restart"
        if seen.wrong is not None:
            return Difference(*seen.wrong, guess)
        images = tuple(file.images for file in then.files)
        if seen.images != images:
            return Difference("data files", images, seen.images, guess)
        kept = after(then.log.now, then.cursor, self.options.batch)
        rows = tuple(
            None if schema is None else table.rows
            for schema, table in zip(then.tables, kept, strict=True)
        )
        return None if seen.rows == rows else Difference("rows", rows, seen.rows, guess)

    # What is done.

    def _log(self, s: Member, event: Event | Kill, then: Member, way: Way) -> logside.Seen:
        images = logs_of(s)
        match event:
            case Append() | Overrule() | Return() | Own.REPAIR:
                return self.log.follow(images, way, then.leader, then.term)
            case Own.SYNC_LOG:
                return self.log.sync(images, way)
            case Kill():
                return self.log.kill(images, way)
            case Crash(log, _):
                return self.log.crash(images, way, log.records)
        return self.log.stay(images, way)

    def _torn(self, s: Member) -> Difference | None:
        """Whatever bytes or sectors a power failure leaves, the log is one of its images."""
        images = logs_of(s)
        for seen, guess in (
            (self.log.tear(images), "torn at any byte"),
            (self.log.lose_tail(images), "zeros at the end"),
            *((self.log.lose_sectors(images, way), f"sectors lost, {way}") for way in LONG),
        ):
            difference = self.logs(s, seen, guess)
            if difference is not None:
                return difference
        for reopened in _ways(s):
            files = self.files.lose_tails(files_of(s, reopened=reopened))
            difference = self.tables(s, files, reopened=reopened)
            if difference is not None:
                return difference
        return None

    def _all_files(self, s: Member, event: Event | Kill, then: Member) -> Difference | None:
        for reopened in _ways(s):
            seen = self._files(s, event, reopened=reopened)
            difference = self.tables(then, seen, reopened=reopened)
            if difference is not None:
                return difference
        return None

    def _files(self, s: Member, event: Event | Kill, *, reopened: bool) -> dataside.Seen:
        files = files_of(s, reopened=reopened)
        match event:
            case Own.WRITE | Own.REDO | Own.SKIP:
                record = following(s)
                assert record is not None
                return self.files.write(files, record)
            case Sync(table):
                return self.files.sync(files, table)
            case Kill():
                return self.files.kill(files)
            case Crash(_, targets):
                return self.files.crash(files, targets)
        return self.files.stay(files)


def logs_of(s: Member) -> tuple[Records, ...]:
    """The images of the log, without checkpoints: there are none."""
    return tuple(log.records for log in s.log.images)


def _ways(s: Member) -> Iterator[bool]:
    """Whether the member has been restarted since it wrote the files."""
    yield True
    if may_be_live(s):
        yield False


def _as_logs(images: tuple[Records | str, ...]) -> str:
    return " ⇢ ".join(i if isinstance(i, str) else f"[{', '.join(map(str, i))}]" for i in images)
