"""A coordinator: the order of its steps, and what every failure of every step means."""

from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from catalogs import begin, do, made
from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process
from delphic.impl import wire
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster import coordinator, transactions
from delphic.impl.cluster.changes import (
    WORK_BYTES,
    Append,
    Change,
    Delete,
    Update,
    Upsert,
    Work,
    bytes_of,
    encoded,
)
from delphic.impl.cluster.commands import Abort, Commit, Complete
from delphic.impl.cluster.coordinator import COMMIT_S, Coordinator
from delphic.impl.cluster.operations import Condition, Operation, Scheme, mark_of
from delphic.impl.cluster.writes import OPERATIONS, Write, decode, encode
from delphic.impl.replication.taskdata import DELAY_S, Lack, TaskDataStore
from delphic.impl.site import Site
from delphic.impl.stream.schema import fingerprint, to_bytes
from hand_clock import HandClock
from node_of_chunks import HandWorker

SCHEMA = pa.schema([pa.field("id", pa.int64()), pa.field("n", pa.int64(), nullable=False)])
SITE = Site("127.0.0.1", 7001, "d1")
DATABASE, TABLE = "dfs://db", "t"
FRAME_BYTES_MAX = 4 << 20
CHUNKS = {"0": [11, "d2"], "1": [12, "d1"], "2": [13, "d2"]}
LOST = RequestError("Indeterminate", False, "no answer")
REFUSED = RequestError("Overloaded", True, "too much")

Asked = tuple[str, tuple[Any, ...], Callable[[Any], None]]


class Disk:
    """Where task data goes, at the test's pace; a `TaskData`."""

    def __init__(self) -> None:
        self.has_room = True
        self.saved: dict[int, bytes] = {}
        self.waiting: list[Callable[[OSError | None], None]] = []
        self.announced: list[int] = []
        self.deleted: list[int] = []
        self.hurried = False

    def save(
        self, tid: int, data: bytes, done: Callable[[OSError | None], None], *, at_once: bool
    ) -> None:
        self.saved[tid] = data
        self.hurried = at_once
        self.waiting.append(done)

    def announce(self, tid: int) -> None:
        self.announced.append(tid)

    def delete(self, tid: int) -> None:
        self.deleted.append(tid)


class Stage:
    """Whatever a coordinator asks waits here until the test answers."""

    def __init__(self, *, is_sync: bool = False, frame_bytes_max: int = 1 << 20) -> None:
        self.clock = HandClock()
        self.disk = Disk()
        self.asked: list[Asked] = []
        self.told: list[Any] = []
        self.coordinator = Coordinator(
            SITE, self.clock, self, self.ask_node, frame_bytes_max, self.disk, is_sync=is_sync
        )

    def ask(self, function: str, args: tuple[Any, ...], answer: Callable[[Any], None]) -> None:
        """As the controllers."""
        self.asked.append((function, args, answer))

    def ask_node(
        self,
        alias: str,
        function: str,
        args: tuple[Any, ...],
        answer: Callable[[Any], None],
        lost: RequestError,
        patience_s: float | None = None,
    ) -> None:
        """As the data nodes."""
        assert lost.definite
        self.asked.append((f"{alias} {function}", args, answer))

    def write(
        self, change: Change, keys: tuple[str, ...] | None = None, applied: int | None = None
    ) -> None:
        given = fingerprint(SCHEMA) if isinstance(change, Append | Upsert) else b""
        payload = encode(Write(change, given, keys))
        operation = OPERATIONS[type(change)]
        self.coordinator.execute(
            "ann", operation, DATABASE, TABLE, payload, applied, self.told.append
        )

    def expect(self, name: str, value: Any) -> tuple[Any, ...]:
        """The oldest call is this one: answer it; gives its arguments."""
        assert self.asked, f"{name} was not asked; told: {self.told}"
        function, args, answer = self.asked.pop(0)
        assert function == name
        answer(value)
        return args

    def until(self, step: str, *, replicates: bool = False) -> None:
        """Let an append of ids 0, 1 and 2 go as far as the asking of that step."""
        if not self.asked:
            self.write(append(0, 1, 2))
        begun = {"tid": 7, "chunks": CHUNKS, **layout(), "replicates": replicates}
        answers: dict[str, Any] = {
            "tableLayout": layout(),
            "txnBegin": begun,
            "d1 chunkPrepare": [1],
            "d2 chunkPrepare": [1, 1],
            "txnCommit": 5,
            "d1 chunkCommit": None,
            "d2 chunkCommit": None,
            "txnComplete": 0,
        }
        while self.asked[0][0] != step:
            name = self.asked[0][0]
            self.expect(name, answers[name])


def layout() -> dict[str, Any]:
    scheme = Scheme("HASH", "int64", buckets=3)
    return {
        "schema": to_bytes(SCHEMA),
        "scheme": scheme,
        "column": "id",
    }


def append(*ids: int) -> Append:
    return Append(encoded(pa.record_batch([list(ids), [0] * len(ids)], schema=SCHEMA)))


def failure(stage: Stage) -> RequestError:
    (error,) = stage.told
    assert isinstance(error, RequestError)
    return error


def test_a_write_is_begun_prepared_node_by_node_decided_committed_and_completed() -> None:
    stage = Stage()
    stage.write(append(0, 1, 2))
    assert stage.expect("tableLayout", layout()) == ("ann", DATABASE, TABLE)
    begun = {"tid": 7, "chunks": CHUNKS, **layout(), "replicates": False}
    args = stage.expect("txnBegin", begun)
    mark = mark_of(layout()["scheme"], "id")
    assert args == ("ann", DATABASE, TABLE, "APPEND", ("0", "1", "2"), mark, None)
    assert stage.coordinator.tids == [7]
    tid, works = stage.expect("d1 chunkPrepare", [1])
    assert (tid, [work.chunk for work in works]) == (7, [12])
    _, works = stage.expect("d2 chunkPrepare", [1, 1])
    assert [work.chunk for work in works] == [11, 13]
    assert stage.told == []
    assert stage.expect("txnCommit", 5) == (7, None)
    assert stage.expect("d1 chunkCommit", None) == (7, 5)
    assert stage.expect("d2 chunkCommit", None) == (7, 5)
    assert stage.expect("txnComplete", 0) == (7,)
    assert stage.told == [{"tid": 7, "rows": 3}]
    assert (stage.asked, stage.coordinator.tids, stage.disk.saved) == ([], [], {})


@pytest.mark.parametrize("error", [LOST, REFUSED])
@pytest.mark.parametrize("step", ["tableLayout", "txnBegin", "d1 chunkPrepare", "d2 chunkPrepare"])
def test_what_fails_before_the_decision_has_certainly_not_happened(
    step: str, error: RequestError
) -> None:
    stage = Stage()
    stage.until(step)
    stage.expect(step, error)
    assert (failure(stage).name, failure(stage).definite) == (error.name, True)
    cleared = {
        "tableLayout": [],
        "txnBegin": [],
        "d1 chunkPrepare": ["txnAbort", "d1 chunkAbort"],
        "d2 chunkPrepare": ["txnAbort", "d1 chunkAbort", "d2 chunkAbort"],
    }
    assert [name for name, _, _ in stage.asked] == cleared[step]
    assert stage.coordinator.tids == []


def test_a_refused_decision_is_an_abort() -> None:
    stage = Stage()
    stage.until("txnCommit")
    stage.expect("txnCommit", RequestError("Aborted", True, "dropped"))
    assert (failure(stage).name, failure(stage).definite) == ("Aborted", True)
    assert [name for name, _, _ in stage.asked] == ["txnAbort", "d1 chunkAbort", "d2 chunkAbort"]


@pytest.mark.parametrize(
    ("outcome", "then"),
    [
        (["committed", 5], ["d1 chunkCommit", "d2 chunkCommit"]),
        (["aborted"], ["d1 chunkAbort", "d2 chunkAbort"]),
        (["open"], []),
        (LOST, []),
    ],
)
def test_a_lost_decision_is_settled_by_an_abort_or_by_what_was_decided(
    outcome: Any, then: list[str]
) -> None:
    stage = Stage()
    stage.until("txnCommit")
    stage.expect("txnCommit", LOST)
    stage.expect("txnAbort", RequestError("BadRequest", True, "it is committed"))
    assert stage.told == []
    stage.expect("txnOutcome", outcome)
    assert [name for name, _, _ in stage.asked] == then
    if outcome == ["aborted"]:
        assert failure(stage).definite
    elif outcome == ["committed", 5]:
        stage.until("txnComplete")
        stage.expect("txnComplete", 0)
        assert stage.told == [{"tid": 7, "rows": 3}]
    else:
        assert (failure(stage).name, failure(stage).definite) == ("Indeterminate", False)


def test_a_participant_that_does_not_answer_is_told_again() -> None:
    stage = Stage()
    stage.until("d1 chunkCommit")
    stage.expect("d1 chunkCommit", LOST)
    stage.expect("d2 chunkCommit", None)
    assert (stage.asked, stage.told) == ([], [])
    stage.clock.advance(1)
    assert stage.expect("d1 chunkCommit", None) == (7, 5)
    stage.expect("txnComplete", 0)
    assert stage.told == [{"tid": 7, "rows": 3}]


@pytest.mark.parametrize("step", ["d1 chunkCommit", "d2 chunkCommit", "txnComplete"])
def test_what_fails_for_good_after_the_decision_is_left_to_the_controllers(step: str) -> None:
    stage = Stage()
    stage.until(step)
    stage.clock.advance(COMMIT_S)
    stage.expect(step, RequestError("Disconnected", True, "gone"))
    while stage.asked:
        stage.expect("d2 chunkCommit", None)
    assert (failure(stage).name, failure(stage).definite) == ("Indeterminate", False)
    assert stage.coordinator.tids == []


# Task data.


def test_with_sync_persistence_the_data_is_durable_before_the_decision() -> None:
    stage = Stage(is_sync=True)
    stage.until("d2 chunkPrepare", replicates=True)
    stage.expect("d2 chunkPrepare", [1, 1])
    assert stage.asked == [], "the decision waits for the disk"
    assert stage.disk.hurried
    assert stage.disk.announced == [], "who asks may have it already"
    stage.disk.waiting.pop()(None)
    tid, meta = stage.expect("txnCommit", 5)
    assert (tid, meta.operation, meta.tid) == (7, Operation.APPEND, 7)
    assert meta.chunks == ("dfs://db/t/0", "dfs://db/t/1", "dfs://db/t/2")
    assert (meta.source_host, meta.source_port) == (SITE.host, SITE.port)
    stage.until("txnComplete")
    assert list(stage.disk.saved) == [7]
    assert decode(stage.disk.saved[7]).change == append(0, 1, 2)


def test_data_that_cannot_be_kept_aborts_and_is_deleted() -> None:
    stage = Stage(is_sync=True)
    stage.until("d2 chunkPrepare", replicates=True)
    stage.expect("d2 chunkPrepare", [1, 1])
    stage.disk.waiting.pop()(OSError(28, "no space left"))
    assert failure(stage).definite
    assert [name for name, _, _ in stage.asked] == ["txnAbort", "d1 chunkAbort", "d2 chunkAbort"]
    assert stage.disk.deleted == [7]


def test_without_it_the_data_is_kept_after_the_decision_and_nobody_waits() -> None:
    stage = Stage()
    stage.until("txnCommit", replicates=True)
    assert stage.disk.saved == {}
    stage.until("txnComplete", replicates=True)
    assert list(stage.disk.saved) == [7]
    stage.expect("txnComplete", 1)
    assert stage.told == [{"tid": 7, "rows": 3}]
    assert len(stage.disk.waiting) == 1
    assert not stage.disk.hurried


def test_data_is_kept_where_nobody_knows_what_was_decided() -> None:
    stage = Stage()
    stage.until("txnCommit", replicates=True)
    stage.expect("txnCommit", LOST)
    stage.expect("txnAbort", LOST)
    stage.expect("txnOutcome", LOST)
    assert list(stage.disk.saved) == [7]


@pytest.mark.parametrize(
    ("decided", "outcome", "has_data"),
    [
        (5, None, True),
        (LOST, ["committed", 5], True),
        (LOST, ["aborted"], False),
        (LOST, ["open"], True),
        (RequestError("Aborted", True, "dropped"), None, False),
    ],
)
def test_a_slave_waits_for_data_while_nobody_has_told_the_coordinator_what_was_decided(
    decided: Any, outcome: Any, has_data: bool
) -> None:
    handle, worker = SimDisk().handle(Process(SimLoop("1"), "d1", 1, "1")), HandWorker()
    stage = Stage()
    store = TaskDataStore(handle, "/d1/replication", worker, stage.clock)
    store.open()
    stage.coordinator = Coordinator(SITE, stage.clock, stage, stage.ask_node, 1 << 20, store)
    stage.until("txnCommit", replicates=True)
    # The controllers may have completed it, and queued the task, with nobody to tell.
    assert store.fetch(7) is Lack.NOT_PERSISTED
    stage.expect("txnCommit", decided)
    if outcome is not None:
        stage.expect("txnAbort", LOST)
        assert store.fetch(7) is Lack.NOT_PERSISTED
        stage.expect("txnOutcome", outcome)
    stage.clock.advance(DELAY_S)
    while worker.jobs:
        worker.work()
    assert isinstance(store.fetch(7), bytes) if has_data else store.fetch(7) is Lack.MISSING


@pytest.mark.parametrize("step", ["txnCommit", "d1 chunkCommit"])
def test_a_node_that_ends_in_order_leaves_the_data_of_what_may_happen_yet(step: str) -> None:
    disk, worker = SimDisk(), HandWorker()
    stage = Stage()

    def opened(life: int) -> TaskDataStore:
        handle = disk.handle(Process(SimLoop("1"), "d1", life, "1"))
        store = TaskDataStore(handle, "/d1/replication", worker, stage.clock)
        store.open()
        return store

    store = opened(1)
    stage.coordinator = Coordinator(SITE, stage.clock, stage, stage.ask_node, 1 << 20, store)
    stage.until(step, replicates=True)
    stage.coordinator.finish()
    store.finish()
    while worker.jobs:
        worker.work()
    found = opened(2).fetch(7)
    assert isinstance(found, bytes)
    assert decode(found).change == append(0, 1, 2)


def test_a_node_that_ends_asks_for_no_commit_any_more() -> None:
    stage = Stage()
    stage.until("d2 chunkPrepare", replicates=True)
    stage.coordinator.finish()
    stage.expect("d2 chunkPrepare", [1, 1])
    assert [name for name, _, _ in stage.asked] == ["txnAbort", "d1 chunkAbort", "d2 chunkAbort"]
    assert (stage.disk.saved, failure(stage).definite) == ({}, True)


@pytest.mark.parametrize("is_lost", [False, True])
@pytest.mark.parametrize("is_sync", [False, True])
def test_a_decision_that_the_controllers_have_forgotten_is_no_abort(
    is_sync: bool, is_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "DECIDED_MAX", 1)
    catalog = made()
    while do(catalog, begin("a"))["tid"] < 7:
        pass
    do(catalog, Commit(7, None))
    do(catalog, Complete(7, 1))
    do(catalog, Abort(6))
    stage = Stage(is_sync=is_sync)
    stage.until("d2 chunkPrepare", replicates=True)
    stage.expect("d2 chunkPrepare", [1, 1])
    if is_sync:
        stage.disk.waiting.pop()(None)
    stage.expect("txnCommit", LOST if is_lost else catalog.apply(Commit(7, None)))
    stage.expect("txnAbort", catalog.apply(Abort(7)))
    stage.expect("txnOutcome", catalog.transactions.outcome(7))
    assert (failure(stage).name, failure(stage).definite) == ("Indeterminate", False)
    assert (list(stage.disk.saved), stage.disk.deleted) == ([7], [])
    assert (stage.asked, stage.coordinator.tids) == ([], [])


def test_nothing_is_written_while_too_much_data_waits_for_the_disk() -> None:
    stage = Stage()
    stage.disk.has_room = False
    stage.until("txnAbort", replicates=True)
    assert (failure(stage).name, failure(stage).definite) == ("Overloaded", True)


# Statements.


def test_a_filter_is_about_the_partitions_that_there_are_and_slaves_learn_which() -> None:
    stage = Stage(is_sync=True)
    change = Update((("n", 1),), (Condition("id", ">", 1),))
    stage.write(change)
    stage.expect("tableLayout", layout())
    begun = {"tid": 7, "chunks": CHUNKS, **layout(), "replicates": True}
    assert stage.expect("txnBegin", begun)[4] is None
    _, works = stage.expect("d1 chunkPrepare", [3])
    assert [work.change for work in works] == [change]
    stage.expect("d2 chunkPrepare", [0, 2])
    assert decode(stage.disk.saved[7]).keys == ("0", "1", "2")


@pytest.mark.parametrize("replicates", [False, True])
def test_a_statement_over_more_partitions_than_a_slave_takes_is_refused_where_it_replicates(
    replicates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator, "KEYS_MAX", len(CHUNKS) - 1)
    stage = Stage()
    stage.write(Delete(()))
    stage.expect("tableLayout", layout())
    begun = {"tid": 7, "chunks": CHUNKS, **layout(), "replicates": replicates}
    stage.expect("txnBegin", begun)
    asked = [name for name, _, _ in stage.asked]
    assert asked == (["txnAbort"] if replicates else ["d1 chunkPrepare"])
    assert not replicates or failure(stage).definite


def test_a_task_is_about_the_masters_partitions_as_far_as_they_are_there() -> None:
    stage = Stage()
    stage.write(Delete(()), keys=("0", "9"), applied=3)
    stage.expect("tableLayout", layout())
    chunks = {"0": [11, "d2"]}
    begun = {"tid": 7, "chunks": chunks, **layout(), "replicates": False}
    assert stage.expect("txnBegin", begun)[4::2] == (("0", "9"), 3)
    _, works = stage.expect("d2 chunkPrepare", [2])
    assert [work.chunk for work in works] == [11]


def test_the_keys_of_an_upsert_tell_the_partition() -> None:
    stage = Stage(is_sync=True)
    stage.write(Upsert(append(1).body, ("n",)))
    stage.expect("tableLayout", layout())
    chunks = {"1": [12, "d1"]}
    begun = {"tid": 7, "chunks": chunks, **layout(), "replicates": True}
    stage.expect("txnBegin", begun)
    _, works = stage.expect("d1 chunkPrepare", [1])
    assert works[0].change.keys == ("n", "id")
    change = decode(stage.disk.saved[7]).change
    assert isinstance(change, Upsert)
    assert change.keys == ("n", "id")


@pytest.mark.parametrize(
    "replaced",
    [
        {"schema": to_bytes(pa.schema([("id", pa.int64()), ("n", pa.int32())]))},
        {"column": "n"},
        {"scheme": Scheme("HASH", "int64", buckets=4)},
    ],
)
def test_a_table_that_was_replaced_meanwhile_is_written_nothing(replaced: dict[str, Any]) -> None:
    stage = Stage()
    stage.write(append(0, 1, 2))
    stage.expect("tableLayout", layout())
    begun = {"tid": 7, "chunks": CHUNKS, **layout(), "replicates": False}
    stage.expect("txnBegin", begun | replaced)
    assert (failure(stage).name, failure(stage).definite) == ("Overloaded", True)
    assert [name for name, _, _ in stage.asked] == ["txnAbort"]


def test_nothing_is_begun_for_what_makes_no_sense() -> None:
    nulls = pa.record_batch(
        [[1], [None]], schema=pa.schema([("id", pa.int64()), ("n", pa.int64())])
    )
    for change, why in (
        (Update((("id", 5),), ()), "a row cannot leave its own"),
        (Update((("n", None),), ()), "column n holds no nulls"),
        (Update((("x", 5),), ()), "no column x"),
        (Delete((Condition("n", "=", "1"),)), "column n is int64"),
        (Append(memoryview(b"garbage")), "no rows"),
        (Append(encoded(nulls)), "column n holds no nulls"),
        (Upsert(append(1).body, ("x",)), "no column x"),
        (Upsert(append(1).body, ("n", "n")), "once"),
    ):
        stage = Stage()
        stage.write(change)
        stage.expect("tableLayout", layout())
        assert failure(stage).definite
        assert why in failure(stage).message
        assert stage.asked == []


def test_a_payload_that_is_none_or_does_something_else_is_refused() -> None:
    stage = Stage()
    for payload in (b"", b"\xff", encode(Write(Delete(())))):
        stage.coordinator.execute(
            None, Operation.APPEND, DATABASE, TABLE, payload, None, stage.told.append
        )
    assert [(error.name, error.definite) for error in stage.told] == [("BadRequest", True)] * 3
    assert stage.asked == []


def test_what_does_not_fit_into_a_frame_is_refused() -> None:
    stage = Stage()
    stage.write(append(*range(0, 300_000, 3)))
    stage.expect("tableLayout", layout())
    chunks = {"0": [11, "d2"]}
    begun = {"tid": 7, "chunks": chunks, **layout(), "replicates": False}
    stage.expect("txnBegin", begun)
    assert (failure(stage).name, failure(stage).definite) == ("FrameTooLarge", True)


def begun_in(
    *nodes: str, parts: int = 300, replicates: bool = False, name: str = ""
) -> dict[str, Any]:
    """Partitions on these data nodes in turn."""
    chunks = {f"{name}{at}": [at, nodes[at % len(nodes)]] for at in range(parts)}
    return {"tid": 7, "chunks": chunks, **layout(), "replicates": replicates}


LONG = Delete((Condition("n", "in", tuple(range(1 << 40, (1 << 40) + 2_000))),))
"""150 parts of it fit into a frame, and 300 do not."""


@pytest.mark.parametrize(
    ("change", "begun"),
    [
        (LONG, begun_in("d2")),
        (LONG, begun_in("d1")),
        # A slave may have all of it on one data node, and gets the names of partitions, too.
        (LONG, begun_in("d1", "d2", replicates=True)),
        (Delete(()), begun_in("d1", "d2", replicates=True, name="x" * 20_000)),
    ],
    ids=["another", "oneself", "slave", "names"],
)
def test_a_filter_is_counted_in_every_partition(change: Change, begun: dict[str, Any]) -> None:
    stage = Stage(frame_bytes_max=FRAME_BYTES_MAX)
    stage.write(change)
    stage.expect("tableLayout", layout())
    stage.expect("txnBegin", begun)
    assert (failure(stage).name, failure(stage).definite) == ("FrameTooLarge", True)
    assert [name for name, _, _ in stage.asked] == ["txnAbort"]


@pytest.mark.parametrize(
    ("change", "nodes", "parts"),
    [(Delete(()), ("d2",), 2_000), (LONG, ("d1", "d2"), 300)],
    ids=["small", "divided"],
)
def test_many_parts_are_sent_where_they_fit_into_a_frame(
    change: Change, nodes: tuple[str, ...], parts: int
) -> None:
    stage = Stage(frame_bytes_max=FRAME_BYTES_MAX)
    stage.write(change)
    stage.expect("tableLayout", layout())
    stage.expect("txnBegin", begun_in(*nodes, parts=parts))
    for node in nodes:
        args = stage.expect(f"{node} chunkPrepare", [0] * (parts // len(nodes)))
        wire.encode(wire.Request(1 << 62, "chunkPrepare", args), FRAME_BYTES_MAX)
    stage.expect("txnCommit", 5)


@pytest.mark.parametrize(
    "change",
    [
        append(*range(100)),
        Upsert(append(*range(100)).body, ("id", "k" * 300)),
        Update((("n", "v" * 70_000),), (Condition("id", "in", tuple(range(-9, 9))),)),
        Delete(()),
    ],
)
def test_parts_take_no_more_bytes_than_are_counted(change: Change) -> None:
    works = tuple(Work((1 << 62) - at, to_bytes(SCHEMA), change) for at in range(40))
    size = len(msgspec.msgpack.encode(works))
    assert size <= bytes_of(works) <= size + 40 * WORK_BYTES
