"""One step of a member's disk against the model: the log's side and the data files' side of it."""

from collections.abc import Iterator
from typing import NamedTuple

from ....model.actor import Step
from ....model.explore.pairs import Pairs
from ....model.storage_built import BuiltStorage, Kill, tidied
from ....model.storage_rules import Options, is_synced
from ....model.storage_types import (
    Append,
    Crash,
    Event,
    Member,
    Overrule,
    Own,
    Records,
    Return,
    after,
)
from . import dataside, logside
from .dataside import FileSide, Start
from .files import World, files_of
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

    def __init__(self, pairs: Pairs, options: Options, bugs: frozenset[str] = frozenset()) -> None:
        self.options = options
        world = World(options.tables, options.batch, options.ddl > 0, bugs)
        self.log = LogSide(options.batch, bugs)
        self.files = FileSide(world)
        self._pairs = pairs
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
        """A vote is written: the log's records stay as they are. So it is while a sync runs."""
        images = logs_of(s)
        for way in WAYS:
            for seen, how in (
                (self.log.vote(images, way), ""),
                (self.log.meanwhile(images, way), ", while a sync is under way"),
                (self.log.meanwhile(images, way, fails=True), ", while a sync fails"),
            ):
                difference = self.logs(s, seen, f"{way}{how}")
                if difference is not None:
                    return difference
        return None

    def turn(self, s: Member) -> Difference | None:
        """The writer does all that it may, as the member decides what that is."""
        then = self._written(s)
        durable = sum(is_synced(s, record) for record in s.log.now.records)
        for start in self._starts(s):
            difference = self.tables(then, self.files.turn(start, durable), str(start))
            if difference is not None:
                return difference
        return None

    def _written(self, s: Member) -> Member:
        """When the writer is done, one step of the model after the other."""
        while True:
            step = next(filter(None, (self._actor.step(s, event) for event in WRITES)), None)
            if step is None:
                return tidied(s)
            assert isinstance(step.state, Member)
            s = step.state

    # What was seen, and what should have been.

    def logs(self, then: Member, seen: logside.Seen, guess: str) -> Difference | None:
        """The images of the log after a step."""
        expected = logs_of(then)
        if seen.wrong is None and seen.images != expected:
            return Difference("log", _as_logs(expected), _as_logs(seen.images), guess)
        return None if seen.wrong is None else Difference(*seen.wrong, guess)

    def tables(self, then: Member, seen: dataside.Seen, guess: str) -> Difference | None:
        """The data files and what can be read, after a step: what is committed (HS-12)."""
        if seen.wrong is not None:
            return Difference(*seen.wrong, guess)
        images = tuple(file.images for file in then.files)
        if seen.images != images:
            return Difference("data files", images, seen.images, guess)
        kept = after(then.log.now, min(then.commit, then.cursor), self.options.batch)
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
        for start in self._starts(s):
            difference = self.tables(s, self.files.lose_tails(start), str(start))
            if difference is not None:
                return difference
        return None

    def _all_files(self, s: Member, event: Event | Kill, then: Member) -> Difference | None:
        step = file_step(s, event, then)
        for start in self._starts(s):
            difference = self.tables(then, self.files.step(start, step), str(start))
            if difference is not None:
                return difference
        return None

    def _starts(self, s: Member) -> Iterator[Start]:
        """How the tables can be in this state."""
        files = files_of(s)
        yield Start(files)
        yield Start(files, False, lambda: self._path(s))

    def _path(self, end: Member) -> list[dataside.Step]:
        steps = []
        s = self._actor.initial(0)
        for event in self._pairs.path(0, end):
            made = self._actor.step(s, event)
            assert made is not None
            assert isinstance(made.state, Member)
            steps.append(file_step(s, event, made.state))
            s = made.state
        return steps


def file_step(s: Member, event: Event | Kill, then: Member) -> dataside.Step:
    """What of a step of the model the tables and the data files see."""
    return dataside.Step(files_of(s), event, then.log.now.records)


def logs_of(s: Member) -> tuple[Records, ...]:
    """The images of the log, without checkpoints: there are none."""
    return tuple(log.records for log in s.log.images)


def _as_logs(images: tuple[Records | str, ...]) -> str:
    return " ⇢ ".join(i if isinstance(i, str) else f"[{', '.join(map(str, i))}]" for i in images)
