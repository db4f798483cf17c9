"""Pure decisions: paces, and schedules under made-up observations."""

import random
from dataclasses import replace

import pytest
from delphic.harness.fault import NEW_LEADER, Fault
from delphic.harness.generator import LEADER_WAIT_S, Chain, Due, FaultSchedule, Pace, Seen


def kill(**when: object) -> Fault:
    return Fault(kind="kill", target="n1", **when)  # type: ignore[arg-type]


def schedule(*faults: Fault) -> FaultSchedule:
    return FaultSchedule.of(faults, Seen(0.0))


def test_the_same_seed_gives_the_same_pace() -> None:
    def paced() -> list[float]:
        pace = Pace(100.0, random.Random("7"))
        now, times = 0.0, []
        for _ in range(1000):
            now += pace.next(now)
            times.append(now)
        return times

    assert paced() == paced()
    assert paced()[-1] == pytest.approx(10.0, rel=0.15)


def test_a_client_that_was_held_up_skips_what_it_missed() -> None:
    pace = Pace(100.0, random.Random("7"))
    assert pace.next(0.0) > 0
    assert pace.next(50.0) == 0.0
    assert 0 < pace.next(50.0) < 1


def test_a_rate_without_limit_never_waits() -> None:
    pace = Pace(0.0, random.Random("7"))
    assert [pace.next(float(now)) for now in range(5)] == [0.0] * 5


def test_a_step_with_a_time_is_due_then_and_undone_after_its_duration() -> None:
    plan = schedule(kill(at_s=2.0, for_s=3.0))
    assert plan.due(Seen(1.9)) is None
    assert plan.wake_s(0.0) == 2.0
    assert plan.due(Seen(2.0)) == Due(0)
    done = plan.after(Due(0), Seen(2.1))
    assert done.left() == ()
    assert done.wake_s(2.1) == pytest.approx(5.1)
    assert done.due(Seen(5.0)) is None
    assert done.due(Seen(5.1)) == Due(0, undo=True)
    assert done.after(Due(0, undo=True), Seen(5.2)).wake_s(5.2) is None


def test_of_several_due_steps_the_longest_due_comes_first() -> None:
    plan = schedule(kill(at_s=3.0), kill(at_s=1.0), kill(at_s=2.0))
    order = []
    while (due := plan.due(Seen(9.0))) is not None:
        order.append(due.step)
        plan = plan.after(due, Seen(9.0))
    assert order == [1, 2, 0]


def test_a_schedule_is_a_value() -> None:
    plan = schedule(kill(at_s=1.0), kill(then_s=1.0))
    again = schedule(kill(at_s=1.0), kill(then_s=1.0))
    plan.after(Due(0), Seen(1.0))
    assert plan == again


def test_then_counts_from_the_step_before() -> None:
    plan = schedule(kill(at_s=1.0), kill(then_s=0.5)).after(Due(0), Seen(1.2))
    assert plan.due(Seen(1.6)) is None
    assert plan.due(Seen(1.7)) == Due(1)


def test_a_first_step_with_then_counts_from_the_beginning_and_is_not_behind_before() -> None:
    plan = schedule(kill(then_s=20.0))
    assert not plan.is_behind(2.0)
    assert plan.is_behind(20.1)
    assert plan.due(Seen(2.0)) is None


def test_a_chain_may_be_longer_than_the_stack() -> None:
    plan = schedule(*[kill(then_s=1.0)] * 2000)
    plan = replace(plan, chains=(Chain((1999,)),))
    assert plan.is_behind(2000.1)
    assert not plan.is_behind(1999.9)


def test_new_leader_waits_for_another_one_or_a_later_term_than_at_the_step_before() -> None:
    plan = schedule(kill(at_s=1.0), kill(after=NEW_LEADER, within_s=5.0))
    plan = plan.after(Due(0), Seen(1.0, term=3, leader="n1"))
    assert plan.due(Seen(2.0, term=3, leader="n1")) is None
    assert plan.due(Seen(2.0, term=4, leader=None)) is None
    assert plan.due(Seen(2.0, term=2, leader="n2")) is None
    assert plan.due(Seen(2.0, term=3, leader="n2")) == Due(1)
    assert plan.due(Seen(2.0, term=4, leader="n1")) == Due(1)


def test_an_event_that_never_comes_is_missed_and_the_steps_behind_it_are_left_out() -> None:
    plan = schedule(
        kill(at_s=1.0), kill(after=NEW_LEADER, within_s=5.0), kill(then_s=0.0), kill(at_s=9.0)
    )
    plan = plan.after(Due(0), Seen(1.0, term=3, leader="n1"))
    due = plan.due(Seen(6.0, term=3, leader="n1"))
    assert due == Due(1, missed="no new leader was seen within 5s")
    assert plan.after(due, Seen(6.0)).left() == (3,)


def test_a_step_at_the_leader_waits_for_one_but_not_for_ever() -> None:
    plan = schedule(Fault(kind="partition", target="leader", at_s=1.0))
    assert plan.due(Seen(1.5)) is None
    assert plan.due(Seen(1.5, term=1, leader="n2")) == Due(0)
    assert plan.wake_s(1.0) == 1.0 + LEADER_WAIT_S
    assert plan.due(Seen(6.0)) == Due(0, missed="no leader was known for 5s")


def test_a_step_that_was_undone_by_another_is_not_undone_again() -> None:
    plan = schedule(kill(at_s=1.0, for_s=3.0)).after(Due(0), Seen(1.0)).without_undo(0)
    assert plan.due(Seen(9.0)) is None


def test_a_step_waits_for_its_state_and_not_for_ever() -> None:
    plan = schedule(kill(at_s=1.0), kill(when="two leaders", within_s=5.0, for_s=1.0))
    assert plan.waiting(9.0) == frozenset()
    plan = plan.after(Due(0), Seen(1.0))
    assert plan.waiting(1.0) == {1}
    assert plan.due(Seen(2.0)) is None
    assert plan.wake_s(2.0) == 6.0
    assert plan.due(Seen(2.0, held=frozenset({1}))) == Due(1)
    assert plan.after(Due(1), Seen(2.0)).due(Seen(3.0)) == Due(1, undo=True)
    assert plan.due(Seen(6.0)) == Due(1, missed="'two leaders' was not seen within 5s")


def test_a_step_that_also_has_a_time_begins_to_wait_then() -> None:
    plan = schedule(
        kill(at_s=2.0, when="no leader", within_s=1.0),
        kill(then_s=1.0, when="no leader", within_s=3.0),
    )
    assert (plan.waiting(1.9), plan.waiting(2.0)) == (frozenset(), {0})
    assert plan.wake_s(0.0) == 2.0
    assert plan.due(Seen(2.9)) is None
    plan = plan.after(Due(0), Seen(2.5))
    assert (plan.waiting(3.4), plan.waiting(3.5)) == (frozenset(), {1})
    assert plan.due(Seen(6.5)) == Due(1, missed="'no leader' was not seen within 3s")
