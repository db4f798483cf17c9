"""Did each subscriber get every row of its subscription, in order, and only rows that stay?

A subscriber's operations tell all that befell it, in order: where a subscription began, what was
handled, what its handler failed with, what it recorded, when it lost its connection, when it
crashed. A ledger follows each of them; what the table holds is what acknowledged appends and the
other clients' reads say. Within one life rows come one after another. A life that goes on from a
stored offset begins behind the row recorded last; what was handled and not recorded comes again
(promise HS-15), and nothing else does.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ..evidence import Evidence
from ..history import Call, History
from ..op import OBSERVER, OpType, ProcessId
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker, undecided
from .filtered import Filter
from .log.durability import final_log
from .log.view import LogView, logs
from .timeline import phase

NAME = "subscriptions"
PROMISES = ("HS-8", "HS-12", "HS-13", "HS-14", "HS-24")
OPERATIONS = ("subscribe", "receive", "disconnect", "crash", "drain")
LATEST, STORED = -1, -2
OTHER_ROW, NOT_YET = "where the table has row", "which nobody had appended yet"


class Flaw(msgspec.Struct, frozen=True):
    """A promise that was broken, in a sentence, and the operations that show it."""

    promises: tuple[str, ...]
    sentence: str
    witness: tuple[int, ...]


class Handled(msgspec.Struct, frozen=True):
    """Rows that a handler was given, and who published them in which term.

    They are those of `count` rows of the table that the subscriber's filter, if it has one, left.
    """

    call: Call
    offset: int
    rows: list[int]
    leader: str
    term: int
    count: int
    places: list[int] | None = None


class Ledger:
    """One subscriber, life after life."""

    # Invariant: rows from `first` up to `done` were handled, in all lives that build on each other.

    def __init__(self, process: ProcessId) -> None:
        self.process = process
        self.handled: list[Handled] = []
        self.flaws: list[Flaw] = []
        self.lives = self.breaks = self.failures = self.repeats = 0
        self.first: int | None = None
        self.done = 0
        self.next: int | None = None
        self.recorded: int | None = None
        self.failed = False
        self.crashed = False
        """Since it subscribed; a drain then goes on from what is stored, if anything is."""
        self.asked: Mapping[str, Any] = {}
        self.last: Call | None = None

    @property
    def name(self) -> str:
        return f"subscriber {self.process}"

    @property
    def is_subscribed(self) -> bool:
        return self.next is not None

    def add(self, call: Call) -> None:
        """The next operation."""
        self.last = call
        if call.invoke.f in ("subscribe", "crash"):
            before, self.asked = self.asked, call.invoke.value or self.asked
            self.crashed = call.invoke.f == "crash"
            if call.invoke.f == "subscribe" and self.is_subscribed:
                self._end()
            if not self.asked.get("persist") and before.get("persist"):
                self.recorded = None
        if call.outcome is not OpType.OK or call.completion is None:
            return
        for event in call.completion.value:
            self._event(call, event)
        if call.invoke.f == "crash":
            self._end()

    def _end(self) -> None:
        """A life is over."""
        self.next = None

    def _event(self, call: Call, event: list[Any]) -> None:
        match event:
            case ["live", int(start), *_]:
                self._live(call, start)
            case ["handled", int(offset), list(rows), str(leader), int(term), *more]:
                places = self.asked.get("places")
                count = more[0] if more else len(rows)
                self._handled(Handled(call, offset, rows, leader, term, count, places))
            case ["failed", int(offset), int()]:
                self.failures += 1
                self.failed = True
                self._expect(call, offset, "its handler was given")
            case ["recorded", int(offset)]:
                self._recorded(call, offset)
            case ["lost"]:
                self.breaks += 1
            case ["ended", *_]:
                self._end()

    def _live(self, call: Call, start: int) -> None:
        if self.next is not None:
            # Rows received and not handled yet are not asked for again.
            if start < self.next:
                text = f"asks again for row {start}, and has handled all before row {self.next}"
                self._flaw(call, ("HS-13",), text)
            return
        self.lives += 1
        self.next = start
        asked = STORED if self.crashed else self.asked.get("offset")
        if asked == STORED:
            self._resumed(call, start)
            return
        self.first, self.done = start, start
        self.recorded = None
        if isinstance(asked, int) and asked >= 0 and start != asked:
            self._flaw(call, ("HS-13",), f"asked for row {asked}, and was begun at row {start}")

    def _resumed(self, call: Call, start: int) -> None:
        """A life that goes on from what was stored."""
        if start > self.done:
            text = f"goes on at row {start} after a crash, and has handled none from {self.done} on"
            self._flaw(call, ("HS-14",), text)
        elif self.recorded is not None and start <= self.recorded:
            text = f"goes on at row {start}, although row {self.recorded} was recorded"
            self._flaw(call, ("HS-14",), text)
        self.repeats += self.done - start

    def _handled(self, found: Handled) -> None:
        if self._expect(found.call, found.offset, "it was given"):
            self.handled.append(found)
        self.failed = False
        self.next = found.offset + found.count
        self.done = max(self.done, self.next)

    def _expect(self, call: Call, offset: int, how: str) -> bool:
        if self.next is None or offset == self.next:
            return True
        again = "" if offset > self.next else " again"
        text = f"waited for row {self.next}, and {how} row {offset}{again}"
        is_passed = self.failed and offset > self.next
        self._flaw(call, ("HS-14",) if is_passed else ("HS-13",), text)
        return False

    def _recorded(self, call: Call, offset: int) -> None:
        if offset >= self.done:
            text = f"recorded row {offset}, and has handled none from {self.done} on"
            self._flaw(call, ("HS-14",), text)
        self.recorded = offset

    def _flaw(self, call: Call, promises: tuple[str, ...], text: str) -> None:
        assert call.completion is not None
        self.flaws.append(Flaw(promises, f"{self._title} {text}.", (call.completion.index,)))

    @property
    def _title(self) -> str:
        return f"S{self.name[1:]}"

    def given(self, row: int, offset: int) -> str:
        """How a sentence begins about a row that it should not have been given."""
        return f"{self._title} was given row {row} at offset {offset}, "


def judge(evidence: Evidence) -> Verdict:
    """Follow every subscriber, then compare what all were given with the table."""
    history = evidence.history
    ledgers = _ledgers(history)
    rows = sum(len(handled.rows) for ledger in ledgers for handled in ledger.handled)
    flaws = [flaw for ledger in ledgers for flaw in ledger.flaws]
    if not rows and not flaws:
        return undecided(NAME, "No subscriber was given a row.", Validity.INCONCLUSIVE)
    view = next(iter(logs(history).views), LogView(None, [], [], [], [], {}))
    held, replaced = _held(view)
    end = _end_of(history, view)
    flaws += _strangers(ledgers, held, replaced, end, view)
    flaws += _misfits(ledgers, Filter(held, view))
    flaws += _deposed(history, ledgers, view)
    if end is not None:
        flaws += _unseen(ledgers, end)
    details: dict[str, Any] = {
        "subscribers": len(ledgers),
        "rows": rows,
        "lives": sum(ledger.lives for ledger in ledgers),
        "broken_connections": sum(ledger.breaks for ledger in ledgers),
        "failed_handlers": sum(ledger.failures for ledger in ledgers),
        "rows_again": sum(ledger.repeats for ledger in ledgers),
        "flaws": len(flaws),
    }
    if flaws:
        first = min(flaws, key=lambda flaw: flaw.witness[-1])
        broken = {promise for flaw in flaws for promise in flaw.promises}
        promises = tuple(promise for promise in PROMISES if promise in broken)
        return Verdict(NAME, Validity.FAIL, first.sentence, promises, first.witness, details)
    if end is None:
        return undecided(NAME, "The table's end was not read: whether rows are unseen is unknown.")
    breaks = plural(details["broken_connections"], "broken connection")
    again = plural(details["rows_again"], "row")
    sentence = (
        f"{plural(len(ledgers), 'subscriber')} handled {plural(rows, 'row')}, each in its place, "
        f"over {plural(details['lives'], 'start')} and {breaks}; {again} came again after a crash."
    )
    return Verdict(NAME, Validity.PASS, sentence, PROMISES, details=details)


def _ledgers(history: History) -> list[Ledger]:
    found: dict[ProcessId, Ledger] = {}
    for call in history.calls():
        if call.invoke.f in OPERATIONS:
            process = call.invoke.process
            if process not in found:
                found[process] = Ledger(process)
            found[process].add(call)
    return list(found.values())


Told = tuple[int, int]
"""A row, and the op that told where it is."""


def _held(view: LogView) -> tuple[dict[int, Told], dict[int, list[Told]]]:
    """What is at each offset, and what was said of some before, and is not there any more."""
    found: dict[int, Told] = {}
    replaced: dict[int, list[Told]] = {}

    def tell(start: int, rows: list[int], index: int) -> None:
        for offset, row in enumerate(rows, start=start):
            before = found.get(offset)
            if before is not None and before[0] != row:
                replaced.setdefault(offset, []).append(before)
            found[offset] = (row, index)

    for append in view.acknowledged:
        assert append.offset is not None
        tell(append.offset, append.rows, append.ret)
    for read in view.reads:
        tell(read.start, read.rows, read.ret)
    return found, replaced


def _end_of(history: History, view: LogView) -> int | None:
    """Where the table ended when all was quiet."""
    final = phase(history, "final")
    found = None if final is None else final_log(view, final.index)
    return None if found is None else found.end


def _strangers(
    ledgers: list[Ledger],
    held: dict[int, Told],
    replaced: dict[int, list[Told]],
    end: int | None,
    view: LogView,
) -> Iterator[Flaw]:
    """Rows that are not in the table, or not there (promise HS-12).

    One that replaced what a client was told of is as wrong: one of the two does not stay.
    """
    for ledger in ledgers:
        for handled in ledger.handled:
            completion = handled.call.completion
            assert completion is not None
            if handled.places is not None:
                continue
            for offset, row in enumerate(handled.rows, start=handled.offset):
                there = held.get(offset)
                if there is not None and there[0] == row:
                    there = next((t for t in replaced.get(offset, ()) if t[0] != row), there)
                begin = ledger.given(row, offset)
                if there is not None and there[0] != row:
                    where = OTHER_ROW if there == held[offset] else "where the table had row"
                    text = f"{begin}{where} {there[0]}."
                    witness = tuple(sorted((completion.index, there[1])))
                    yield Flaw(("HS-12",), text, witness)
                elif there is None and end is not None and offset >= end:
                    text = f"{begin}but the table ends at {end}."
                    yield Flaw(("HS-12",), text, (completion.index,))
                elif row not in view.owner:
                    text = f"{begin}which nobody appended."
                    yield Flaw(("HS-12",), text, (completion.index,))
                elif view.owner[row].inv > completion.index:
                    text = f"{begin}{NOT_YET}."
                    yield Flaw(("HS-12",), text, (completion.index, view.owner[row].inv))


def _misfits(ledgers: list[Ledger], asked: Filter) -> Iterator[Flaw]:
    """What subscribers with a filter were given and did not ask for, or were not given."""
    for ledger in ledgers:
        for handled in ledger.handled:
            if handled.places is None:
                continue
            completion = handled.call.completion
            assert completion is not None
            for promise, text, told in asked.misfits(
                handled.offset, handled.count, handled.rows, handled.places
            ):
                witness = {completion.index} if told is None else {completion.index, told}
                yield Flaw((promise,), f"S{ledger.name[1:]} {text}.", tuple(sorted(witness)))


def _deposed(history: History, ledgers: list[Ledger], view: LogView) -> Iterator[Flaw]:
    """Rows written after a member was seen in a later term, published by it in its old one."""
    newer: dict[str, list[tuple[int, int]]] = {}
    for op in history.of(OBSERVER):
        if op.f == "role" and op.node is not None:
            newer.setdefault(op.node, []).append((op.index, op.value["term"]))
    for ledger in ledgers:
        for handled in ledger.handled:
            seen = next((at for at, t in newer.get(handled.leader, ()) if t > handled.term), None)
            if seen is None:
                continue
            late = [row for row in handled.rows if row in view.owner and view.owner[row].inv > seen]
            if late:
                completion = handled.call.completion
                assert completion is not None
                text = (
                    f"Member {handled.leader} published row {late[0]} as leader of term "
                    f"{handled.term}, written after it was seen in a later term."
                )
                witness = tuple(sorted((seen, view.owner[late[0]].inv, completion.index)))
                yield Flaw(("HS-8",), text, witness)


def _unseen(ledgers: list[Ledger], end: int) -> Iterator[Flaw]:
    """Rows that a subscriber did not get although all was quiet (promise HS-24)."""
    for ledger in ledgers:
        call = ledger.last
        drained = call is not None and call.invoke.f == "drain" and call.outcome is OpType.OK
        first, why = ledger.next, ","
        if first is None and ledger.asked.get("persist") and ledger.recorded is not None:
            # A drain subscribes again whoever stores offsets, until it is served.
            first, why = ledger.done, ": no subscription began again,"
        if not drained or first is None or first >= end:
            continue
        assert call is not None
        assert call.completion is not None
        text = f"S{ledger.name[1:]} never got row {first}{why} and the table ends at {end}."
        yield Flaw(("HS-24",), text, (call.completion.index,))


SUBSCRIPTIONS = Checker(
    name=NAME,
    question="Did subscribers get every row in order, no other, and none twice without a failure?",
    promises=PROMISES,
    judge=judge,
)
