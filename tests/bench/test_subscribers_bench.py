"""The bench of subscribers: what a stall makes wait counts as waiting."""

import asyncio
from collections.abc import Callable
from types import ModuleType

import pytest


def test_a_batch_is_due_at_an_even_pace_whatever_came_before_it(
    load: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = load("processes", "throughput", "subscribers")
    now = [5.0]
    begun: list[float] = []

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    async def produce(number: int) -> None:
        begun.append(now[0])
        now[0] += 1.0 if number == 0 else 0.0

    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(bench.asyncio, "sleep", sleep)
    due = asyncio.run(bench.at_an_even_pace(4, 2.0, produce))
    assert due == [5.0, 5.5, 6.0, 6.5]
    assert begun == [5.0, 6.0, 6.0, 6.5]
