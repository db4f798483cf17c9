"""The slave's leader: when it pulls, what it dispatches where, what it waits for."""

from collections.abc import Iterator

import pytest
from delphic.impl.replication.dispatcher import RUNNING_PER_NODE_MAX, Dispatcher
from delphic.impl.replication.effects import Arm, Dispatch, Effect, Propose, Pull, Wait
from delphic.impl.replication.events import (
    Applied,
    AttemptEnded,
    Ending,
    Failed,
    Led,
    PullAnswered,
    PullDue,
    Queued,
    RetryDue,
    Skipped,
    SlaveEntry,
    Started,
    StoodDown,
    Stopped,
)
from delphic.impl.replication.slave import Record, Slave
from delphic.impl.replication.status import Status
from delphic.impl.replication.tasks import PULL_TASKS_MAX, QUEUE_TASKS_MAX, Task
from queue_makers import executed, queued, task

NODES = ("d1", "d2", "d3")


class Leader:
    """A slave with one controller: what it proposes is applied when told to."""

    def __init__(self, *tasks: Task, limit: int = 30) -> None:
        self.slave = Slave()
        if tasks:
            self.slave.step(queued(*tasks))
        self.dispatcher = Dispatcher(self.slave, NODES, limit)
        self.first = self.dispatcher.step(Led())

    def apply(self, *entries: SlaveEntry) -> list[Effect]:
        effects: list[Effect] = []
        for entry in entries:
            self.slave.step(entry)
            effects += self.dispatcher.step(Applied(entry))
        return effects

    def ended(self, task_id: int, ending: Ending, reason: str = "") -> tuple[Effect, ...]:
        return self.dispatcher.step(AttemptEnded(task_id, ending, 5, reason))

    def answered(self, *tasks: Task, more: bool = False) -> tuple[Effect, ...]:
        return self.dispatcher.step(PullAnswered(tasks, more, 3))


def test_who_leads_pulls_and_dispatches_what_waits() -> None:
    leader = Leader(task(1, 1), task(2, 1), task(3, 2))
    assert leader.first == (
        Pull(3, 0, PULL_TASKS_MAX),
        Dispatch(1, "d2"),
        Dispatch(2, "d3"),
    )
    assert leader.dispatcher.running == {1: "d2", 2: "d3"}


def test_who_does_not_lead_asks_for_nothing() -> None:
    slave = Slave()
    slave.step(queued(task(1)))
    dispatcher = Dispatcher(slave, NODES, 30)
    for news in (PullDue(), RetryDue(1), Applied(Started()), AttemptEnded(1, Ending.FAILED, 1)):
        assert dispatcher.step(news) == ()


def test_what_was_pulled_goes_through_the_log_before_it_is_executed() -> None:
    leader = Leader()
    entry = Queued((task(1),), 3)
    assert leader.answered(task(1)) == (Propose(entry),)
    assert leader.dispatcher.step(PullDue()) == ()
    assert leader.apply(entry) == [Arm(Wait.PULL), Dispatch(1, "d2")]
    assert leader.dispatcher.step(PullDue()) == (Pull(1, 0, PULL_TASKS_MAX),)


def test_who_is_far_behind_pulls_again_at_once() -> None:
    leader = Leader()
    leader.answered(task(1), more=True)
    assert leader.apply(Queued((task(1),), 3))[0] == Pull(1, 0, PULL_TASKS_MAX)


def test_a_pull_that_brought_nothing_is_repeated_after_a_while() -> None:
    leader = Leader()
    assert leader.answered() == (Arm(Wait.PULL),)
    assert leader.dispatcher.step(PullDue()) == (Pull(0, 0, PULL_TASKS_MAX),)
    assert leader.dispatcher.step(PullAnswered((), False, 1, "no leader")) == (Arm(Wait.PULL),)


def test_a_slave_takes_no_more_than_it_can_do_but_reports() -> None:
    slave = Slave()
    many = [task(task_id, 1) for task_id in range(1, QUEUE_TASKS_MAX)]
    slave.step(queued(*many))
    effects = Dispatcher(slave, NODES, 30).step(Led())
    assert effects[0] == Pull(QUEUE_TASKS_MAX - 1, 0, 1)
    assert len(effects) == 1 + len(NODES) * RUNNING_PER_NODE_MAX


def test_an_answer_after_a_stop_is_not_taken_and_asked_for_again_after_the_start() -> None:
    leader = Leader()
    assert leader.apply(Stopped()) == []
    assert leader.answered(task(1)) == ()
    assert leader.dispatcher.step(PullDue()) == ()
    assert leader.apply(Started()) == [Pull(0, 0, PULL_TASKS_MAX)]


def test_stop_and_start_make_no_second_chain_of_pulls() -> None:
    leader = Leader()
    leader.answered()
    assert leader.apply(Stopped(), Started()) == [Pull(0, 0, PULL_TASKS_MAX)]
    assert leader.dispatcher.step(PullDue()) == ()
    assert leader.answered() == (Arm(Wait.PULL),)


def test_the_next_group_waits_for_every_task_of_this_one() -> None:
    leader = Leader(task(1, 1), task(2, 1), task(3, 2))
    assert leader.ended(2, Ending.DONE) == (Arm(Wait.RETRY, 2),)
    assert leader.apply(*executed(2)) == []
    assert leader.apply(executed(1)[0]) == []
    assert leader.apply(executed(1)[1]) == [Dispatch(3, "d1")]


def test_a_failure_is_counted_and_tried_again_after_a_while() -> None:
    leader = Leader(task(1))
    entry = Failed(1, "d2", "disk full", 5, 30)
    assert leader.ended(1, Ending.FAILED, "disk full") == (Propose(entry),)
    assert leader.apply(entry) == [Arm(Wait.RETRY, 1)]
    assert leader.dispatcher.step(RetryDue(1)) == (Dispatch(1, "d2"),)


def test_data_that_is_not_persisted_yet_is_waited_for_and_not_counted() -> None:
    leader = Leader(task(1))
    assert leader.ended(1, Ending.NOT_PERSISTED) == (Arm(Wait.PERSIST, 1),)
    assert leader.dispatcher.step(RetryDue(1)) == (Dispatch(1, "d2"),)
    assert leader.slave.records[1].failures == 0


def test_the_last_failure_stops_everything_and_a_start_dispatches_again() -> None:
    leader = Leader(task(1, 1), task(2, 1), limit=1)
    leader.ended(1, Ending.FAILED, "x")
    assert leader.apply(Failed(1, "d2", "x", 5, 1)) == []
    assert leader.slave.status is Status.STOPPED
    # What was running ends, and what it did counts.
    leader.ended(2, Ending.DONE)
    assert leader.apply(*executed(2)) == []
    # The first pull was never answered, so it is not repeated.
    assert leader.apply(Started()) == [Dispatch(1, "d2")]


def test_a_failure_of_what_was_recorded_meanwhile_is_not_proposed() -> None:
    leader = Leader(task(1))
    leader.apply(executed(1)[0])
    assert leader.ended(1, Ending.FAILED, "timed out") == ()


def test_while_stopped_nothing_new_begins() -> None:
    leader = Leader(task(1, 1), task(2, 2))
    leader.apply(Stopped())
    leader.ended(1, Ending.DONE)
    assert leader.apply(*executed(1)) == []
    assert leader.dispatcher.step(RetryDue(2)) == ()
    assert Dispatch(2, "d3") in leader.apply(Started())


def test_what_runs_cannot_be_skipped_until_it_has_ended() -> None:
    leader = Leader(task(1))
    leader.apply(Stopped())
    assert "task 1 is being executed" in leader.dispatcher.refuses_skip((1,))
    leader.ended(1, Ending.FAILED, "x")
    assert "task 1 is being executed" in leader.dispatcher.refuses_skip((1,))
    leader.apply(Failed(1, "d2", "x", 5, 30))
    assert leader.dispatcher.refuses_skip((1,)) == ""
    leader.apply(Skipped((1,), 9))
    assert leader.slave.finished == 1


def test_who_leads_again_forgets_what_ran_and_dispatches_it_again() -> None:
    leader = Leader(task(1))
    assert leader.dispatcher.step(StoodDown()) == ()
    assert leader.dispatcher.running == {}
    assert leader.dispatcher.step(Led())[1:] == (Dispatch(1, "d2"),)


def test_a_data_node_is_given_no_more_at_once_than_it_can_take() -> None:
    slave = Slave()
    slave.step(queued(*(task(task_id, 1) for task_id in range(1, 101))))
    effects = Dispatcher(slave, ("d1",), 30).step(Led())
    assert len([e for e in effects if isinstance(e, Dispatch)]) == RUNNING_PER_NODE_MAX


def test_of_a_group_of_many_tasks_only_the_next_ones_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count, looked = 500, 0
    leader = Leader(*(task(task_id, 1) for task_id in range(1, count + 1)))
    current = leader.slave.current

    def counted() -> Iterator[Record]:
        nonlocal looked
        for record in current():
            looked += 1
            yield record

    monkeypatch.setattr(leader.slave, "current", counted)
    while leader.dispatcher.running:
        task_id = min(leader.dispatcher.running)
        leader.apply(*executed(task_id))
        leader.ended(task_id, Ending.DONE)
    assert leader.slave.finished == count
    assert looked < 2 * len(NODES) * RUNNING_PER_NODE_MAX * count


def test_a_dump_is_everything() -> None:
    leader = Leader(task(1, 1), task(2, 1), task(3, 1), limit=9)
    leader.ended(1, Ending.FAILED, "x")
    leader.ended(2, Ending.NOT_PERSISTED)
    leader.answered()
    state = leader.dispatcher.dump()
    assert (state.failing, state.resting, state.running) == ((1,), (2,), (3,))
    again = Dispatcher(leader.slave, NODES, 9, state)
    assert again.dump() == state
    news = (RetryDue(2), PullDue(), AttemptEnded(3, Ending.NOT_PERSISTED, 1))
    for piece in news:
        assert again.step(piece) == leader.dispatcher.step(piece)
