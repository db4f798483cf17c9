"""Bins, quantiles and gaps, recounted by hand."""

import random

import pytest
from delphic.harness.history import History, validated
from delphic.harness.op import Op, OpType
from delphic.reports.page.calls import calls
from delphic.reports.page.document import _story
from delphic.reports.page.faults import Act
from delphic.reports.page.series import POINTS_MAX, Gap, acknowledged, effects, series

SECOND = 10**6


def history(*found: tuple[float, float, str, OpType]) -> History:
    """One client's calls: start and end in seconds, f, outcome."""
    ops: list[Op] = []
    for start, end, f, outcome in found:
        value = [1, 2] if f == "append" else [0, None]
        ops.append(Op(len(ops), round(start * 1e9), 0, OpType.INVOKE, f, value=value))
        ops.append(Op(len(ops), round(end * 1e9), 0, outcome, f))
    return validated(ops)


def appends(*ends: float) -> History:
    return history(*((end - 0.01, end, "append", OpType.OK) for end in ends))


def test_completions_are_counted_by_outcome_and_bin() -> None:
    found = series(
        calls(
            history(
                (0.0, 0.1, "append", OpType.OK),
                (0.2, 0.3, "append", OpType.FAIL),
                (0.4, 0.6, "read", OpType.OK),
                (0.7, 1.4, "read", OpType.INFO),
            ),
            1,
        )
    )
    assert found.bin_s == 0.5
    assert found.middles_s == (0.25, 0.75, 1.25)
    assert found.rates == {"ok": (2, 2, 0), "fail": (2, 0, 0), "info": (0, 0, 2)}
    assert [latency.f for latency in found.latencies] == ["append", "read"]
    assert found.latencies[0].p50 == (100.0, None, None)
    assert found.latencies[1].points_ms == (200.0,)


def test_quantiles_are_nearest_ranks() -> None:
    # A hundred calls of 1, 2 … 100 microseconds, all within one bin.
    found = series(
        calls(
            history(
                *((n / 1000, n / 1000 + n / 1e6, "read", OpType.OK) for n in range(1, 101)),
            ),
            1,
        )
    )
    assert found.latencies[0].p50 == (0.05,)
    assert found.latencies[0].p99 == (0.099,)


def test_many_points_are_sampled_but_never_the_slowest() -> None:
    chance = random.Random(3)
    slow = (2.0, 2.9, "read", OpType.OK)
    many = [(3 + n / 2000, 3 + n / 2000 + chance.random() / 4000, "read", OpType.OK)
            for n in range(3 * POINTS_MAX)]  # fmt: skip
    (found,) = series(calls(history(slow, *many), 1)).latencies
    assert max(found.points_ms) == pytest.approx(900)
    assert len(found.points_ms) < 2 * POINTS_MAX


def test_long_runs_have_wide_bins() -> None:
    found = series(calls(history((0.0, 3000.0, "read", OpType.OK)), 1))
    assert found.bin_s == 30
    assert len(found.middles_s) == 101


def test_the_longest_gap_counts_from_the_beginning_to_the_last_try() -> None:
    found = acknowledged(appends(2.0, 2.5, 4.5, 5.0), 1 * SECOND, 20 * SECOND)
    assert found.rows == 8
    assert found.longest is not None
    assert (found.longest.start, found.longest.length) == (2_500_000, 2_000_000)
    late = acknowledged(appends(3.0, 3.5), 0, 20 * SECOND)
    assert late.longest is not None
    assert (late.longest.start, late.longest.length) == (0, 3_000_000)


def test_without_an_acknowledgement_there_is_no_gap_to_measure() -> None:
    found = acknowledged(history((0.0, 1.0, "append", OpType.FAIL)), 0, 2 * SECOND)
    assert found.times == ()
    assert found.longest is None


def test_what_a_fault_did_to_writers() -> None:
    acked = acknowledged(appends(1.0, 2.0, 3.9, 4.2, 6.0, 7.0), 0, 8 * SECOND)
    fault = Act("kill", "kill", "n1", 0, 3 * SECOND, None, number=1, end=5 * SECOND)
    (found,) = effects([fault], acked, 8 * SECOND)
    assert found.acknowledged == 2
    assert found.recovery == 1 * SECOND
    assert found.longest is not None
    assert (found.longest.start, found.longest.length) == (2 * SECOND, 1_900_000)


def test_a_fault_that_outlived_the_run_has_no_recovery() -> None:
    silent = (3.5, 8.0, "append", OpType.INFO)
    acked = acknowledged(history((0.9, 1.0, "append", OpType.OK), silent), 0, 8 * SECOND)
    fault = Act("kill", "kill", "n1", 0, 3 * SECOND, None, number=1)
    (found,) = effects([fault], acked, 8 * SECOND)
    assert (found.acknowledged, found.recovery, found.unanswered) == (0, None, None)
    assert found.recovery_text == "–"
    assert found.longest is not None
    assert found.longest.length == 7 * SECOND


def kill(number: int, start: int, end: int) -> Act:
    return Act("kill", "kill", "n1", 0, start * SECOND, None, number=number, end=end * SECOND)


def test_writers_whom_nobody_answered_any_more_are_the_slowest_recovery() -> None:
    acks = [(t - 0.01, t, "append", OpType.OK) for t in (1.0, 2.5, 3.0, 3.9)]
    tries = [(float(t), t + 1.0, "append", OpType.INFO) for t in range(4, 25)]
    acked = acknowledged(history(*acks, *tries), 0, 26 * SECOND)
    first, second = effects([kill(1, 2, 3), kill(2, 4, 5)], acked, 26 * SECOND)
    assert (first.recovery_text, first.waited) == ("900.0 ms", 900_000)
    assert (second.recovery, second.unanswered) == (None, 20 * SECOND)
    assert second.recovery_text == "none in 20.00 s"
    assert second.longest == acked.longest == Gap(3_900_000, 25 * SECOND)
    slowest = _story(calls(history(), 1), acked, (first, second), (), (), ())[-1]
    assert slowest.value == "none in 20.00 s"
    assert slowest.note == "from the end of F2 until writers stopped"


def test_before_the_first_acknowledgement_silence_counts_from_the_beginning() -> None:
    acked = acknowledged(appends(3.0, 3.1), 0, 8 * SECOND)
    (found,) = effects([kill(1, 2, 4)], acked, 8 * SECOND)
    assert found.longest == acked.longest == Gap(0, 3 * SECOND)


def test_after_writers_stopped_nobody_was_left_to_be_answered() -> None:
    acked = acknowledged(appends(1.0, 2.0), 0, 8 * SECOND)
    within, after = effects([kill(1, 1, 3), kill(2, 4, 5)], acked, 8 * SECOND)
    assert (within.recovery, within.unanswered) == (None, None)
    assert (after.longest, after.recovery_text) == (None, "–")
