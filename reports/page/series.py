"""Latency and throughput over time, and how long clients went without an acknowledgement."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil

import msgspec

from ...harness.history import History
from ...harness.op import OpType
from ..prose import duration_text
from .calls import OPEN, OUTCOMES, Calls, is_acknowledged, is_write, rows_of
from .faults import Act, faults

BINS_MAX = 240
POINTS_MAX = 2_500

KINDS_MAX = 3
"""So many colours and shapes tell functions apart."""

BIN_WIDTHS_S = (0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600)
"""Half a second for short runs, so that a fault of two seconds is more than two points."""


class Latency(msgspec.Struct, frozen=True):
    """Latencies of a kind of successful calls in milliseconds: a quantile a bin, and points.

    The points are every call if they are few, else an even sample with the slowest of each bin.
    """

    f: str
    p50: tuple[float | None, ...]
    p99: tuple[float | None, ...]
    points_s: tuple[float, ...]
    points_ms: tuple[float, ...]


class Series(msgspec.Struct, frozen=True):
    """Bins of equal width in seconds by the time of completion; rates are per second."""

    bin_s: float
    middles_s: tuple[float, ...]
    rates: dict[str, tuple[float, ...]]
    latencies: tuple[Latency, ...]


class Gap(msgspec.Struct, frozen=True):
    """A stretch of time without an acknowledged write, in microseconds."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Acknowledged(msgspec.Struct, frozen=True):
    """When writes were acknowledged (in order), how many rows they carried, the longest gap.

    Gaps count from `begin` to `until`, when writers were at work; the last write was asked for at
    `last_asked`. Times are microseconds.
    """

    times: tuple[int, ...] = ()
    rows: int = 0
    longest: Gap | None = None
    begin: int = 0
    until: int = 0
    last_asked: int = 0


class Effect(msgspec.Struct, frozen=True):
    """What one fault did to writers: acknowledgements while it was in force, the longest gap that
    touches it, and the time from its end to the next acknowledgement or, where writers went on
    and none came any more, for how long they waited (`unanswered`). Times are microseconds."""

    number: int
    acknowledged: int
    longest: Gap | None
    recovery: int | None
    unanswered: int | None = None

    @property
    def waited(self) -> int | None:
        """For how long writers waited after its end, as far as anybody saw."""
        return self.recovery if self.unanswered is None else self.unanswered

    @property
    def recovery_text(self) -> str:
        """`24.0 ms`, `none in 20.0 s`, or a dash where nobody wrote any more."""
        if self.unanswered is not None:
            return f"none in {duration_text(self.unanswered)}"
        return duration_text(self.recovery)


def series(calls: Calls) -> Series:
    """Sort completions into bins."""
    ends = [end for end in calls.end if end != OPEN]
    last_s = max(ends, default=0) / 1e6
    width_s = next((w for w in BIN_WIDTHS_S if last_s / w <= BINS_MAX), last_s / BINS_MAX)
    width = max(1, round(width_s * 1e6))
    count = max(ends, default=-1) // width + 1
    counts = [[0] * count for _ in OUTCOMES]
    for outcome, end in zip(calls.outcome, calls.end, strict=True):
        if end != OPEN:
            counts[outcome][end // width] += 1
    return Series(
        bin_s=width_s,
        middles_s=tuple(round((at + 0.5) * width / 1e6, 3) for at in range(count)),
        rates={
            str(outcome): tuple(round(n / width_s, 2) for n in counts[code])
            for code, outcome in enumerate(OUTCOMES)
        },
        latencies=tuple(_latency(calls, *kind, width, count) for kind in _kinds(calls.fs)),
    )


def acknowledged(history: History, begin: int, end: int) -> Acknowledged:
    """When clients heard that their writes were done; gaps count from `begin` to `end`."""
    times: list[int] = []
    rows = 0
    last_asked = last_tried = begin
    for call in history.calls():
        if not is_write(call):
            continue
        last_asked = max(last_asked, call.invoke.time_ns // 1000)
        last_tried = max(last_tried, (call.completion or call.invoke).time_ns // 1000)
        if is_acknowledged(call) and call.completion is not None:
            times.append(call.completion.time_ns // 1000)
            rows += rows_of(call)
    times.sort()
    # Writers stop some time before the end: only while one was trying is silence a gap.
    until = min(end, last_tried)
    longest = _longest(_edges(times, begin, until)) if times else None
    return Acknowledged(tuple(times), rows, longest, begin, until, last_asked)


def effects(done: Iterable[Act], found: Acknowledged, end: int) -> tuple[Effect, ...]:
    """What each fault did to writers."""
    told: list[Effect] = []
    edges = _edges(found.times, found.begin, found.until)
    for act in faults(done):
        assert act.number is not None
        until = end if act.end is None else act.end
        first, last = bisect_left(found.times, act.start), bisect_right(found.times, until)
        touching = edges[max(0, bisect_right(edges, act.start) - 1) : bisect_left(edges, until) + 1]
        recovery = unanswered = None
        if act.end is not None and last < len(found.times):
            recovery = found.times[last] - act.end
        elif act.end is not None and act.end < min(found.last_asked, found.until):
            unanswered = found.until - act.end
        told.append(
            Effect(
                number=act.number,
                acknowledged=last - first,
                longest=_longest(touching) if until > act.start else None,
                recovery=recovery,
                unanswered=unanswered,
            )
        )
    return tuple(told)


def _edges(times: Sequence[int], begin: int, end: int) -> list[int]:
    """Where gaps begin and end: the acknowledgements, those before and after both ends included."""
    return [min(begin, times[0]), *times, max(end, times[-1])] if times else [begin, end]


def _longest(edges: Sequence[int]) -> Gap | None:
    """The longest stretch between two that follow one another."""
    gaps = ((later - earlier, earlier) for earlier, later in pairwise(edges))
    length, start = max(gaps, default=(0, 0))
    return Gap(start, start + length) if length else None


def _kinds(fs: Sequence[str]) -> list[tuple[str, frozenset[int]]]:
    """The names and codes of functions whose latencies are told apart: of many, the rest is one."""
    apart = len(fs) if len(fs) <= KINDS_MAX else KINDS_MAX - 1
    kinds = [(f, frozenset({code})) for code, f in enumerate(fs[:apart])]
    rest = frozenset(range(apart, len(fs)))
    return [*kinds, ("others", rest)] if rest else kinds


def _latency(calls: Calls, name: str, codes: frozenset[int], width: int, count: int) -> Latency:
    chosen = [
        (end, end - start)
        for f, outcome, start, end in zip(
            calls.f, calls.outcome, calls.start, calls.end, strict=True
        )
        if f in codes and OUTCOMES[outcome] is OpType.OK
    ]
    bins: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for end, took in chosen:
        bins[end // width].append((took, end))
    for found in bins:
        found.sort()
    points = _sampled(chosen, bins)
    return Latency(
        f=name,
        p50=tuple(_quantile(found, 0.50) for found in bins),
        p99=tuple(_quantile(found, 0.99) for found in bins),
        points_s=tuple(round(end / 1e6, 4) for end, _ in points),
        points_ms=tuple(round(took / 1e3, 3) for _, took in points),
    )


def _sampled(
    chosen: list[tuple[int, int]], bins: list[list[tuple[int, int]]]
) -> list[tuple[int, int]]:
    if len(chosen) <= POINTS_MAX:
        return chosen
    slowest = {(end, took) for found in bins for took, end in found[-2:]}
    stride = ceil(len(chosen) / POINTS_MAX)
    return sorted(slowest.union(chosen[::stride]))


def _quantile(ordered: list[tuple[int, int]], share: float) -> float | None:
    """Nearest rank, in milliseconds."""
    if not ordered:
        return None
    return round(ordered[max(1, ceil(share * len(ordered))) - 1][0] / 1e3, 3)
