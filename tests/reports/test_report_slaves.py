"""What a report says of slaves: their status over time, and how far behind they were."""

from typing import Any

from delphic.harness.history import History, validated
from delphic.harness.op import Op, OpType
from delphic.reports.slaves import lags, standings

SECOND_NS = 1_000_000_000


def history(*looks: tuple[str, str, Any]) -> History:
    ops = []
    for second, (f, key, value) in enumerate(looks):
        for type in (OpType.INVOKE, OpType.OK):
            shown = value if type is OpType.OK else None
            ops.append(Op(len(ops), second * SECOND_NS, 0, type, f, key=key, value=shown))
    return validated(ops)


def task(number: int, state: str) -> list[Any]:
    return [number, number, number, "APPEND", "dfs://a", "t", state, "s1d1", "", 0, None]


def test_a_slaves_status_is_a_band_from_one_change_to_the_next() -> None:
    looks = [
        ("metrics", "s1", {"status": status})
        for status in ("ENABLED", "ENABLED", "STOPPED", "ENABLED", "DISABLED")
    ]
    found = standings(history(*looks, ("metrics", "s2", {"status": "ENABLED"})), 9_000_000)
    told = [(one.slave, one.status, one.start // 1_000_000, one.end // 1_000_000) for one in found]
    assert told == [
        ("s1", "ENABLED", 0, 2),
        ("s1", "STOPPED", 2, 3),
        ("s1", "ENABLED", 3, 4),
        ("s1", "DISABLED", 4, 9),
        ("s2", "ENABLED", 5, 9),
    ]


def test_lag_is_what_the_queue_had_and_the_slave_has_not_finished() -> None:
    found = lags(
        history(
            ("queue", "m", [[1], [2], [3]]),
            ("tasks", "s1", [task(1, "FINISH"), task(2, "EXECUTING")]),
            ("queue", "m", [[1], [2], [3], [4]]),
            ("tasks", "s1", [task(number, "FINISH") for number in (1, 2, 3)]),
        )
    )
    assert [(lag.slave, lag.times_s, lag.tasks) for lag in found] == [("s1", (1.0, 3.0), (2, 1))]


def test_a_run_without_slaves_has_neither() -> None:
    assert standings(history(("append", "t", 0)), 5) == ()
    assert lags(history(("append", "t", 0))) == ()
