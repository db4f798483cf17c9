"""The chunks of a node: durable before the vote, one transaction at a time, whole or not at all."""

import pytest
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.changes import Delete, Update, Upsert
from delphic.impl.cluster.checkpoint import CheckpointPolicy
from delphic.impl.cluster.chunk_files import ChunkFileError
from delphic.impl.cluster.chunk_store import LOCK_S, WAITING_MAX
from delphic.impl.cluster.operations import Condition
from node_of_chunks import Node, append, body_of, change


@pytest.fixture
def node() -> Node:
    return Node()


def refused(node: Node, call: str) -> str:
    """The name of the error that a call ended in, which must be definite."""
    error = node.told[call]
    assert isinstance(error, RequestError)
    assert error.definite
    return error.name


def test_a_vote_is_given_once_it_is_durable_and_rows_are_seen_once_committed(node: Node) -> None:
    node.prepare(1, append(7, 10, 11), append(5, 12))
    node.clock.advance(0)
    assert node.told == {}
    node.worker.work()
    assert node.told["p1"] == [1, 2], "rows by work, in the order of chunks"
    assert (node.ids(5), node.ids(7)) == ([], [])
    node.store.commit(1, 3, node.hear("c1"))
    assert (node.ids(5), node.ids(7)) == ([12], [10, 11])
    assert "c1" not in node.told
    node.settle()
    assert node.told["c1"] is None


def test_what_is_asked_while_a_sync_runs_shares_the_next_one(node: Node) -> None:
    for tid in range(1, 6):
        node.prepare(tid, append(tid, tid))
        if tid == 1:
            node.clock.advance(0)
    node.settle()
    assert node.store.redo.sync_count == 2
    assert sorted(node.told) == ["p1", "p2", "p3", "p4", "p5"]


def test_others_wait_for_a_chunk_in_order_and_see_what_those_before_them_did(node: Node) -> None:
    node.prepare(1, append(1, 1))
    node.prepare(2, change(1, Update((("n", 5),), ())))
    node.prepare(3, change(1, Delete((Condition("n", "=", 5),))))
    node.settle()
    assert sorted(node.told) == ["p1"]
    node.store.commit(1, 1, node.hear("c1"))
    node.settle()
    assert node.told["p2"] == [1]
    assert "p3" not in node.told
    node.store.abort(2, node.hear("a2"))
    node.settle()
    assert node.told["p3"] == [0]
    assert node.ids(1) == [1]


def test_who_waits_too_long_is_refused_and_holds_nothing(node: Node) -> None:
    node.prepare(1, append(2, 1))
    node.prepare(2, append(1, 2), append(2, 2))
    node.prepare(3, append(1, 3))
    node.settle()
    assert sorted(node.told) == ["p1"]
    node.clock.advance(LOCK_S)
    assert refused(node, "p2") == "Overloaded"
    node.settle()
    assert node.told["p3"] == [1]
    assert [one.tid for one in node.store.in_doubt()] == [1, 3]


def test_no_more_than_so_many_wait_for_a_chunk(node: Node) -> None:
    for tid in range(1, WAITING_MAX + 3):
        node.prepare(tid, append(1, tid))
    assert refused(node, f"p{WAITING_MAX + 2}") == "Overloaded"
    node.settle()
    assert sorted(node.told) == ["p1", f"p{WAITING_MAX + 2}"]


def test_an_aborted_transaction_leaves_nothing_whether_prepared_or_waiting(node: Node) -> None:
    node.prepare(1, append(1, 1))
    node.prepare(2, append(1, 2))
    node.settle()
    node.store.abort(2, node.hear("a2"))
    assert refused(node, "p2") == "Aborted"
    node.store.abort(1, node.hear("a1"))
    node.settle()
    assert (node.told["a1"], node.told["a2"]) == (None, None)
    assert (node.store.chunks, node.store.open_count) == ([], 0)
    node.restart()
    assert (node.store.chunks, node.store.open_count) == ([], 0)


def test_an_abort_before_the_vote_is_the_answer_to_the_prepare(node: Node) -> None:
    node.prepare(1, append(1, 1))
    node.store.abort(1, node.hear("a1"))
    assert refused(node, "p1") == "Aborted"
    node.settle()
    assert node.told["a1"] is None
    assert node.store.in_doubt() == []


def test_decisions_may_be_told_twice(node: Node) -> None:
    node.write(1, 1, append(1, 1))
    node.store.commit(1, 1, node.hear("again"))
    node.store.abort(9, node.hear("never heard of"))
    node.settle()
    assert node.told["again"] is None
    assert node.told["never heard of"] is None
    assert node.ids(1) == [1]


def test_a_decision_told_again_is_answered_when_the_first_one_is_durable(node: Node) -> None:
    node.prepare(1, append(1, 1))
    node.settle()
    node.store.commit(1, 1, node.hear("c1"))
    node.clock.advance(0)
    node.store.commit(1, 1, node.hear("again"))
    node.clock.advance(0)
    assert sorted(node.told) == ["p1"]
    node.settle()
    assert list(node.told) == ["p1", "c1", "again"]


def test_what_makes_no_sense_is_refused_before_anything_is_logged(node: Node) -> None:
    node.write(1, 1, append(1, 1))
    node.prepare(2, append(1, 2), change(2, Delete((Condition("nothing", "=", 1),))))
    node.prepare(3, append(1, 2), append(1, 3))
    node.prepare(4)
    syncs = node.store.redo.sync_count
    node.settle()
    assert [refused(node, call) for call in ("p2", "p3", "p4")] == ["BadRequest"] * 3
    assert (node.store.open_count, node.store.redo.sync_count) == (0, syncs)
    node.write(5, 2, append(1, 5))
    assert node.ids(1) == [1, 5]


# Readers.


def test_a_reader_sees_its_moment_however_much_is_written_since(node: Node) -> None:
    for cid in range(1, 6):
        node.write(cid, cid * 10, append(1, cid))
    node.write(6, 60, change(1, Delete(())))
    assert node.ids(1, 60) == []
    assert node.ids(1, 59) == [1, 2, 3, 4, 5]
    assert node.ids(1, 30) == [1, 2, 3]
    assert node.ids(1, 0) == []
    assert node.ids(2, 60) == []


def test_a_reader_does_not_see_what_is_not_complete(node: Node) -> None:
    node.write(1, 1, append(1, 1))
    node.write(2, 2, append(1, 2))
    node.write(3, 3, append(1, 3))
    assert node.ids(1, 3, (3,)) == [1, 2]
    assert node.ids(1, 2, (2, 7)) == [1]


def test_old_versions_go_and_whoever_wants_them_is_told(node: Node) -> None:
    node.write(1, 1, append(1, 1))
    node.clock.advance(60)
    node.write(2, 2, append(1, 2))
    node.clock.advance(60)
    node.write(3, 3, append(1, 3))
    assert node.ids(1, 2) == [1, 2]
    with pytest.raises(RequestError, match="keeps nothing of moment 1") as gone:
        node.store.seen(1, 1, ())
    assert gone.value.name == "SnapshotGone"


def test_versions_that_share_little_are_few_but_two_are_always_kept(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delphic.impl.cluster.chunk.KEPT_BYTES", 100_000)
    node.write(1, 1, append(1, *range(10_000)))
    for cid in range(2, 6):
        node.write(cid, cid, change(1, Update((("n", cid),), ())))
    assert len(node.ids(1, 5, (5,))) == 10_000
    with pytest.raises(RequestError, match="keeps nothing"):
        node.ids(1, 3)


# Restarts, checkpoints, drops.


def test_a_restart_finds_what_was_committed_and_what_is_in_doubt(node: Node) -> None:
    node.write(1, 4, append(1, 1), append(2, 2))
    node.prepare(2, append(1, 3))
    node.settle()
    node.restart()
    assert (node.ids(1), node.ids(2)) == ([1], [2])
    assert [one.tid for one in node.store.in_doubt()] == [2]
    assert node.store.in_doubt(older_s=1) == []
    node.prepare(3, append(1, 4))
    node.settle()
    assert "p3" not in node.told, "what is in doubt holds its chunk"
    node.store.commit(2, 5, node.hear("c2"))
    node.settle()
    assert node.told["p3"] == [1]
    assert node.ids(1) == [1, 3]
    node.restart()
    assert node.ids(1) == [1, 3]


def test_a_checkpoint_lets_the_log_begin_anew(node: Node) -> None:
    node.write(1, 1, append(1, 1), append(2, 2))
    node.write(2, 2, append(1, 3))
    node.store.checkpoints.start()
    node.settle()
    assert (node.store.checkpoints.count, node.store.redo.size) == (1, 0)
    node.write(3, 3, append(1, 4))
    for _ in range(2):
        node.restart()
        assert (node.ids(1), node.ids(2)) == ([1, 3, 4], [2])
    assert node.ids(1, 2) == [1, 3]
    with pytest.raises(RequestError, match="keeps nothing"):
        node.ids(1, 1)


def test_an_append_rewrites_nothing_and_an_update_only_its_chunk(node: Node) -> None:
    node.write(1, 1, append(1, *range(100)), append(2, *range(100)))

    def checkpoint() -> list[str]:
        node.store.checkpoints.start()
        node.settle()
        handle = node.disk.handle(node.process)
        return [name for name in handle.names("/node/volume/chunks") if name.endswith(".part")]

    assert checkpoint() == ["1.part", "2.part"]
    node.write(2, 2, append(1, 100))
    assert checkpoint() == ["1.part", "2.part", "3.part"]
    node.write(3, 3, append(1, 101, 102))
    assert checkpoint() == ["1.part", "2.part", "4.part"], "small parts are merged"
    node.write(4, 4, change(2, Update((("n", 1),), (Condition("id", "=", 5),))))
    assert checkpoint() == ["1.part", "4.part", "5.part"]
    node.restart()
    assert (node.ids(1), node.ids(2)) == (list(range(103)), list(range(100)))


def test_what_is_written_during_a_checkpoint_is_in_the_next_one(node: Node) -> None:
    node.write(1, 1, append(1, 1, 2, 3))
    node.store.checkpoints.start()
    node.clock.advance(0)
    node.prepare(2, change(1, Delete((Condition("id", "=", 1),))))
    node.clock.advance(0)
    while "p2" not in node.told:
        node.worker.work()
        node.clock.advance(0)
    node.store.commit(2, 2, node.hear("c2"))
    node.settle()
    assert node.store.checkpoints.count == 1
    node.restart()
    assert node.ids(1) == [2, 3]
    node.store.checkpoints.start()
    node.settle()
    node.restart()
    assert node.ids(1) == [2, 3]


def test_no_checkpoint_says_what_the_log_may_still_lose(node: Node) -> None:
    node.write(1, 1, append(1, 1))
    node.store.checkpoints.start()
    node.settle()
    node.prepare(2, change(1, Delete(())))
    node.settle()
    node.store.commit(2, 2, node.hear("c2"))
    node.store.checkpoints.start()
    assert node.worker.jobs == [], "the commit is not durable yet"
    node.clock.advance(0)
    assert len(node.worker.jobs) == 1
    node.worker.work()
    assert node.store.checkpoints.count == 1
    node.settle()
    assert node.store.checkpoints.count == 2
    node.restart()
    assert node.ids(1) == []


def test_what_is_in_doubt_outlives_checkpoints(node: Node) -> None:
    node.prepare(1, append(1, 1))
    node.settle()
    node.write(2, 1, append(2, 2))
    node.store.checkpoints.start()
    node.settle()
    node.restart()
    assert [one.tid for one in node.store.in_doubt()] == [1]
    node.store.commit(1, 2, node.hear("c1"))
    node.settle()
    node.restart()
    assert (node.ids(1), node.ids(2)) == ([1], [2])


def test_a_long_log_brings_a_checkpoint_and_so_does_time() -> None:
    node = Node(policy=CheckpointPolicy(log_bytes=2000, interval_s=60))
    for tid in range(1, 30):
        node.write(tid, tid, append(1, tid))
    assert node.store.checkpoints.count > 1
    assert node.store.redo.size < 3000
    count = node.store.checkpoints.count
    node.write(40, 40, append(1, 40))
    node.clock.advance(60)
    node.settle()
    assert node.store.checkpoints.count == count + 1
    node.clock.advance(600)
    node.settle()
    assert node.store.checkpoints.count == count + 1, "without news there is nothing to write"


def test_a_log_of_nothing_but_aborts_begins_anew_too() -> None:
    node = Node(policy=CheckpointPolicy(log_bytes=2000, interval_s=60))
    for tid in range(1, 30):
        node.prepare(tid, append(1, tid))
        node.settle()
        node.store.abort(tid, node.hear(f"a{tid}"))
        node.settle()
    assert node.store.checkpoints.count > 1
    assert node.store.redo.size < 3000
    node.restart()
    assert (node.store.chunks, node.store.open_count) == ([], 0)


def test_a_dropped_chunk_is_gone_for_good_and_its_files_with_it(node: Node) -> None:
    node.write(1, 1, append(1, 1), append(2, 2))
    node.store.checkpoints.start()
    node.settle()
    node.store.drop([1, 99], node.hear("d"))
    assert "d" not in node.told
    node.settle()
    assert node.told["d"] is None
    assert node.store.chunks == [2]
    node.restart()
    assert node.store.chunks == [2]
    node.store.drop([1], node.hear("again"))
    node.store.checkpoints.start()
    node.settle()
    assert node.told["again"] is None
    names = node.disk.handle(node.process).names("/node/volume/chunks")
    assert names == ["2.part", "checkpoint"]


def test_a_transaction_that_is_open_on_a_dropped_chunk_does_nothing_there(node: Node) -> None:
    node.prepare(1, append(1, 1), append(2, 2))
    node.settle()
    node.store.drop([1], node.hear("d"))
    node.settle()
    node.restart()
    node.store.abort(1, node.hear("a1"))
    node.settle()
    assert node.store.chunks == []


def test_a_chunk_that_is_dropped_before_the_vote_makes_it_a_refusal(node: Node) -> None:
    node.prepare(1, append(1, 1), append(2, 2))
    node.store.drop([1], node.hear("d"))
    node.settle()
    refusal = node.told["p1"]
    assert isinstance(refusal, RequestError)
    assert (refusal.name, refusal.definite) == ("Aborted", True)
    node.store.abort(1, node.hear("a1"))
    node.settle()
    assert (node.told["d"], node.told["a1"], node.store.chunks) == (None, None, [])


def test_a_damaged_part_or_manifest_is_never_served(node: Node) -> None:
    node.write(1, 1, append(1, 1))
    node.store.checkpoints.start()
    node.settle()
    disk = node.disk.handle(node.process)
    for name in ("1.part", "checkpoint"):
        path = f"/node/volume/chunks/{name}"
        whole = disk.read(path)
        assert whole is not None
        file = disk.open(path)
        file.truncate(0)
        file.append(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(ChunkFileError, match=name):
            node.restart()
        disk = node.disk.handle(node.process)
        file = disk.open(path)
        file.truncate(0)
        file.append(whole)
    node.restart()
    assert node.ids(1) == [1]


def test_a_failing_disk_is_told_and_nothing_is_answered(node: Node) -> None:
    node.prepare(1, append(1, 1))
    node.clock.advance(0)
    _, done = node.worker.jobs.pop()
    done(OSError(5, "sync failed"))
    assert node.failures == ["chunks: [Errno 5] sync failed"]
    assert node.told == {}


def test_an_upsert_replaces_what_has_its_key(node: Node) -> None:
    node.write(1, 1, append(1, 1, 2))
    node.write(2, 2, change(1, Upsert(body_of(2, 3), ("id",))))
    assert node.told["p2"] == [2]
    assert node.ids(1) == [1, 2, 3]
