"""Controllers, data nodes, and the ledger that follows a slave, step by step."""

from dataclasses import replace
from typing import Any

import pytest
from delphic.model.actor import Receive, Step
from delphic.model.replication import DataNode, SlaveControllers
from delphic.model.replication_events import (
    Abort,
    Apply,
    Begin,
    Begun,
    Call,
    Commit,
    Complete,
    Create,
    Define,
    Dispatch,
    Elect,
    Ended,
    Execute,
    Fetch,
    Fetched,
    Finish,
    Flush,
    Forget,
    Found,
    Lose,
    NotLeader,
    Order,
    Own,
    Pull,
    Pulled,
    SetFlag,
    Skip,
    Write,
)
from delphic.model.replication_master import Controllers, Coordinator
from delphic.model.replication_rules import Grouping, Lost, Options, Rules, group_of
from delphic.model.replication_types import (
    Data,
    Deed,
    Master,
    Note,
    Reason,
    Slave,
    Slot,
    State,
    Status,
    Task,
    Transaction,
    What,
)

RULES = Rules()
WIDE = Options(writes=4, definitions=2, chunks=2, attempts=4)


def walk(actor: Any, state: Any, *events: Any) -> Step:
    """The last of these events, each after the one before."""
    step = Step(state)
    for event in events:
        found = actor.step(step.state, event)
        assert found is not None, event
        step = found
    return step


def master(options: Options = WIDE) -> Controllers:
    return Controllers(options, RULES)


def committed(tid: int) -> Receive:
    return Receive(Commit(1, 0, tid))


def after(*events: Any, options: Options = WIDE) -> Master:
    actor = master(options)
    state = walk(actor, actor.initial(0), *events).state
    assert isinstance(state, Master)
    return state


def write(tid: int, chunk: int = 0) -> tuple[Any, ...]:
    return (Begin(chunk), committed(tid), Complete(tid))


# The master.


def test_a_transaction_is_a_task_once_it_is_complete_and_not_before() -> None:
    """PR-1, PR-2, PR-3."""
    assert after(Begin(0), committed(1)).tasks == ()
    assert after(*write(1)).tasks == (Task(1, 1, 1, (0,), True),)
    assert after(Begin(0), Abort(1), *write(2)).tasks == (Task(1, 1, 2, (0,), True),)


def test_what_completes_while_the_master_is_disabled_is_no_task() -> None:
    """PR-12; what was queued stays (M5)."""
    s = after(*write(1), Begin(0), committed(2), Order.STOP, Complete(2), Order.START, *write(3))
    assert [task.tid for task in s.tasks] == [1, 3]


def test_what_began_before_the_flag_was_off_is_no_task_after_it() -> None:
    """PR-13."""
    assert after(Begin(0), SetFlag(0, on=False), committed(1), Complete(1)).tasks == ()
    assert after(SetFlag(0, on=False), Begin(0), SetFlag(0, on=True), committed(1)).tasks[1:] == ()


def test_a_new_database_is_off_and_its_creation_is_a_task_when_it_is_switched_on() -> None:
    """PR-24, U5."""
    options = replace(WIDE, created=False, flags=2)
    actor = master(options)
    assert actor.step(actor.initial(0), Begin(0)) is None
    s = after(Create(0), options=options)
    assert (s.flags, s.tasks) == ((False,), ())
    s = after(Create(0), SetFlag(0, on=True), options=options)
    assert s.tasks == (Task(1, 1, 2, (0, 1), False),)


def test_a_locked_chunk_and_a_busy_database_wait() -> None:
    actor = master()
    assert actor.step(after(Begin(0)), Begin(0)) is None
    assert actor.step(after(Begin(0), committed(1)), Define(0)) is None
    s = after(Begin(0), Define(0))
    assert [t.deed for t in s.transactions] == [Deed.ABORTED, Deed.COMPLETE]
    assert actor.step(s, committed(1)) is None


@pytest.mark.parametrize(
    ("grouping", "groups"), [(Grouping.CONTIGUOUS, [1, 1, 2, 3]), (Grouping.LEVELLED, [1, 1, 2, 3])]
)
def test_a_task_joins_the_last_group_unless_it_conflicts_or_is_of_metadata(
    grouping: Grouping, groups: list[int]
) -> None:
    """PR-6, G3, G4, U10."""
    options = replace(WIDE, grouping=grouping)
    s = after(*write(1), *write(2, 1), *write(3), Define(0), options=options)
    assert [task.group for task in s.tasks] == groups


def test_levelled_groups_are_joined_late() -> None:
    """U10: a task joins a group that a slave may have passed."""
    s = after(*write(1), *write(2))
    late = Transaction((1,), True, True, Deed.COMPLETE)
    assert group_of(replace(WIDE, grouping=Grouping.LEVELLED), s, late) == 1
    assert group_of(WIDE, s, late) == 2


def test_a_pull_registers_reports_truncates_and_is_answered() -> None:
    """PR-17, PR-25, PR-30."""
    actor, s = master(), after(*write(1), *write(2))
    first = walk(actor, s, Receive(Pull(2, 0, 0, 0, 0)))
    assert first.sends == (Pulled(0, 2, 0, s.tasks),)
    done = walk(actor, first.state, Receive(Pull(2, 0, 0, 2, 1)))
    assert isinstance(done.state, Master)
    assert (done.state.done, done.state.cut) == ((1,), 1)
    assert done.sends == (Forget(0, 1, 1),)
    assert actor.step(done.state, Receive(Pull(2, 0, 0, 0, 0))) is None, "U13: it is gone"


def test_two_slaves_hold_a_task_until_both_have_done_it() -> None:
    """PR-17: the second slave is the actor behind the first one and its data node."""
    options = replace(WIDE, slaves=2)
    actor = master(options)
    s = walk(
        actor,
        after(*write(1), options=options),
        Receive(Pull(4, 0, 0, 0, 0)),
        Receive(Pull(2, 0, 0, 1, 1)),
    ).state
    assert isinstance(s, Master)
    assert (s.done, s.cut) == ((1, 0), 0)
    assert actor.step(s, Receive(Pull(2, 0, 0, 0, 0))) is None, "it has done that, and goes on"


def test_who_does_not_lead_says_who_does() -> None:
    """PR-31."""
    options = replace(WIDE, controllers=2, elections=1)
    s = after(*write(1), Elect(1), options=options)
    step = walk(master(options), s, Receive(Pull(2, 0, 0, 0, 0)))
    assert step.sends == (NotLeader(0, 2, 1),)
    assert master(options).step(s, Elect(1)) is None


def test_who_may_not_call_changes_nothing() -> None:
    """PR-23."""
    s = after(*write(1))
    assert walk(master(), s, Call(Order.STOP)).state == s
    for actor in (Coordinator(WIDE, RULES), DataNode(WIDE, RULES, 0, 0)):
        first = actor.initial(1)
        assert walk(actor, first, Call(Order.STOP)) == Step(first)


# The coordinator.


@pytest.mark.parametrize("sync", [True, False])
def test_task_data_is_on_disk_before_the_commit_or_after_it(sync: bool) -> None:
    """U2, PR-19."""
    actor = Coordinator(replace(WIDE, sync=sync), RULES)
    begun = walk(actor, actor.initial(1), Receive(Begun(0, 1, 1, True)))
    flushed = walk(actor, begun.state, Flush(1))
    commit = (Commit(1, 0, 1),)
    assert (begun.sends, flushed.sends) == (((), commit) if sync else (commit, ()))
    assert actor.step(begun.state, Receive(Begun(0, 1, 1, True))) is None
    crashed = walk(actor, begun.state, Own.CRASH).state
    assert crashed.data[0] is Data.LOST  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (Data.MEMORY, Found.LATER),
        (Data.DISK, Found.DATA),
        (Data.LOST, Found.MISSING),
        (Data.NONE, Found.MISSING),
    ],
)
def test_what_a_slave_is_told_of_task_data(data: Data, found: Found) -> None:
    actor = Coordinator(WIDE, RULES)
    s = actor.initial(1)._replace(data=(data, *actor.initial(1).data[1:]))
    step = walk(actor, s, Receive(Fetch(3, 1, 7, 2, 1)))
    assert step.sends == (Fetched(1, 3, 7, 2, found),)


# A slave.

TASKS = (Task(1, 1, 1, (0,), True), Task(2, 1, 2, (1,), True), Task(3, 2, 3, (0, 1), False))
NEW = tuple(Slot(task, State.WAITING, 0, Reason.NONE, False, False, 0, 0) for task in TASKS)


def slave(options: Options = WIDE) -> SlaveControllers:
    return SlaveControllers(options, RULES, 0)


def pulled(options: Options = WIDE, **fields: Any) -> Slave:
    first = slave(options).initial(2)
    return first._replace(offset=3, slots=NEW)._replace(**fields)


def state(step: Step) -> Slave:
    assert isinstance(step.state, Slave)
    return step.state


def test_an_answer_is_taken_where_the_offset_is_and_only_while_enabled() -> None:
    """PR-11; T1."""
    actor = slave()
    answer = Receive(Pulled(0, 2, 0, TASKS))
    taken = state(walk(actor, actor.initial(2), answer))
    assert (taken.offset, taken.slots) == (3, NEW)
    assert actor.step(taken, answer) is None
    stopped = walk(actor, actor.initial(2), Order.STOP).state
    assert actor.step(stopped, answer) is None
    assert actor.step(stopped, Own.PULL) is None


def test_groups_wait_for_each_other_and_tasks_of_one_do_not() -> None:
    """PR-4; T2; H2: data nodes in turn by the id."""
    options = replace(WIDE, nodes=2)
    actor = slave(options)
    assert actor.step(pulled(options), Dispatch(3)) is None
    both = walk(actor, pulled(options), Dispatch(1), Dispatch(2))
    assert both.sends == (Execute(2, 3, TASKS[1], 1),)
    assert [slot.run for slot in state(both).slots] == [1, 1, 0]
    assert actor.step(both.state, Dispatch(1)) is None
    done = walk(
        actor, both.state, Receive(Apply(3, 2, 1, 1)), Finish(1), Receive(Apply(4, 2, 2, 1))
    )
    assert actor.step(done.state, Dispatch(3)) is None, "applied is not yet complete"
    assert actor.step(walk(actor, done.state, Finish(2)).state, Dispatch(3)) is not None


def test_the_limit_makes_a_task_failed_and_an_enabled_slave_stopped() -> None:
    """PR-9, L4; who was stopped by hand stays DISABLED."""
    actor = slave()
    lost = (Dispatch(1), Lose(1))
    twice = walk(actor, pulled(), *lost, Dispatch(1), Lose(1))
    slot = state(twice).slots[0]
    assert (slot.state, slot.fails, slot.reason) == (State.FAILED, 2, Reason.SILENT)
    assert state(twice).status is Status.STOPPED
    assert twice.notes == (Note(0, What.FAILED, 1, 2, Reason.SILENT),)
    by_hand = walk(actor, pulled(), *lost, Dispatch(1), Order.STOP, Lose(1))
    assert state(by_hand).status is Status.DISABLED
    assert state(by_hand).slots[0].state is State.FAILED


def test_an_answer_counts_for_its_own_attempt_and_a_wait_for_none() -> None:
    """F5, U1."""
    actor = slave()
    s = walk(actor, pulled(), Dispatch(1), Lose(1), Dispatch(1)).state
    assert actor.step(s, Receive(Ended(3, 2, 1, 1, Reason.FULL))) is None
    later = state(walk(actor, s, Receive(Ended(3, 2, 1, 2, Reason.LATER)))).slots[0]
    assert (later.fails, later.run) == (1, 0)
    full = walk(actor, s, Receive(Ended(3, 2, 1, 2, Reason.FULL)))
    assert state(full).slots[0].state is State.FAILED


def test_a_commit_goes_through_once_and_never_for_what_is_failed_or_skipped() -> None:
    """PR-7, PR-8, PR-15."""
    actor = slave()
    late = Receive(Apply(3, 2, 1, 1))
    applied = walk(actor, pulled(), Dispatch(1), Lose(1), Dispatch(1), late)
    assert state(applied).content == ((1,), ())
    assert actor.step(applied.state, Receive(Apply(3, 2, 1, 2))) is None
    failed = walk(actor, pulled(), Dispatch(1), Lose(1), Dispatch(1), Lose(1))
    assert actor.step(failed.state, late) is None
    skipped = walk(actor, failed.state, Skip(1))
    assert state(skipped).slots[0].skipped
    assert actor.step(skipped.state, late) is None


def test_a_start_tries_the_failed_again_and_a_skip_is_of_what_rests() -> None:
    """PR-14, PR-16, U6."""
    actor = slave()
    failed = walk(actor, pulled(), Dispatch(1), Lose(1), Dispatch(1), Lose(1)).state
    again = state(walk(actor, failed, Order.START))
    assert (again.status, again.slots[0].state, again.slots[0].fails) == (
        Status.ENABLED, State.WAITING, 0,
    )  # fmt: skip
    assert actor.step(again, Skip(1)) is None
    runs = walk(actor, pulled(), Dispatch(1), Order.STOP).state
    assert actor.step(runs, Skip(1)) is None
    assert actor.step(runs, Skip(2)) is not None


def test_a_fail_over_forgets_what_runs_and_nothing_else() -> None:
    """U8; `applied` makes the second attempt harmless."""
    actor = slave()
    s = walk(actor, pulled(), Dispatch(1), Receive(Apply(3, 2, 1, 1)), Dispatch(2)).state
    back = state(walk(actor, s, Own.FAIL_OVER))
    assert [slot.run for slot in back.slots] == [0, 0, 0]
    assert back.slots[0].applied
    assert back.content == ((1,), ())


def test_without_rights_an_attempt_fails_and_with_them_again_it_does_not() -> None:
    actor = slave()
    s = walk(actor, pulled(), Own.POISON, Dispatch(1), Receive(Apply(3, 2, 1, 1)))
    assert s.notes == (Note(0, What.FAILURE, 1, 1, Reason.REFUSED),)
    cured = walk(actor, s.state, Own.CURE, Dispatch(1), Receive(Apply(3, 2, 1, 2)))
    assert cured.notes == (Note(0, What.APPLIED, 1),)


def test_clients_may_write_where_replication_was_stopped_by_hand() -> None:
    """PR-22, E3."""
    actor = slave(replace(WIDE, clients=1))
    assert walk(actor, pulled(), Write(0)).state == pulled()
    stopped = walk(actor, pulled(), Order.STOP).state
    assert state(walk(actor, stopped, Write(0))).content[0] == (0,)


def test_a_silent_attempt_goes_to_the_next_node_where_it_is_read_so() -> None:
    """U12."""
    options = replace(WIDE, nodes=2, lost=Lost.REHASHED)
    actor = slave(options)
    step = walk(actor, pulled(options), Dispatch(1), Lose(1), Dispatch(1))
    assert step.sends == (Execute(2, 3, TASKS[0], 2),)
    assert state(step).slots[0].fails == 0


def test_a_data_node_fetches_rows_and_needs_none_for_metadata() -> None:
    """U11; T3."""
    actor = DataNode(WIDE, RULES, 0, 0)
    idle = actor.initial(3)
    assert walk(actor, idle, Receive(Execute(2, 3, TASKS[0], 1))).sends == (Fetch(3, 1, 1, 1, 1),)
    assert walk(actor, idle, Receive(Execute(2, 3, TASKS[2], 1))).sends == (Apply(3, 2, 3, 1),)
    for found, sent in (
        (Found.DATA, Apply(3, 2, 1, 1)),
        (Found.LATER, Ended(3, 2, 1, 1, Reason.LATER)),
        (Found.MISSING, Ended(3, 2, 1, 1, Reason.MISSING)),
    ):
        assert walk(actor, idle, Receive(Fetched(1, 3, 1, 1, found))).sends == (sent,)
    full = walk(actor, idle, Own.FILL, Receive(Fetched(1, 3, 1, 1, Found.DATA)))
    assert full.sends == (Ended(3, 2, 1, 1, Reason.FULL),)
