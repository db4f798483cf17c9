"""One group's path through the model, as the traces of a real run make it: step by step."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

import msgspec

from ...model.actor import Kind, Model, Scope
from ...model.explore.naive import verdicts_on_state
from ...model.explore.world import Move
from ...model.raft_built import built_group
from ...model.raft_types import Member, Options
from ..clocks import Clocks
from ..conform.trace.details import at_s, event_text, side_by_side
from ..conform.trace.finding import Place, Rejected
from ..conform.trace.words import Words
from ..traces import Record
from .atlas import NoSuchState
from .flight import Flight
from .view import Field, Held, Part, Said, held, part
from .words import caption

LINES_MAX = 100
"""Steps that one answer tells."""

OF_STATES = (Scope.PAIR, Scope.TUPLE)

DIVERGED = ("continuity", "durability", "recovery", "step")
"""Rules after which the model says no more about a member."""

_POST = ("role", "term", "vote", "leader", "commit", "last")


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step in a line. `mark`: what it breaks or how it parts from the model, in a word."""

    number: int
    who: str
    caption: str
    at_s: float | None = None
    mark: str = ""


class Lines(msgspec.Struct, frozen=True):
    """`following`: the number to ask from for more; none if these were the last."""

    lines: tuple[Line, ...]
    following: int | None


class Parting(msgspec.Struct, frozen=True):
    """Why a step is none of the model's. Rows of `sides`: what, agreed before, model, member."""

    who: str
    number: int
    rule: str
    reason: str
    promises: tuple[str, ...]
    properties: tuple[str, ...]
    sides: tuple[tuple[str, ...], ...]


class RunStep(msgspec.Struct, frozen=True):
    """The model's state after a step. `explained`: the model's steps that the member's one is.

    `said`: what the member itself says to be in; `lost`: messages so far that never arrived.
    `partings`: of this step and of members that have parted from the model before.
    """

    path: int
    number: int
    total: int
    who: str
    caption: str
    place: str
    at_s: float | None
    explained: tuple[str, ...]
    actors: tuple[Part, ...]
    said: tuple[Field, ...]
    network: tuple[Held, ...]
    lost: int
    properties: tuple[Said, ...]
    partings: tuple[Parting, ...]


class PathAbout(msgspec.Struct, frozen=True):
    """One group's path: its steps, and where it parts from the model or breaks a promise."""

    name: str
    members: tuple[str, ...]
    steps: int
    partings: tuple[Parting, ...]


class RunPath:
    """The steps of one group, and the model's states between them."""

    def __init__(
        self, number: int, key: tuple[str | None, int], words: Words, clocks: Clocks
    ) -> None:
        self.number = number
        side, group = key
        self.name = f"group {group}" if side is None else f"group {group} of {side}"
        self._words = words
        self._clocks = clocks
        self._records: list[Record] = []
        self._events: list[tuple[object, ...]] = []
        self._states: list[Member | None] = []
        self._of: dict[str, list[int]] = {alias: [] for alias in words.aliases}
        """By member: which steps are its own, from 0 on."""
        self._partings: dict[int, list[Parting]] = {}

    def add(self, record: Record, events: tuple[object, ...], state: Member | None) -> None:
        """The next step: what it was in the model, and the member's state after it."""
        self._of[record.node].append(len(self._records))
        self._records.append(record)
        self._events.append(events)
        self._states.append(state)

    def part(self, rejected: Iterable[Rejected]) -> None:
        """Where the path is none of the model's, once all is known."""
        at = {(r.node, r.inc, r.seq): number for number, r in enumerate(self._records, start=1)}
        for one in rejected:
            place = one.place
            number = at.get((place.node, place.inc, place.seq))
            if number is not None:
                sides = tuple(tuple(map(str, row)) for row in side_by_side(one))
                parting = Parting(
                    place.node, number, one.rule, one.reason, one.promises, one.properties, sides
                )
                self._partings.setdefault(number, []).append(parting)

    def about(self) -> PathAbout:
        partings = tuple(p for number in sorted(self._partings) for p in self._partings[number])
        return PathAbout(self.name, self._words.aliases, len(self._records), partings)

    # Steps in a line.

    def lines(self, begin: int, query: str) -> Lines:
        """From a step on, those that hold every word of the query."""
        words = query.casefold().split()
        found: list[Line] = []
        for number in range(max(begin, 1), len(self._records) + 1):
            line = self._line(number)
            said = f"{line.who} {line.caption} {line.mark}".casefold()
            if all(word in said for word in words):
                if len(found) == LINES_MAX:
                    return Lines(tuple(found), number)
                found.append(line)
        return Lines(tuple(found), None)

    def _line(self, number: int) -> Line:
        record = self._records[number - 1]
        marks = self._partings.get(number, ())
        mark = next(("breaks a promise" if p.promises else "not the model's" for p in marks), "")
        return Line(
            number, record.node, event_text(record), at_s(Place.of(record), self._clocks), mark
        )

    # One step.

    def step(self, number: int) -> RunStep:
        """The state after a step; 0 is before the first. Raises NoSuchState."""
        if number > len(self._records):
            raise NoSuchState(f"There is no step {number}: the path has {len(self._records)}.")
        if not number:
            idle = tuple(self._actor(alias, 0) for alias in self._words.aliases)
            return RunStep(
                self.number, 0, len(self._records), "", "", "", None, (), idle, (), (), 0, (), ()
            )
        record = self._records[number - 1]
        line = self._line(number)
        return RunStep(
            self.number,
            number,
            len(self._records),
            line.who,
            line.caption,
            str(Place.of(record)),
            line.at_s,
            self._explained(number),
            tuple(self._actor(alias, number) for alias in self._words.aliases),
            tuple(Field(name, _spelled(getattr(record.post, name))) for name in _POST),
            self._network(number),
            self._flight.lost[number],
            self._properties(number),
            self._parted(number),
        )

    def _explained(self, number: int) -> tuple[str, ...]:
        node = self._records[number - 1].node
        moves = (Move(self._words.number(node), event) for event in self._events[number - 1])
        return tuple(f"{node} {caption(self._model, move)}" for move in moves)

    @cached_property
    def _model(self) -> Model:
        aliases = self._words.aliases
        return replace(built_group(Options(len(aliases))), names=aliases)

    def _at(self, alias: str, number: int) -> int:
        """The last step of a member up to this one; -1 if there is none."""
        return bisect_right(self._of[alias], number - 1) - 1

    def _state(self, alias: str, at: int) -> Member | None:
        return None if at < 0 else self._states[self._of[alias][at]]

    def _actor(self, alias: str, number: int) -> Part:
        at = self._at(alias, number)
        moved = at >= 0 and self._of[alias][at] == number - 1
        state = self._state(alias, at)
        if state is None:
            said = "not started yet" if at < 0 else "ended"
            return Part(alias, (), said, moved)
        before = (self._state(alias, at - 1) if moved else None) or state
        start = self._model.actors[state.me].initial(state.me)
        return part(alias, before, state, start, moved=moved)

    def _network(self, number: int) -> tuple[Held, ...]:
        """What is in flight, and will arrive."""
        fresh = set(self._flight.sent[number - 1])
        found = []
        for uid in self._flight.at(number):
            source, message = self._flight.messages[uid]
            told = self._words.message(source, message.dst, message)
            found.append(held(self._model, told, is_new=uid in fresh))
        return tuple(found)

    @cached_property
    def _flight(self) -> Flight:
        return Flight(self._records)

    def _properties(self, number: int) -> tuple[Said, ...]:
        """Those that look at states; of members that are not there, nothing is said."""
        states = [self._state(alias, self._at(alias, number)) for alias in self._words.aliases]
        locals_ = tuple(state for state in states if state is not None)
        found = []
        for prop in self._model.properties:
            if prop.kind is Kind.ALWAYS and prop.scope in OF_STATES:
                holds = all(verdicts_on_state(prop, locals_))
                status = "holds" if holds else "broken"
                sentence = "Holds in this state." if holds else "Broken in this state."
                found.append(Said(prop.name, prop.kind.value, prop.promises, status, sentence))
        return tuple(found)

    def _parted(self, number: int) -> tuple[Parting, ...]:
        """This step's, and those before after which the model says no more about a member."""
        return tuple(
            parting
            for at, partings in sorted(self._partings.items())
            for parting in partings
            if at == number or (at < number and parting.rule in DIVERGED)
        )


def _spelled(value: object) -> str:
    if isinstance(value, tuple):
        return f"index {value[0]}, term {value[1]}"
    return "nobody" if value is None else str(value)
