"""Timers fire after their period and not before, however often they are set anew."""

import random

import pytest
from delphic.impl.raft.alarms import Alarms
from delphic.impl.raft.ready import Timer
from hand_clock import HandClock

TICK_S = 0.1


class Low:
    """Chance that always gives the least."""

    def uniform(self, low: float, high: float) -> float:
        assert low < high
        return low


def alarms() -> tuple[HandClock, Alarms, list[tuple[int, Timer]]]:
    clock = HandClock()
    fired: list[tuple[int, Timer]] = []
    made = Alarms(
        clock, Low(), TICK_S, lambda timer: fired.append((clock.now_ns() // 1_000_000, timer))
    )
    return clock, made, fired


@pytest.mark.parametrize(
    ("timer", "milliseconds"),
    [(Timer.ELECTION, 100), (Timer.LEASE, 100), (Timer.QUORUM, 100), (Timer.HEARTBEAT, 10)],
)
def test_each_timer_fires_once_after_its_period(timer: Timer, milliseconds: int) -> None:
    clock, made, fired = alarms()
    made.arm(timer)
    clock.advance(1)
    assert fired == [(milliseconds, timer)]


def test_election_timeouts_lie_between_one_tick_and_two() -> None:
    clock = HandClock()
    fired: list[int] = []
    made = Alarms(clock, random.Random(3), TICK_S, lambda _: fired.append(clock.now_ns()))
    start = 0
    for _ in range(200):
        start = clock.now_ns()
        made.arm(Timer.ELECTION)
        clock.advance(3 * TICK_S)
        assert 0.1e9 <= fired[-1] - start <= 0.2e9
    assert len(set(fired)) == 200


def test_a_timer_set_anew_again_and_again_does_not_fire_and_needs_few_alarms() -> None:
    clock, made, fired = alarms()
    for _ in range(1000):
        made.arm(Timer.ELECTION)
        clock.advance(0.001)
        assert len(clock.alarms) == 1
    assert fired == []
    clock.advance(1)
    assert fired == [(1099, Timer.ELECTION)]


def test_an_earlier_deadline_replaces_a_later_one() -> None:
    clock = HandClock()
    fired: list[int] = []

    class Falling:
        def __init__(self) -> None:
            self.next = [0.2, 0.1]

        def uniform(self, low: float, high: float) -> float:
            return self.next.pop(0)

    made = Alarms(clock, Falling(), TICK_S, lambda _: fired.append(clock.now_ns()))
    made.arm(Timer.ELECTION)
    made.arm(Timer.ELECTION)
    clock.advance(1)
    assert fired == [100_000_000]


def test_a_disarmed_timer_does_not_fire_and_can_be_armed_again() -> None:
    clock, made, fired = alarms()
    made.arm(Timer.QUORUM)
    made.disarm(Timer.QUORUM)
    clock.advance(1)
    assert fired == []
    made.arm(Timer.QUORUM)
    clock.advance(1)
    assert fired == [(1100, Timer.QUORUM)]
    made.arm(Timer.HEARTBEAT)
    made.close()
    clock.advance(1)
    assert len(fired) == 1
