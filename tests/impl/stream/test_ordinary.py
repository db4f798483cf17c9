"""Ordinary tables: answered once durable, in groups; dropped in order; power cuts, damage."""

import posixpath
from collections.abc import Callable
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process
from delphic.impl.client.errors import RequestError
from delphic.impl.raft.replay import WalCorruption
from delphic.impl.stream.ordinary import CATALOG, CatalogError, OrdinaryTables
from delphic.impl.stream.schema import fingerprint, to_bytes
from hand_clock import HandClock

FOLDER = "/node/data/ordinary"
SCHEMA = pa.schema([("id", pa.int64())])
BYTES_MAX = 1 << 20


class HandWorker:
    """Jobs wait until the test lets them run, and until it tells that they have."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], None], Callable[[OSError | None], None]]] = []

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        self.jobs.append((job, done))

    async def close(self) -> None:
        assert not self.jobs

    def work(self, error: OSError | None = None) -> None:
        """Run one job, or let it fail."""
        job, done = self.jobs.pop(0)
        if error is None:
            job()
        done(error)


class Node:
    """Ordinary tables on a simulated disk, and what callers were told."""

    def __init__(self, disk: SimDisk | None = None) -> None:
        self.disk = disk or SimDisk()
        self.failures: list[str] = []
        self.told: list[Any] = []
        self.start()

    def start(self) -> None:
        """A new process on what the disk holds."""
        self.clock, self.worker = HandClock(), HandWorker()
        self.tables = OrdinaryTables(
            self.disk.handle(Process(SimLoop("1"), "n1", 1, "1")),
            FOLDER,
            self.clock,
            self.worker,
            self.failures.append,
            BYTES_MAX,
        )
        self.tables.open()

    def create(self, name: str = "t") -> None:
        self.tables.create(name, to_bytes(SCHEMA), lambda _: None)

    def append(self, *ids: int, to: str = "t") -> None:
        body = pa.record_batch([ids], schema=SCHEMA).serialize().to_pybytes()
        self.tables.append(to, fingerprint(SCHEMA), body, self.told.append)

    def settle(self) -> None:
        """Let everything be done."""
        self.clock.advance(0)
        while self.worker.jobs:
            self.worker.work()
            self.clock.advance(0)

    def ids(self, name: str = "t") -> list[int]:
        found = self.tables.read(name, 0, None)
        batches = [pa.ipc.read_record_batch(body, SCHEMA) for body in found["batches"]]
        ids = [value for batch in batches for value in batch.column(0).to_pylist()]
        assert found["end"] == len(ids)
        return ids


@pytest.fixture
def node() -> Node:
    made = Node()
    made.create()
    return made


def test_rows_are_there_for_readers_and_producers_once_they_are_durable(node: Node) -> None:
    node.append(1, 2)
    node.append(3)
    node.clock.advance(0)
    assert (node.told, node.ids()) == ([], [])
    assert node.tables.waiting_count == 2
    node.worker.work()
    assert (node.told, node.ids()) == ([0, 2], [1, 2, 3])
    assert (node.tables.sync_count, node.tables.waiting_count) == (1, 0)


def test_what_arrives_during_a_sync_shares_the_next_one_whatever_table_it_is_for(
    node: Node,
) -> None:
    node.create("other")
    node.append(1)
    node.clock.advance(0)
    node.append(2)
    node.append(7, to="other")
    node.append(3)
    assert len(node.worker.jobs) == 1
    node.settle()
    assert node.told == [0, 1, 0, 2]
    assert (node.ids(), node.ids("other")) == ([1, 2, 3], [7])
    assert node.tables.sync_count == 2


def test_a_drop_waits_for_what_was_asked_before_and_refuses_what_comes_after(node: Node) -> None:
    node.append(1)
    node.tables.drop("t", node.told.append)
    node.append(2)
    node.tables.drop("t", node.told.append)
    node.settle()
    names = [told.name if isinstance(told, RequestError) else told for told in node.told]
    assert names == [0, None, "NoSuchTable", "NoSuchTable"]
    assert "t" not in node.tables
    assert [path for path in node.disk.tree() if path.endswith(".wal")] == []
    node.create()
    assert node.ids() == []


def test_names_columns_batches_and_ranges_are_checked(node: Node) -> None:
    other = pa.record_batch({"price": [1.5]})

    def refused(go: Callable[[], object]) -> str:
        with pytest.raises(RequestError) as caught:
            go()
        assert caught.value.definite
        return caught.value.name

    tables, told = node.tables, node.told.append
    assert refused(node.create) == "TableExists"
    assert refused(lambda: node.create("a b")) == "BadRequest"
    assert refused(lambda: tables.create("u", b"nonsense", told)) == "BadRequest"
    fit, misfit = fingerprint(SCHEMA), fingerprint(other.schema)
    assert refused(lambda: tables.append("t", misfit, b"", told)) == "SchemaMismatch"
    assert refused(lambda: tables.append("t", fit, b"nonsense", told)) == "BadRequest"
    assert refused(lambda: node.append()) == "BadRequest"
    assert refused(lambda: tables.read("t", -1, None)) == "BadRequest"
    for missing in (
        lambda: node.append(1, to="u"),
        lambda: tables.read("u", 0, None),
        lambda: tables.drop("u", told),
        lambda: tables.persistence("u"),
    ):
        assert refused(missing) == "NoSuchTable"
    node.settle()
    assert node.told == []


def test_too_much_at_once_is_refused(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delphic.impl.stream.ordinary.CALLS_MAX", 2)
    node.append(1)
    node.append(2)
    with pytest.raises(RequestError, match=r"2 calls with .* bytes wait already") as caught:
        node.append(3)
    assert (caught.value.name, caught.value.definite) == ("Overloaded", True)
    node.settle()
    node.append(3)
    node.settle()
    assert node.ids() == [1, 2, 3]


def test_what_is_taken_can_be_read_in_answers_that_fit(node: Node) -> None:
    """HS-21: an answer has the schema beside the rows."""
    wide = pa.schema([(f"sensor_{i:03}", pa.float64()) for i in range(200)])
    node.tables.create("wide", to_bytes(wide), lambda _: None)
    rows = pa.record_batch([[float(i) for i in range(1000)]] * 200, schema=wide)
    for part in (rows.slice(0, 500), rows.slice(500)):
        body = part.serialize().to_pybytes()
        node.tables.append("wide", fingerprint(wide), body, node.told.append)
    node.settle()
    assert node.told == [0, 500]
    found = node.tables.read("wide", 0, None)
    assert len(found["schema"]) + sum(map(len, found["batches"])) <= BYTES_MAX
    assert found["batches"]


def test_what_no_answer_could_hold_is_refused(node: Node) -> None:
    def refused(go: Callable[[], object]) -> str:
        with pytest.raises(RequestError) as caught:
            go()
        assert caught.value.definite
        return caught.value.name

    broad = pa.schema([("x" * (BYTES_MAX // 2), pa.int64())])
    assert refused(lambda: node.tables.create("broad", to_bytes(broad), lambda _: None)) == (
        "FrameTooLarge"
    )
    texts = pa.schema([("text", pa.string())])
    node.tables.create("texts", to_bytes(texts), lambda _: None)
    body = pa.record_batch([["x" * BYTES_MAX]], schema=texts).serialize().to_pybytes()
    assert refused(
        lambda: node.tables.append("texts", fingerprint(texts), body, node.told.append)
    ) == ("FrameTooLarge")


def test_after_a_failed_sync_nobody_is_told_anything(node: Node) -> None:
    node.append(1)
    node.clock.advance(0)
    node.append(2)
    node.worker.work(OSError(5, "Input/output error"))
    node.settle()
    assert node.told == []
    assert node.failures == ["ordinary tables: [Errno 5] Input/output error"]


@pytest.mark.parametrize("seed", range(40))
def test_a_power_cut_takes_nothing_that_was_acknowledged(seed: int) -> None:
    """As HS-2, HS-9, HS-18 say of HA tables: rows in order, each batch whole or not at all."""
    chance = Random(seed)
    node = Node()
    node.create("a")
    node.create("b")
    logged: dict[str, list[tuple[int, int]]] = {"a": [], "b": []}
    for life in range(3):
        told = {"a": 0, "b": 0}
        for step in range(chance.randint(1, 12)):
            name = chance.choice("ab")
            first = (life + 1) * 1000 + step * 10
            count = chance.randint(1, 3)

            def heard(_: int, name: str = name, told: dict[str, int] = told) -> None:
                told[name] += 1

            body = pa.record_batch([range(first, first + count)], schema=SCHEMA).serialize()
            node.tables.append(name, fingerprint(SCHEMA), body.to_pybytes(), heard)
            logged[name].append((first, count))
            if chance.random() < 0.6:
                node.clock.advance(0)
            if node.worker.jobs and chance.random() < 0.5:
                node.worker.work()
        before = {name: len(logged[name]) for name in logged}
        node.disk.power_cut(chance)
        node.start()
        for name, batches in logged.items():
            ids = node.ids(name)
            kept = 0
            while kept < len(batches) and batches[kept][0] in ids:
                kept += 1
            assert ids == [f + i for f, count in batches[:kept] for i in range(count)]
            sent_now = [f for f, _ in batches if f // 1000 == life + 1]
            assert kept >= before[name] - len(sent_now) + told[name]
            del batches[kept:]


def test_a_dropped_table_leaves_no_folder(node: Node) -> None:
    node.append(1)
    node.settle()
    (folder,) = {posixpath.dirname(path) for path in node.disk.tree() if path.endswith(".wal")}
    above, name = posixpath.split(folder)
    node.tables.drop("t", node.told.append)
    node.settle()
    assert name not in node.disk.below(above)


def test_a_crash_between_a_drop_and_the_removal_of_its_files_leaves_nothing(node: Node) -> None:
    node.append(1)
    node.settle()
    leftover = next(path for path in node.disk.tree() if path.endswith(".wal"))
    content = node.disk.content(leftover)
    node.tables.drop("t", node.told.append)
    node.settle()
    node.disk.write_file(leftover, content)
    node.start()
    assert leftover not in node.disk.tree()
    above, name = posixpath.split(posixpath.dirname(leftover))
    assert name not in node.disk.below(above)
    node.create()
    assert node.ids() == []


def test_a_damaged_catalog_or_log_is_not_served(node: Node) -> None:
    node.append(1)
    node.settle()
    node.append(2)
    node.settle()
    path = f"{FOLDER}/{CATALOG}"
    whole = node.disk.content(path)
    node.disk.write_file(path, whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CatalogError, match="catalog: the checksum does not match"):
        node.start()
    node.disk.write_file(path, whole)
    log = next(path for path in node.disk.tree() if path.endswith(".wal"))
    data = bytearray(node.disk.content(log))
    data[len(data) // 2] ^= 1
    node.disk.write_file(log, bytes(data))
    with pytest.raises(WalCorruption):
        node.start()
