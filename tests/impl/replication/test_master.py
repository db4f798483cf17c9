"""The master's core: what becomes a task, in which group, and how long it is kept."""

import msgspec
import pytest
from delphic.impl.cluster.operations import Operation
from delphic.impl.replication.events import Completed, FlagSet, SlaveForgotten, Started, Stopped
from delphic.impl.replication.master import Master
from delphic.impl.replication.status import Status
from delphic.impl.replication.tasks import PULL_BYTES_MAX, SHOWN_MAX, Task
from msgspec.structs import replace
from queue_makers import completed, meta, pulled

A, B = "dfs://a", "dfs://b"


def replicating(*databases: str, **rest: frozenset[str]) -> Master:
    master = Master(**rest)
    for database in databases or (A, B):
        master.step(FlagSet(database, True))
    return master


def ids(master: Master) -> list[int]:
    return [task.id for task in master.queued()]


def test_a_new_master_is_enabled_and_replicates_no_database() -> None:
    master = Master()
    assert master.status is Status.ENABLED
    assert master.step(completed(1, A, ("x",))).enqueued is None
    assert not master.replicates(A)


def test_a_completed_transaction_of_a_replicated_database_is_the_next_task() -> None:
    master = replicating()
    first = master.step(completed(7, A, ("x",))).enqueued
    second = master.step(completed(3, A, ("x",))).enqueued
    assert first == Task(1, 1, meta(7, A, ("x",)))
    assert second == Task(2, 2, meta(3, A, ("x",)))


def test_what_began_before_its_database_was_switched_on_is_no_task() -> None:
    master = replicating()
    assert master.step(Completed(meta(1, A, ("x",)), flagged=False)).enqueued is None
    assert master.next == 1


def test_what_completes_after_its_database_was_switched_off_is_no_task() -> None:
    master = replicating()
    master.step(FlagSet(A, False))
    assert master.step(completed(1, A, ("x",))).enqueued is None
    assert master.step(completed(2, B, ("x",))).enqueued is not None


def test_what_completes_while_the_master_is_disabled_is_never_a_task() -> None:
    master = replicating()
    master.step(completed(1, A, ("x",)))
    master.step(Stopped())
    assert master.status is Status.DISABLED
    assert master.step(completed(2, A, ("x",))).enqueued is None
    master.step(Started())
    assert master.step(completed(3, A, ("x",))).enqueued == Task(2, 2, meta(3, A, ("x",)))
    assert ids(master) == [1, 2]


def test_a_dropped_database_is_replicated_no_more_and_its_drop_is_the_last_task() -> None:
    master = replicating()
    assert master.step(completed(1, A, operation=Operation.DROP_DB)).enqueued is not None
    assert not master.replicates(A)


def test_a_database_dropped_while_disabled_is_switched_off_too() -> None:
    master = replicating()
    master.step(Stopped())
    master.step(completed(1, A, operation=Operation.DROP_DB))
    assert not master.replicates(A)


@pytest.mark.parametrize(
    ("later", "group"),
    [
        (completed(2, A, ("y",)), 1),
        (completed(2, B, ("z",)), 1),
        (completed(2, A, ("x",)), 2),
        (completed(2, A, ("y", "x")), 2),
        (completed(2, B), 2),
        (completed(2, A, ("y",), Operation.DROP_PARTITION), 2),
    ],
)
def test_a_task_joins_the_newest_group_unless_it_conflicts_or_is_metadata(
    later: Completed, group: int
) -> None:
    master = replicating()
    master.step(completed(1, A, ("x",)))
    enqueued = master.step(later).enqueued
    assert enqueued is not None
    assert enqueued.group == group


def test_a_write_conflicts_with_metadata_of_its_database_alone() -> None:
    master = replicating()
    master.step(completed(1, A))
    other = master.step(completed(2, B, ("b",))).enqueued
    same = master.step(completed(3, A, ("a",))).enqueued
    assert other is not None
    assert same is not None
    assert (other.group, same.group) == (1, 2)


def test_a_truncated_member_of_the_newest_group_still_conflicts() -> None:
    master = replicating()
    master.step(completed(1, A, ("x",)))
    master.step(pulled("s", 1, 1))
    assert ids(master) == []
    enqueued = Master(master.dump()).step(completed(2, A, ("x",))).enqueued
    assert enqueued is not None
    assert enqueued.group == 2


def test_a_pull_gives_what_comes_behind_the_offset_in_order() -> None:
    master = replicating()
    for tid in range(1, 6):
        master.step(completed(tid, A, ("x",)))
    tasks, more = master.after(2, 2)
    assert [task.id for task in tasks] == [3, 4]
    assert more
    tasks, more = master.after(2, 100)
    assert [task.id for task in tasks] == [3, 4, 5]
    assert not more
    assert master.after(5, 100) == ((), False)


def test_a_pull_gives_no_more_statements_than_fit_but_always_one() -> None:
    master = replicating()
    for tid in (1, 2):
        large = replace(meta(tid, A), statement=bytes(PULL_BYTES_MAX + 1))
        master.step(Completed(large, flagged=True))
    tasks, more = master.after(0, 100)
    assert [task.id for task in tasks] == [1]
    assert more


def test_a_pull_gives_no_more_chunks_than_fit() -> None:
    master = replicating()
    many = tuple(f"dfs://a/t/{number}" for number in range(PULL_BYTES_MAX // 18))
    for tid in (1, 2):
        master.step(completed(tid, A, many))
    tasks, more = master.after(0, 100)
    assert ([task.id for task in tasks], more) == ([1], True)


def test_only_what_all_known_slaves_have_done_leaves_the_queue() -> None:
    master = replicating()
    for tid in range(1, 5):
        master.step(completed(tid, A, ("x",)))
    assert master.step(pulled("fast", 0, 0)).truncated == ()
    assert master.step(pulled("slow", 0, 0)).truncated == ()
    assert master.step(pulled("fast", 4, 3)).truncated == ()
    assert master.step(pulled("slow", 2, 2)).truncated == (1, 2)
    assert ids(master) == [3, 4]
    assert master.needed() == {3, 4}
    # A report that comes late takes nothing back.
    assert master.step(pulled("slow", 2, 1)).truncated == ()
    assert master.slaves[pulled("slow", 0, 0).slave].finished == 2


def test_a_slave_is_the_same_one_whichever_of_its_controllers_pulls() -> None:
    master = replicating()
    pull = pulled("s", 0, 0, slaves_max=1)
    master.step(pull)
    turned = replace(pull, site=pull.controllers[2], controllers=pull.controllers[::-1])
    assert master.refuses(turned) == ""
    assert not master.changes(turned)
    assert len(master.slaves) == 1


def test_a_pull_is_refused_that_cannot_be_served() -> None:
    master = replicating()
    for tid in range(1, 4):
        master.step(completed(tid, A, ("x",)))
    assert "no task 4" in master.refuses(pulled("s", 4, 0))
    assert "cannot have done task 2" in master.refuses(pulled("s", 1, 2))
    master.step(pulled("s", 3, 2))
    other = pulled("other", 3, 3, slaves_max=1)
    assert "clusterReplicationSlaveNum=1" in master.refuses(other)
    assert "task 1 is gone: the queue begins with task 3" in master.refuses(pulled("s", 0, 0))
    before = master.dump()
    assert master.step(other).refusal
    assert master.dump() == before


def test_a_pull_that_tells_nothing_new_need_not_be_logged() -> None:
    master = replicating()
    master.step(completed(1, A, ("x",)))
    assert master.changes(pulled("s", 0, 0))
    master.step(pulled("s", 0, 0))
    assert not master.changes(pulled("s", 1, 0))
    assert master.changes(pulled("s", 1, 1))


def test_finished_tasks_are_remembered_up_to_a_number() -> None:
    master = replicating()
    for tid in range(1, SHOWN_MAX + 12):
        master.step(completed(tid, A, ("x",)))
    master.step(pulled("s", SHOWN_MAX + 10, SHOWN_MAX + 10))
    assert min(master.tasks) == 11
    assert ids(master) == [SHOWN_MAX + 11]


def test_of_a_task_that_has_left_the_queue_only_its_columns_stay() -> None:
    master = replicating()
    chunks = tuple(f"{A}/t/{key}" for key in range(1000))
    for tid in range(1, 31):
        master.step(completed(tid, A, chunks, Operation.SQL_DELETE))
    master.step(completed(31, A, chunks[:1]))
    master.step(pulled("s", 31, 31))
    assert len(msgspec.msgpack.encode(master.dump())) < 31 * 100
    # Of the newest group it is still known what it writes.
    assert master.step(completed(32, A, ("y",))).enqueued == Task(32, 31, meta(32, A, ("y",)))
    assert master.step(completed(33, A, chunks[:1])).enqueued == Task(
        33, 32, meta(33, A, chunks[:1])
    )


def test_a_dump_is_everything() -> None:
    master = replicating()
    for tid in range(1, 6):
        master.step(completed(tid, A, (f"x{tid % 2}",)))
    master.step(pulled("s", 3, 2))
    master.step(Stopped())
    again = Master(master.dump())
    assert again.dump() == master.dump()
    for entry in (Started(), completed(9, A, ("x1",)), pulled("s", 5, 5)):
        assert again.step(entry) == master.step(entry)


def test_a_known_slave_that_was_made_anew_is_refused_and_loses_no_tasks() -> None:
    """PR-17."""
    master = replicating()
    for tid in range(1, 101):
        master.step(completed(tid, A, ("x",)))
    for entry in (pulled("a", 0, 0), pulled("b", 0, 0), pulled("a", 100, 100)):
        assert not master.step(entry).refusal
    again = pulled("a", 0, 0)
    reason = "this slave has done task 100, and asks for task 1"
    assert reason in master.refuses(again)
    before = master.dump()
    assert reason in master.step(again).refusal
    assert master.dump() == before
    # The one that has them goes on.
    assert master.step(pulled("b", 100, 100)).truncated == tuple(range(1, 101))
    assert master.refuses(pulled("a", 100, 100)) == ""


def test_a_slave_that_is_forgotten_holds_nothing_back_and_takes_no_place() -> None:
    master = replicating()
    for tid in range(1, 7):
        master.step(completed(tid, A, ("x",)))
    gone, other = pulled("gone", 5, 2, slaves_max=2), pulled("other", 6, 6, slaves_max=2)
    for pull in (gone, other):
        assert not master.step(pull).refusal
    assert master.head == 3
    late = pulled("late", 6, 6, slaves_max=2)
    assert "slaves are known already" in master.refuses(late)
    assert "no slave" in master.step(SlaveForgotten("s:1")).refusal
    assert master.step(SlaveForgotten(gone.slave)).truncated == (3, 4, 5, 6)
    assert (master.needed(), list(master.slaves)) == (set(), [other.slave])
    assert not master.refuses(late)
    # It is there after all, and has pulled what is gone before it has done it.
    assert "task 3 is gone" in master.refuses(gone)


def test_a_master_that_forgets_its_only_slave_keeps_what_it_has() -> None:
    master = replicating()
    for tid in range(1, 4):
        master.step(completed(tid, A, ("x",)))
    pull = pulled("s", 3, 1)
    master.step(pull)
    assert master.step(SlaveForgotten(pull.slave)).truncated == ()
    assert ids(master) == [2, 3]
    assert master.step(pull).truncated == ()
    assert list(master.slaves) == [pull.slave]
