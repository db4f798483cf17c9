"""Tables with a row an event, or a row an operation with the times when it began and ended."""

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ..characters import whole
from ..checkers.operations import TRANSACTION, UNKNOWN, Operation, hashable
from ..op import OpType
from .edn import DIGITS_PLAIN
from .format import BadLine, Event, Format, Lines, Recorded
from .joined import joined

EVENT_COLUMNS = ("process", "type", "f", "key", "value", "index", "time_ns", "node")
OPERATION_COLUMNS = (
    "process", "f", "key", "argument", "result", "invoked", "returned", "outcome", "node",
)  # fmt: skip
COLUMNS = tuple(dict.fromkeys((*EVENT_COLUMNS, *OPERATION_COLUMNS)))

CELL_MAX = 1 << 30
"""Reads of a whole log are long; Python's own bound is 131,072 characters."""

RANKS = 10
"""Moments that lie no further apart than this, on average, are places in a list and no times."""

_TYPES = {kind.value: kind for kind in OpType}
_OUTCOMES = "ok, fail, info"


class _Row(msgspec.Struct):
    """A row's cells by names of ours."""

    line: int
    cells: dict[str, str]

    def text(self, name: str) -> str:
        return self.cells.get(name, "").strip()

    def value(self, name: str) -> Any:
        """A cell as JSON if it is some, as text if not, and an empty one as nothing."""
        text = self.text(name)
        if not text:
            return None
        try:
            found = json.loads(text)
        except ValueError:
            return text
        if "\\u" in text:
            self._check_characters(found)
        return found

    def _check_characters(self, found: Any) -> None:
        """Raises BadLine where an escape in it stands for half a character."""
        try:
            whole(json.dumps(found, ensure_ascii=False))
        except ValueError as error:
            raise BadLine(self.line, str(error)) from error

    def whole(self, name: str) -> int:
        """A whole number. Raises BadLine."""
        try:
            return int(self.text(name))
        except ValueError:
            raise BadLine(
                self.line, f"{name} must be a whole number, not {self.text(name)!r}"
            ) from None

    def process(self) -> int | str:
        text = self.text("process")
        return int(text) if text.isdecimal() and len(text) < DIGITS_PLAIN else text


def read(lines: Lines, columns: Mapping[str, str]) -> Recorded:
    """The operations; which of the two kinds of table it is, the columns tell."""
    numbers = [1]
    csv.field_size_limit(CELL_MAX)
    reader = csv.reader(_texts(lines, numbers))
    try:
        return _read(reader, columns, numbers)
    except csv.Error as error:
        raise BadLine(numbers[0], str(error)) from error


def _read(reader: Iterator[list[str]], columns: Mapping[str, str], numbers: list[int]) -> Recorded:
    said = (row for row in reader if any(cell.strip() for cell in row))
    header = [name.strip() for name in next(said, [])]
    line = numbers[0]
    names = _names(header, columns, line)
    rows = _rows(reader, names, numbers, len(header))
    if "type" in names:
        _need(names, ("process", "type", "f"), header, line)
        return joined(map(_event, rows))
    _need(names, ("f", "invoked", "returned"), header, line)
    return _operations(rows)


def looks(head: list[str]) -> bool:
    """Whether the first line is a header of three columns or more.

    Where none of them has a name of ours, the lines below must have as many cells.
    """
    reader = csv.reader(head)
    try:
        header = next(reader, [])
    except csv.Error:
        # The line is longer than any cell may be before `read` says how long.
        return False
    if len(header) < 3 or not all(name.strip() and ":" not in name for name in header):
        return False
    if any(name.strip() in COLUMNS for name in header):
        return True
    csv.field_size_limit(CELL_MAX)
    rows = list(reader)
    # The last row may go on where the head ends.
    return bool(rows) and all(len(row) == len(header) for row in rows[:-1] or rows)


def _texts(lines: Lines, numbers: list[int]) -> Iterator[str]:
    for number, text in lines:
        numbers[:] = [number]
        yield text


def _names(header: list[str], columns: Mapping[str, str], line: int) -> dict[str, int]:
    """Where each column of ours is. Raises BadLine where one is not there, or more than once."""
    called = {name: name for name in COLUMNS if name in header} | dict(columns)
    for theirs in called.values():
        if theirs not in header:
            raise BadLine(line, f"there is no column {theirs!r}; there are {', '.join(header)}")
        if (count := header.count(theirs)) > 1:
            raise BadLine(line, f"{count} columns are called {theirs!r}; which of them is meant?")
    return {ours: header.index(theirs) for ours, theirs in called.items()}


def _need(names: Mapping[str, int], needed: tuple[str, ...], header: list[str], line: int) -> None:
    missing = [name for name in needed if name not in names]
    if missing:
        raise BadLine(
            line,
            f"no column is {' and none '.join(missing)}; there are {', '.join(header)} (say which "
            f"is which: --columns {missing[0]}={header[0] if header else 'NAME'})",
        )


def _rows(
    reader: Iterator[list[str]], names: Mapping[str, int], numbers: list[int], width: int
) -> Iterator[_Row]:
    """Every row as wide as the header: in any other nobody knows which cell is whose."""
    for cells in reader:
        if not cells:
            continue
        line = numbers[0]
        if len(cells) != width:
            why = ": quote cells that hold commas" if len(cells) > width else ""
            raise BadLine(line, f"the row has {len(cells)} cells, the header {width}{why}")
        yield _Row(line, {name: cells[at] for name, at in names.items()})


def _event(row: _Row) -> Event:
    kind = _TYPES.get(row.text("type"))
    if kind is None:
        raise BadLine(row.line, f"the type {row.text('type')!r} is none of {', '.join(_TYPES)}")
    return Event(
        row.line,
        row.process(),
        kind,
        row.text("f"),
        row.value("key"),
        row.value("value"),
        row.whole("index") if row.text("index") else None,
        row.whole("time_ns") if row.text("time_ns") else 0,
        row.text("node") or None,
    )


def _operations(rows: Iterator[_Row]) -> Recorded:
    """Rows with two times. Where two moments are equal nobody knows which came first.

    So what begins stands before what ends: those two overlap, and no order is made up.
    """
    recorded = Recorded([], [])
    kept: list[tuple[_Row, int, int | None]] = []
    for row in rows:
        outcome = row.text("outcome") or "ok"
        if outcome not in ("ok", "fail", "info"):
            raise BadLine(row.line, f"the outcome {outcome!r} is none of {_OUTCOMES}")
        began = row.whole("invoked")
        is_answered = outcome == "ok"
        ended = row.whole("returned") if row.text("returned") and outcome != "info" else None
        if ended is not None and ended < began:
            raise BadLine(row.line, f"it returned at {ended}, before it was invoked at {began}")
        if outcome == "fail":
            recorded.failed += 1
        if is_answered or outcome == "info" or row.text("f") == TRANSACTION:
            kept.append((row, began, ended if is_answered else None))
    moments = sorted(
        (time, is_end, at)
        for at, (_, began, ended) in enumerate(kept)
        for time, is_end in ((began, False), (ended, True))
        if time is not None
    )
    places: dict[tuple[int, bool], int] = {
        (at, is_end): position for position, (_, is_end, at) in enumerate(moments)
    }
    # Times that are no more than places say nothing to people.
    is_timed = bool(moments) and moments[-1][0] - moments[0][0] > RANKS * len(moments)
    found = [
        (
            _operation(row, ended, (places[at, False], places.get((at, True))), is_timed=is_timed),
            row.line,
        )
        for at, (row, _, ended) in enumerate(kept)
    ]
    found.sort(key=lambda pair: pair[0].invoked)
    recorded.operations = [operation for operation, _ in found]
    recorded.lines = [line for _, line in found]
    return recorded


def _operation(
    row: _Row, ended: int | None, places: tuple[int, int | None], *, is_timed: bool
) -> Operation:
    return Operation(
        # Without processes every operation has its own.
        row.process() if "process" in row.cells else row.line,
        row.text("f"),
        hashable(row.value("key")),
        hashable(row.value("argument")),
        UNKNOWN if ended is None else hashable(row.value("result")),
        *places,
        row.whole("invoked") if is_timed else 0,
        ended if is_timed else None,
        row.text("node") or None,
        row.text("outcome") == "fail",
    )


CSV = Format(
    name="csv",
    about="A table: a row an event (process, type, f, value), or a row an operation (f, argument,"
    " result, invoked, returned); --columns says which column is which",
    looks=looks,
    read=read,
)
