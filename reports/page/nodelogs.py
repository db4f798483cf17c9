"""The text logs of members: their lines by time, as far as the lines tell the time."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from os import fstat
from pathlib import Path
from typing import BinaryIO

import msgspec

from ...harness.prose import plural
from ..prose import shortened

BYTES_MAX = 16 << 20
"""Of a longer log, the beginning and the end, half of this each."""

LINE_CHARACTERS_MAX = 400
EDGE_LINES = 8
EXCERPT_LINES_MAX = 40
AROUND_US = 1_000_000
"""How far before and after an event its lines are looked for."""

_ISO = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:\s?(?:Z|[+-]\d\d:?\d\d)\b)?"
)
_CLOCK = re.compile(r"^\W?(\d\d):(\d\d):(\d\d(?:[.,]\d{1,9})?)\b")
_SECONDS = re.compile(r"""^\W{0,2}(?:time["']?\s*[=:]\s*)?(\d{1,10}\.\d{1,9})\b(?!\.\d)""")
_STAMP = re.compile(rf"^\W?(?:{_ISO.pattern}|{_CLOCK.pattern[1:]})\W?\s*")
_LOOK_IN = 80
"""A line's time stands near its beginning."""

_SLACK_US = 60_000_000
_DAY_S = 86_400
_ZONE_S = 900
"""Time zones differ by quarters of an hour."""


class Line(msgspec.Struct, frozen=True):
    """One line of a log; `time` in microseconds from the start of the run, None if unknown.

    A line without a time has that of the line before it; from one that `is_stamped` a date and
    time at its beginning are taken off, for they say the same.
    """

    number: int
    text: str
    time: int | None = None
    is_stamped: bool = False


class Excerpt(msgspec.Struct, frozen=True):
    """Some lines of one member's log, and a note that says which. Where numbers jump, lines were
    left out."""

    node: str
    note: str
    lines: tuple[Line, ...] = ()


class NodeLog(msgspec.Struct, frozen=True):
    """All lines of one member's log. `timed` counts those that tell a time within the run."""

    node: str
    lines: tuple[Line, ...]
    timed: int

    def around(self, times: Sequence[int]) -> Excerpt:
        """The lines near these times; of a log without times, the first and the last ones."""
        if not self.timed:
            why = "Its lines tell no time of this run: the first and the last are shown."
            return msgspec.structs.replace(self.edges(), note=why if self.lines else "Empty.")
        near = [line for line in self.lines if _distance(line, times) <= AROUND_US]
        if not near:
            nearest = sorted(self.lines, key=lambda line: (_distance(line, times), line.number))
            kept = sorted(nearest[:EDGE_LINES], key=lambda line: line.number)
            return Excerpt(self.node, "Silent at that time: the nearest lines.", tuple(kept))
        ranked = sorted(near, key=lambda line: (_distance(line, times), line.number))
        kept = sorted(ranked[:EXCERPT_LINES_MAX], key=lambda line: line.number)
        left_out = len(near) - len(kept)
        more = f" ({plural(left_out, 'line')} further away left out)" if left_out else ""
        return Excerpt(self.node, f"Within a second of the witness{more}.", tuple(kept))

    def edges(self) -> Excerpt:
        """The first and the last lines."""
        if len(self.lines) <= 2 * EDGE_LINES:
            note = f"All {plural(len(self.lines), 'line')}." if self.lines else "Empty."
            return Excerpt(self.node, note, self.lines)
        shown = (*self.lines[:EDGE_LINES], *self.lines[-EDGE_LINES:])
        return Excerpt(self.node, f"The ends of {plural(self.lines[-1].number, 'line')}.", shown)


def read(node: str, path: Path, zero: datetime | None, duration_us: int) -> NodeLog:
    """Read a log. `zero` is what the member's clock said when the run's time was zero, for lines
    with the time of day; times are by the run's clock then."""
    lines: list[Line] = []
    clock = Clock(zero)
    timed, last = 0, None
    for number, text in _lines(path):
        found = clock.time_us(text)
        # Another run's lines, or times of another clock, say nothing about this run.
        is_stamped = found is not None and -_SLACK_US <= found <= duration_us + _SLACK_US
        if is_stamped:
            timed, last = timed + 1, found
            text = _STAMP.sub("", text)
        lines.append(Line(number, shortened(text, LINE_CHARACTERS_MAX), last, is_stamped))
    return NodeLog(node, tuple(lines), timed)


class Clock:
    """What the lines of one log tell of the time, one after another."""

    def __init__(self, zero: datetime | None) -> None:
        self._zero = zero
        self._zone_s: int | None = None
        self._last_s = 0.0

    def time_us(self, text: str) -> int | None:
        """The line's time from the start of the run: by a date and time of day, by a time of day,
        or by seconds, since the start of the run or since 1970. None if it tells none."""
        head = text[:_LOOK_IN]
        if (found := _ISO.search(head)) is not None:
            moment = instant(found.group())
            if moment is None or self._zero is None:
                return None
            return round((moment - self._zero).total_seconds() * 1e6)
        if (found := _CLOCK.match(head)) is not None:
            hours, minutes, seconds = found.groups()
            of_day_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
            return self._by_day(of_day_s)
        if (found := _SECONDS.match(head)) is None:
            return None
        value = float(found.group(1))
        if value < 1e9:
            return round(value * 1e6)
        return None if self._zero is None else round((value - self._zero.timestamp()) * 1e6)

    def _by_day(self, of_day_s: float) -> int | None:
        """A time of day tells no zone: a log begins soon after its run, which tells the zone."""
        if self._zero is None:
            return None
        since_s = of_day_s - self._zero.timestamp() % _DAY_S
        if self._zone_s is None:
            self._zone_s = round(since_s / _ZONE_S) * _ZONE_S
        since_s -= self._zone_s
        # Past midnight the day begins anew.
        since_s += round((self._last_s - since_s) / _DAY_S) * _DAY_S
        self._last_s = since_s
        return round(since_s * 1e6)


def instant(text: str) -> datetime | None:
    """An ISO date and time; without a zone it is UTC. None if it is none (a 32nd of January)."""
    try:
        moment = datetime.fromisoformat(text.replace(",", ".").replace(" Z", "Z"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _distance(line: Line, times: Sequence[int]) -> float:
    if line.time is None or not times:
        return float("inf")
    return min(abs(line.time - time) for time in times)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines by their numbers; of a long log a line stands for those in the middle."""
    with path.open("rb") as stream:
        size = fstat(stream.fileno()).st_size
        if size <= BYTES_MAX:
            yield from enumerate(_split(stream.read(size)), start=1)
            return
        half = BYTES_MAX // 2
        head = stream.read(half)
        head = head[: head.rfind(b"\n") + 1]
        stream.seek(size - half)
        tail = stream.read(half).partition(b"\n")[2]
        stream.seek(len(head))
        left_out = _newlines(stream, size - len(head) - len(tail))
    shown = _split(head)
    yield from enumerate(shown, start=1)
    yield len(shown) + 1, f"… {plural(left_out, 'line')} left out …"
    yield from enumerate(_split(tail), start=len(shown) + left_out + 1)


def _split(data: bytes) -> list[str]:
    text = data.decode("utf-8", errors="replace")
    return text.removesuffix("\n").split("\n") if text else []


def _newlines(stream: BinaryIO, count: int) -> int:
    """How many there are in the next so many bytes."""
    found = 0
    while count > 0 and (chunk := stream.read(min(count, 1 << 20))):
        found += chunk.count(b"\n")
        count -= len(chunk)
    return found
