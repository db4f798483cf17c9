"""Times in a scenario's YAML: found, moved along one line, made round, written back.

All are whole microseconds here. A *moment* counts from the start of the run: where a step begins,
where one with `at` ends, where an operation begins, and where the run ends. A *span* belongs to
nothing but itself: how long something is slow, how long a step waits for the one before it.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from ..language.units import seconds

Data = dict[str, Any]
"""A scenario as its YAML says it, or a part of that."""

_SECOND = 1_000_000
_LENGTH = re.compile(r"\d+(?:\.\d+)?(?:ms|s|m|h)")

NICE = tuple(digit * 10**power for power in range(9, 2, -1) for digit in (5, 2, 1))
"""5000 s, 2000 s, 1000 s, 500 s … 1 ms: lengths that a person would write."""


def read(text: str) -> int:
    """A duration as YAML has it."""
    return round(seconds(text) * _SECOND)


def spell(time: int) -> str:
    """The shortest spelling, exact: `1.25s`, `250ms`, `0s`."""
    unit, name = (1_000, "ms") if 0 < time < _SECOND else (_SECOND, "s")
    whole, rest = divmod(time, unit)
    decimals = str(rest).zfill(len(str(unit)) - 1).rstrip("0")
    return f"{whole}.{decimals}{name}" if decimals else f"{whole}{name}"


def digits(time: int) -> int:
    """How many digits say it: 1 for 2 s and 300 ms, 3 for 1.25 s."""
    return len(str(time).rstrip("0"))


def is_length(value: object) -> bool:
    """Whether a value of the YAML is a duration."""
    return isinstance(value, str) and _LENGTH.fullmatch(value) is not None


def moments(data: Data) -> list[int]:
    """Every moment of a scenario once, in order, without the start."""
    found = {read(data["duration"])}
    for step in data.get("faults", []):
        if "at" in step:
            found.add(read(step["at"]))
        if _has_end(step):
            found.add(read(step["at"]) + read(step["for"]))
    found.update(read(op["at"]) for op in data["workload"].get("ops", []))
    return sorted(found - {0})


def moved(data: Data, to: Mapping[int, int]) -> Data:
    """The same scenario with each moment where `to` says."""
    there = {0: 0, **to}
    workload = data["workload"]
    if "ops" in workload:
        ops = [{**op, "at": spell(there[read(op["at"])])} for op in workload["ops"]]
        workload = {**workload, "ops": ops}
    changed = {**data, "workload": workload, "duration": spell(there[read(data["duration"])])}
    if "faults" in data:
        changed["faults"] = [_moved_step(step, there) for step in data["faults"]]
    return changed


def _moved_step(step: Data, there: Mapping[int, int]) -> Data:
    if "at" not in step:
        return step
    begin = read(step["at"])
    step = {**step, "at": spell(there[begin])}
    if _has_end(step):
        step["for"] = spell(there[begin + read(step["for"])] - there[begin])
    return step


def _has_end(step: Data) -> bool:
    """Whether it is known when a step ends: not of one that begins when something is seen."""
    return "at" in step and "for" in step and "when" not in step


Place = tuple[str | int, ...]


def spans(data: Data) -> list[tuple[Place, int]]:
    """Every span, each with its place."""
    found = [
        (("faults", at, *place), read(text))
        for at, step in enumerate(data.get("faults", []))
        if "random" not in step
        for place, text in _lengths(step, ())
        if place != ("at",) and not (place == ("for",) and _has_end(step))
    ]
    if "op_timeout" in data["workload"]:
        found.append((("workload", "op_timeout"), read(data["workload"]["op_timeout"])))
    return found


def _lengths(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in inner:
            yield from _lengths(part, (*place, key))
    elif is_length(value):
        yield place, value


def put(data: Any, place: Place, value: Any) -> Any:
    """The same data with another value at one place."""
    if not place:
        return value
    head, *rest = place
    if isinstance(data, list):
        return [
            put(part, tuple(rest), value) if at == head else part for at, part in enumerate(data)
        ]
    return {**data, head: put(data[head], tuple(rest), value)}


def cost(data: Data) -> tuple[int, int]:
    """How much there is to read in all times, and how long they are together."""
    times = [*moments(data), *(length for _, length in spans(data))]
    return sum(map(digits, times)), sum(times)


_GRIDS = (1_000_000, 500_000, 200_000, 100_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000)


def evenly(data: Data) -> Iterator[Data]:
    """All moments at equal distances."""
    found = moments(data)
    for step in reversed(_GRIDS[:7]):
        yield moved(data, {moment: step * rank for rank, moment in enumerate(found, 1)})


def on_a_grid(data: Data) -> Iterator[Data]:
    """All moments rounded alike, which keeps their order."""
    found = moments(data)
    for step in _GRIDS:
        yield moved(data, {moment: step * max(1, round(moment / step)) for moment in found})


def earlier(data: Data) -> Iterator[Data]:
    """Everything from one moment on earlier, by as much as there is room for."""
    found = moments(data)
    for before, moment in pairwise([0, *found]):
        gap = moment - before
        for less in (gap, *(length for length in NICE if gap // 10 <= length < gap)):
            yield moved(data, {each: each - (less if each >= moment else 0) for each in found})


def less_idle(data: Data) -> Iterator[Data]:
    """Less time before anything happens, and after all has: which makes each run quicker, too."""
    found = moments(data)
    for before, moment in ((0, found[0]), tuple([0, *found][-2:])):
        for less in (length for length in NICE if length < moment - before):
            yield moved(data, {each: each - (less if each >= moment else 0) for each in found})


def one_by_one(data: Data) -> Iterator[Data]:
    """One moment moved, no further than to its neighbours."""
    found = moments(data)
    for at, moment in enumerate(found):
        low = found[at - 1] if at else 0
        high = found[at + 1] if at + 1 < len(found) else 2 * moment
        for there in _round_near(moment, low, high):
            yield moved(data, {each: each for each in found} | {moment: there})


def _round_near(time: int, low: int, high: int) -> list[int]:
    """Rounder times between two others: those with the fewest digits first, then the earliest."""
    found = set()
    for step in _GRIDS:
        down = time // step * step
        for near in (down - step, down, down + step):
            if low <= near <= high and digits(near) <= digits(time) and near != time:
                found.add(near)
    return sorted(found, key=lambda near: (digits(near), near))


def shorter_spans(data: Data) -> Iterator[Data]:
    """One span shorter, or rounder."""
    for place, length in spans(data):
        tenths = [nice for nice in reversed(NICE) if nice < length and str(nice)[0] == "1"]
        for time in (0, *tenths, *_round_near(length, 0, 2 * length)):
            yield put(data, place, spell(time))
