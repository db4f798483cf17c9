"""What became of each slave of a replicated cluster: its status over time, and how far behind."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import msgspec

from ..harness.history import History
from ..harness.op import Op, OpType


class Standing(msgspec.Struct, frozen=True):
    """A stretch in which a slave said the same of itself; times in microseconds."""

    slave: str
    status: str
    start: int
    end: int


class Lag(msgspec.Struct, frozen=True):
    """How many of the master's tasks a slave had not finished, over time."""

    slave: str
    times_s: tuple[float, ...]
    tasks: tuple[int, ...]


def standings(history: History, end: int) -> tuple[Standing, ...]:
    """By slave, as the looks at its metrics tell; a change is dated by the look that shows it."""
    found: list[Standing] = []
    open_ones: dict[str, Standing] = {}
    for op in _answers(history, "metrics"):
        status = op.value.get("status") if isinstance(op.value, dict) else None
        if not isinstance(status, str):
            continue
        time_us, before = op.time_ns // 1000, open_ones.get(op.key)
        if before is not None and before.status == status:
            continue
        if before is not None:
            found.append(msgspec.structs.replace(before, end=time_us))
        open_ones[op.key] = Standing(op.key, status, time_us, time_us)
    for standing in open_ones.values():
        found.append(msgspec.structs.replace(standing, end=max(end, standing.start)))
    return tuple(sorted(found, key=lambda one: (one.slave, one.start)))


def lags(history: History) -> tuple[Lag, ...]:
    """Of each slave, at each look at its tasks: what the last look at the queue showed, less
    what it has finished."""
    queued: set[int] = set()
    points: dict[str, list[tuple[float, int]]] = {}
    for op in _answers(history, "queue", "tasks"):
        rows = op.value if isinstance(op.value, list) else []
        if op.f == "queue":
            queued |= {row[0] for row in rows}
            continue
        done = {row[0] for row in rows if row[6] == "FINISH"}
        points.setdefault(op.key, []).append((op.time_ns / 1e9, len(queued - done)))
    return tuple(
        Lag(slave, tuple(time for time, _ in found), tuple(tasks for _, tasks in found))
        for slave, found in sorted(points.items())
    )


def _answers(history: History, *kinds: str) -> Iterator[Op]:
    return (op for op in history.clients() if op.type is OpType.OK and op.f in kinds and op.key)


def lag_traces(found: Sequence[Lag]) -> Iterator[dict[str, Any]]:
    """A line a slave: tasks of the master that it has not finished."""
    for number, lag in enumerate(found):
        yield {
            "type": "scatter",
            "mode": "lines",
            "name": f"{lag.slave} behind",
            "x": lag.times_s,
            "y": lag.tasks,
            "yaxis": "y3",
            "line": {"color": f"--series-{min(number, 2)}", "width": 2, "shape": "hv"},
            "hovertemplate": f"{escape(lag.slave)} is %{{y}} tasks behind<extra></extra>",
        }
