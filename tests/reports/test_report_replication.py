"""Lag and states of a run with slaves, recounted by hand."""

from typing import Any

import pytest
from delphic.harness.history import History, validated
from delphic.harness.op import Op, OpType
from delphic.reports.page.replication import Replication, Stretch, replication

SIDES = ("m", "s1")
OK, FAIL, INFO = OpType.OK, OpType.FAIL, OpType.INFO


def history(*calls: tuple[float, float, str, str, OpType, Any]) -> History:
    """Calls: asked and answered in seconds, f, key, outcome, answer."""
    events = []
    for process, (asked, answered, f, key, outcome, value) in enumerate(calls):
        events.append((asked, process, OpType.INVOKE, f, key, None))
        events.append((answered, process, outcome, f, key, value))
    events.sort(key=lambda event: event[:2])
    return validated(
        Op(index, round(at * 1e9), process, type_, f, key=key, value=value)
        for index, (at, process, type_, f, key, value) in enumerate(events)
    )


def metrics(at: float, finished: int, status: str = "ENABLED", took: float = 0.1) -> Any:
    value = {"status": status, "finished": finished, "unfinished": 0}
    return at, at + took, "metrics", "s1", OK, value


def wrote(at: float, tid: int) -> Any:
    return at - 0.1, at, "append", "dfs://db/t", OK, {"tid": tid, "rows": 1}


def queue(at: float, *tids: int) -> Any:
    return at - 0.1, at, "queue", "m", OK, [[n, tid, n] for n, tid in enumerate(tids, start=1)]


def ordered(kind: str, side: str, at: float, outcome: OpType = OK) -> Any:
    return at - 0.1, at, kind, side, outcome, None


def found(*calls: Any, end: float = 10, sides: tuple[str, ...] = SIDES) -> Replication:
    told = replication(history(*calls), sides, round(end * 1e6))
    assert told is not None
    return told


def states(told: Replication, side: str) -> list[tuple[str, float, float]]:
    return [(s.state, s.start / 1e6, s.end / 1e6) for s in told.of(side)]


def test_lag_is_what_was_enqueued_less_what_is_finished() -> None:
    told = found(
        wrote(1, 7), metrics(1.4, 0), wrote(2, 8), wrote(3, 9), metrics(3.4, 1), metrics(4.4, 3),
        queue(9, 7, 8, 9),
    )  # fmt: skip
    (lag,) = told.lags
    assert lag.times == (1_500_000, 3_500_000, 4_500_000)
    assert lag.tasks == (1, 2, 0)
    assert lag.finished == (0, 1, 3)
    assert told.enqueued == 3


def test_a_task_of_nobody_is_there_before_the_one_behind_it_or_when_it_is_seen() -> None:
    told = found(wrote(2, 8), metrics(2.9, 0), metrics(4.9, 0), queue(4, 7, 8, 9))
    # Of 7 and 9 no client was told; 7 lies before 8.
    assert told.lags[0].tasks == (2, 3)


def test_a_slave_may_be_ahead_of_what_writers_were_told() -> None:
    told = found(metrics(1, 1), wrote(2, 7), queue(3, 7))
    assert told.lags[0].tasks == (0,)


def test_states_last_from_when_they_were_learned() -> None:
    told = found(
        ordered("stop", "m", 3), ordered("start", "m", 4),
        metrics(0.9, 0), ordered("stop", "s1", 2), metrics(2.9, 0, "DISABLED"),
        ordered("start", "s1", 5), metrics(6.9, 0, "STOPPED"), metrics(7.9, 0, "STOPPED"),
    )  # fmt: skip
    assert states(told, "m") == [("ENABLED", 0, 3), ("DISABLED", 3, 4), ("ENABLED", 4, 10)]
    assert states(told, "s1") == [
        ("unknown", 0, 1), ("ENABLED", 1, 2), ("DISABLED", 2, 5), ("ENABLED", 5, 7),
        ("STOPPED", 7, 10),
    ]  # fmt: skip


def test_an_answer_to_an_old_question_changes_nothing() -> None:
    told = found(metrics(0.9, 0), metrics(1.5, 0, "ENABLED", took=0.9), ordered("stop", "s1", 2))
    assert states(told, "s1") == [("unknown", 0, 1), ("ENABLED", 1, 2), ("DISABLED", 2, 10)]


@pytest.mark.parametrize(("outcome", "state"), [(INFO, "unknown"), (FAIL, "ENABLED")])
def test_of_an_order_that_may_be_done_nobody_knows(outcome: OpType, state: str) -> None:
    told = found(metrics(0.9, 0), ordered("stop", "m", 4, outcome), ordered("start", "m", 6))
    assert [s.state for s in told.of("m") if s.start <= 5e6 < s.end] == [state]


def test_a_slave_that_does_not_answer_is_silent() -> None:
    missed = (2.0, 4.0, "metrics", "s1", INFO, None)
    told = found(metrics(0.9, 0), missed, metrics(4.9, 0), metrics(5.9, 0, took=3.1))
    assert states(told, "s1") == [
        ("unknown", 0, 1), ("no answer", 1, 5), ("no answer", 5, 9), ("ENABLED", 9, 10),
    ]  # fmt: skip


def test_nobody_asking_is_no_silence_and_one_dead_node_of_two_is_none() -> None:
    dead = (1.2, 1.3, "metrics", "s1", FAIL, None)
    told = found(metrics(0.9, 0), dead, metrics(1.4, 0), metrics(7.9, 0))
    assert states(told, "s1") == [("unknown", 0, 1), ("ENABLED", 1, 10)]


def test_a_slave_that_is_gone_is_silent_to_the_end() -> None:
    missed = (2.0, 4.0, "metrics", "s1", INFO, None)
    told = found(metrics(0.9, 0), missed)
    assert told.of("s1")[-1] == Stretch("s1", "no answer", 1_000_000, 10_000_000)


@pytest.mark.parametrize("sides", [(), ("m",), ("s1",), SIDES])
def test_without_slaves_or_looks_there_is_nothing(sides: tuple[str, ...]) -> None:
    looks = [metrics(1, 0)] if sides != SIDES else [wrote(1, 7)]
    assert replication(history(*looks), sides, 10**7) is None


def test_answers_of_no_known_shape_tell_nothing() -> None:
    odd = [(n, n + 0.1, f, k, OK, v) for n, (f, k, v) in enumerate([
        ("queue", "m", [["x", 1], [2], 3, [0, 1], None]), ("queue", "m", "x"),
        ("metrics", "s1", ["x"]), ("metrics", "s1", {"finished": "x"}),
        ("append", "a", {"tid": "x"}),
    ])]  # fmt: skip
    told = found(*odd, metrics(8, 2))
    assert told.enqueued == 0
    assert told.lags[0].tasks == (0,)
