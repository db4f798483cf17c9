"""Tables that are made and dropped: what is dropped is gone for good, what was made is there.

Every making has a number of its own, which the table's columns tell, so that a look at a table says
which making it is of. A look that was answered is linearizable; refusals prove nothing.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

import msgspec

from ..evidence import Evidence
from ..history import Call, History
from ..op import OpType
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker, undecided
from .log.prose import identity, node_of
from .operations import FOREVER
from .timeline import phase
from .wrong import Wrong, failure

NAME = "tables"
PROMISES: dict[str, tuple[str, ...]] = {
    "back": ("HS-17", "HS-18"),
    "vanished": ("HS-18",),
    "two-at-once": ("HS-18",),
    "foreign-row": ("HS-5", "HS-18"),
    "lost": ("HS-2", "HS-5"),
    "unlike": ("HS-17", "HS-18"),
}
"""Kind → promises."""

CHECKED = ("HS-2", "HS-5", "HS-17", "HS-18")


class Sign(msgspec.Struct, frozen=True):
    """A call that shows that making `made` was the table at some moment of it."""

    call: Call
    made: int

    @property
    def begin(self) -> int:
        return self.call.invoke.index

    @property
    def end(self) -> int:
        return identity(self.call)


class Life(msgspec.Struct, frozen=True):
    """All that clients learned about the tables of one name."""

    name: str
    signs: list[Sign]
    makes: dict[int, Call]
    drops: list[Call]
    """Those that happened or may have."""
    appends: list[Call]
    scans: list[Call]


def judge(evidence: Evidence) -> Verdict:
    """Judge table by table, then what each member has in the end."""
    try:
        lives = _lives(evidence.history)
    except (KeyError, TypeError, ValueError) as error:
        return undecided(NAME, f"The history cannot be judged: {type(error).__name__}: {error}.")
    made = sum(call.outcome is OpType.OK for life in lives for call in life.makes.values())
    dropped = sum(call.outcome is OpType.OK for life in lives for call in life.drops)
    scanned = sum(len(life.scans) for life in lives)
    details: dict[str, Any] = {"made": made, "dropped": dropped, "looks": scanned}
    if not dropped or not scanned:
        sentence = "No table was dropped and looked for."
        return undecided(NAME, sentence, Validity.INCONCLUSIVE)
    wrong = [one for life in lives for one in _of_life(life)]
    wrong += _unlike(evidence.history, lives)
    if not wrong:
        sentence = (
            f"{plural(made, 'table')} made and {dropped:,} dropped: in {plural(scanned, 'look')} "
            "none was back, none was missing, and all rows were of their own table."
        )
        return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)
    return failure(NAME, wrong, PROMISES, CHECKED, details)


def _lives(history: History) -> list[Life]:
    """Raises KeyError, TypeError or ValueError where no client of tables recorded this."""
    found: dict[str, Life] = {}
    for call in history.calls():
        f, name = call.invoke.f, call.invoke.key
        if f not in ("make", "drop", "append", "scan") or call.outcome is OpType.FAIL:
            continue
        life = found.setdefault(name, Life(name, [], {}, [], [], []))
        is_ok = call.outcome is OpType.OK
        match f:
            case "make":
                life.makes[int(call.invoke.value)] = call
                if is_ok:
                    life.signs.append(Sign(call, int(call.invoke.value)))
            case "drop":
                life.drops.append(call)
            case "append":
                life.appends.append(call)
                if is_ok:
                    life.signs.append(Sign(call, int(call.invoke.value["made"])))
            case _ if is_ok:
                life.scans.append(call)
                if _answer(call) is not None:
                    life.signs.append(Sign(call, int(_answer(call)["made"])))
    return [found[name] for name in sorted(found)]


def _answer(call: Call) -> Any:
    assert call.completion is not None
    return call.completion.value


def _of_life(life: Life) -> Iterator[Wrong]:
    signs = sorted(life.signs, key=lambda sign: sign.end)
    first: dict[int, Sign] = {}
    for sign in signs:
        first.setdefault(sign.made, sign)
    yield from _back(life, first)
    yield from _gone(life, signs)
    yield from _rows(life)


def _back(life: Life, first: dict[int, Sign]) -> Iterator[Wrong]:
    """A making that was there before a drop began is gone once the drop has happened."""
    drops = [call for call in life.drops if call.outcome is OpType.OK]
    ends = Least((drop.invoke.index, identity(drop)) for drop in drops)
    dropped = {made: ends.beyond(before.end) for made, before in first.items()}
    for sign in life.signs:
        before = first[sign.made]
        if dropped[sign.made] < sign.begin:
            drop = next(
                d for d in drops if before.end < d.invoke.index and identity(d) < sign.begin
            )
            sentence = (
                f"Making {sign.made} of table {life.name} is back: {_told(sign.call)} met it, "
                f"after {_told(drop)}, which began when {_told(before.call)} had met it."
            )
            yield Wrong("back", sentence, (before.call, drop, sign.call))
            return


def _gone(life: Life, signs: list[Sign]) -> Iterator[Wrong]:
    """A making that was there, and that nobody can have dropped since, is still there."""
    others: list[tuple[Call, int | None]] = [(sign.call, sign.made) for sign in life.signs]
    others += [(call, None) for call in life.scans if _answer(call) is None]
    before = _contradicted(life, signs, others)
    if before is None:
        return
    until = _until(life).beyond(before.begin)
    call, made = next(
        (call, made)
        for call, made in others
        if made != before.made and before.end < call.invoke.index and identity(call) < until
    )
    what = "no table" if made is None else f"making {made}"
    kind = "two-at-once" if call.invoke.f == "make" else "vanished"
    sentence = (
        f"Making {before.made} of table {life.name} was there at {_told(before.call)}, "
        f"nobody can have dropped it, and yet {_told(call)} met {what}."
    )
    yield Wrong(kind, sentence, (before.call, call))


def _contradicted(
    life: Life, signs: list[Sign], others: list[tuple[Call, int | None]]
) -> Sign | None:
    """The first sign after which something else was met before anybody can have dropped it."""
    until = _until(life)
    ahead = sorted(others, key=lambda other: other[0].invoke.index)
    # Of what began after the sign that which ended first, and the first of another making.
    soonest: dict[int | None, int] = {}
    found = None
    for sign in reversed(signs):
        while ahead and ahead[-1][0].invoke.index > sign.end:
            call, made = ahead.pop()
            soonest[made] = min(identity(call), soonest.get(made, FOREVER))
            if len(soonest) > 2:
                del soonest[max(soonest, key=soonest.__getitem__)]
        ends = (end for made, end in soonest.items() if made != sign.made)
        if min(ends, default=FOREVER) < until.beyond(sign.begin):
            found = sign
    return found


def _until(life: Life) -> "Least":
    """Beyond a moment: until when nobody can have dropped what was there at some time after it."""
    return Least(
        (identity(drop) if drop.outcome is OpType.OK else FOREVER, drop.invoke.index)
        for drop in life.drops
    )


class Least:
    """Pairs of a place and a number, to be asked for the least number of all beyond a place."""

    def __init__(self, pairs: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(pairs)
        self._places = [place for place, _ in ordered]
        self._least = list(accumulate((number for _, number in reversed(ordered)), min))

    def beyond(self, place: int) -> int:
        """FOREVER where there is none."""
        count = len(self._places) - bisect_right(self._places, place)
        return self._least[count - 1] if count else FOREVER


def _rows(life: Life) -> Iterator[Wrong]:
    """Rows are of the making that shows them; acknowledged ones are where it was said."""
    owner = {row: call for call in life.appends for row in call.invoke.value["rows"]}
    acknowledged: dict[int, list[Call]] = {}
    for call in sorted(life.appends, key=identity):
        if call.outcome is OpType.OK:
            acknowledged.setdefault(call.invoke.value["made"], []).append(call)
    for scan in life.scans:
        found = _answer(scan)
        if found is None:
            continue
        for row in found["rows"]:
            append = owner.get(row)
            if append is None or append.invoke.value["made"] != found["made"]:
                whose = "nobody" if append is None else f"making {append.invoke.value['made']}"
                sentence = (
                    f"{_told(scan, capital=True)} met row {row} in making {found['made']} of table "
                    f"{life.name}, appended to {whose}."
                )
                others = () if append is None else (append,)
                yield Wrong("foreign-row", sentence, (*others, scan))
                return
        lost = _lost(acknowledged.get(found["made"], []), scan, found["rows"])
        if lost is not None:
            sentence = (
                f"{_told(lost, capital=True)} to table {life.name} is lost: {_told(scan)} does not "
                f"find its rows at offset {_answer(lost)}."
            )
            yield Wrong("lost", sentence, (lost, scan))
            return


def _lost(acknowledged: list[Call], scan: Call, found: list[int]) -> Call | None:
    """The first append to what was scanned that is not where its answer, by then, had said."""
    for append in acknowledged:
        if identity(append) > scan.invoke.index:
            break
        rows, offset = append.invoke.value["rows"], _answer(append)
        if found[offset : offset + len(rows)] != rows:
            return append
    return None


def _unlike(history: History, lives: list[Life]) -> Iterator[Wrong]:
    """In the end each member has the tables that the last looks met, with as many rows."""
    final = phase(history, "final")
    if final is None:
        return
    last = {life.name: c for life in lives for c in life.scans if c.invoke.index > final.index}
    for call in history.calls():
        if call.invoke.f != "tables" or call.outcome is not OpType.OK:
            continue
        for name, scan in sorted(last.items()):
            met, has = _answer(scan), _answer(call).get(name)
            expected = None if met is None else len(met["rows"])
            if has != expected:
                sentence = (
                    f"Member {node_of(call)} has {_size(has)} {name} in the end, where "
                    f"{_told(scan)} met {_size(expected)} of that name."
                )
                yield Wrong("unlike", sentence, (scan, call))
                return


def _size(rows: int | None) -> str:
    return "no table" if rows is None else f"a table of {plural(rows, 'row')}"


def _told(call: Call, *, capital: bool = False) -> str:
    name = call.invoke.f.capitalize() if capital else call.invoke.f
    return f"{name} #{identity(call)} by client {call.invoke.process} through {node_of(call)}"


TABLES = Checker(
    name=NAME,
    question="Is a dropped table gone for good, and every other there, with its own rows?",
    promises=CHECKED,
    judge=judge,
)
