"""Times: spelled and read back, moved, and made round."""

from typing import Any

import pytest
from delphic.harness.language.units import seconds
from delphic.harness.shrink.moments import (
    cost,
    digits,
    earlier,
    evenly,
    is_length,
    less_idle,
    moments,
    moved,
    on_a_grid,
    one_by_one,
    read,
    shorter_spans,
    spans,
    spell,
)
from hypothesis import given
from hypothesis import strategies as st

MOVES = (evenly, on_a_grid, earlier, one_by_one, shorter_spans)

DATA: dict[str, Any] = {
    "workload": {"name": "log", "op_timeout": "150ms", "ops": [{"client": 0, "at": "1.5s"}]},
    "duration": "10s",
    "faults": [
        {"at": "2s", "partition": "leader", "for": "3.25s"},
        {"then": "100ms", "delay": {"links": "all", "by": "200ms"}, "for": "1s"},
        {"random": {"from": ["kill"], "every": "1s", "for": "500ms", "until": "9s"}},
    ],
}


@given(st.integers(0, 3_600_000_000))
def test_a_time_is_spelled_exactly(time: int) -> None:
    assert read(spell(time)) == time
    assert seconds(spell(time)) == pytest.approx(time / 1e6, abs=1e-9)
    assert is_length(spell(time))


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0, "0s"),
        (1_500, "1.5ms"),
        (250_000, "250ms"),
        (1_000_000, "1s"),
        (12_345_678, "12.345678s"),
    ],
)
def test_a_time_is_spelled_as_short_as_can_be(time: int, text: str) -> None:
    assert spell(time) == text


def test_digits_are_those_that_a_person_reads() -> None:
    assert [digits(read(text)) for text in ("0s", "2s", "300ms", "12s", "1.25s")] == [0, 1, 1, 2, 3]


def test_moments_and_spans_are_all_times_there_are() -> None:
    assert [spell(moment) for moment in moments(DATA)] == ["1.5s", "2s", "5.25s", "10s"]
    assert [(place[-1], spell(length)) for place, length in spans(DATA)] == [
        ("then", "100ms"),
        ("by", "200ms"),
        ("for", "1s"),
        ("op_timeout", "150ms"),
    ]


def test_what_is_moved_takes_its_end_along() -> None:
    there = moved(
        DATA,
        {
            read(a): read(b)
            for a, b in [("1.5s", "1s"), ("2s", "1s"), ("5.25s", "3s"), ("10s", "4s")]
        },
    )
    assert there["faults"][0] == {"at": "1s", "partition": "leader", "for": "2s"}
    assert there["workload"]["ops"][0]["at"] == "1s"
    assert there["duration"] == "4s"
    assert there["faults"][1:] == DATA["faults"][1:]


def test_the_order_of_moments_is_kept() -> None:
    before = [1_500_000, 2_000_000, 5_250_000, 10_000_000]
    for other in (other for move in MOVES for other in move(DATA)):
        step = other["faults"][0]
        after = [
            read(other["workload"]["ops"][0]["at"]),
            read(step["at"]),
            read(step["at"]) + read(step["for"]),
            read(other["duration"]),
        ]
        assert after == sorted(after)
    assert moments(DATA) == before


def test_the_boldest_comes_first_and_some_of_them_are_rounder() -> None:
    others = [other for move in MOVES for other in move(DATA)]
    assert [spell(moment) for moment in moments(others[0])] == ["10ms", "20ms", "30ms", "40ms"]
    assert sum(cost(other) < cost(DATA) for other in others) > 20


def test_idle_time_is_that_before_the_first_and_after_the_last_moment() -> None:
    found = {tuple(spell(moment) for moment in moments(other)) for other in less_idle(DATA)}
    assert ("500ms", "1s", "4.25s", "9s") in found
    assert ("1.5s", "2s", "5.25s", "8s") in found
    lengths = {read(times[2]) - read(times[1]) for times in found}
    assert lengths == {read("3.25s")}
