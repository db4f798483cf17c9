"""Checkpoints of the tables: what they promise, power cuts in the middle, what a restart needs."""

import posixpath
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from delphic.harness.conform.wal.disk import ImageDisk
from delphic.impl.bugs import AGES_FORGOTTEN
from delphic.impl.client.errors import RequestError
from delphic.impl.raft.disk import Disk
from delphic.impl.raft.messages import Entry, Kind
from delphic.impl.raft.terms import Position
from delphic.impl.runtime_disk import RealDisk
from delphic.impl.stream.commands import TableOptions
from delphic.impl.stream.manifest import Manifest, read_manifest
from delphic.impl.stream.record import DataFileError
from delphic.impl.stream.schema import fingerprint, to_bytes
from delphic.impl.stream.tables import Tables

SCHEMA = pa.schema([("id", pa.int64())])
LARGE = 1 << 24
MINUTE_NS = 60 * 10**9


class HandWorker:
    """Jobs are done when `run` is told so."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], None], Callable[[OSError | None], None]]] = []

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        self.jobs.append((job, done))

    def run(self) -> None:
        jobs, self.jobs = self.jobs, []
        for job, done in jobs:
            job()
            done(None)

    async def close(self) -> None:
        self.jobs.clear()


def body(ids: list[int]) -> bytes:
    return bytes(pa.record_batch([ids], schema=SCHEMA).serialize())


class Member:
    """A log, and tables that apply it."""

    def __init__(
        self,
        disk: Disk,
        folder: str,
        *,
        file_bytes: int = LARGE,
        bugs: frozenset[str] = frozenset(),
    ) -> None:
        self.disk, self.folder, self.file_bytes, self.bugs = disk, folder, file_bytes, bugs
        self.now_ns = 0
        self.log: list[Entry] = []
        self.worker = HandWorker()
        self.done: list[OSError | None] = []
        disk.make_folder(folder)
        self.tables = self._opened()

    def _opened(self) -> Tables:
        return Tables(
            self.disk,
            self.folder,
            now_ns=lambda: self.now_ns,
            file_bytes=self.file_bytes,
            bugs=self.bugs,
        )

    def take(self, kind: Kind, payload: bytes, term: int = 1) -> object:
        self.log.append(Entry(term, kind, payload))
        outcome = self.tables.apply(len(self.log), self.log[-1])
        self.tables.flush()
        return outcome

    def create(self, name: str = "t", **options: int) -> None:
        payload = self.tables.creation(name, to_bytes(SCHEMA), TableOptions(**options))
        assert self.take(Kind.CREATE_TABLE, payload) is None

    def append(self, ids: list[int], name: str = "t") -> None:
        payload = self.tables.insertion(name, fingerprint(SCHEMA), body(ids)).payload
        assert isinstance(self.take(Kind.APPEND, payload), int)

    def drop(self, name: str = "t") -> None:
        assert self.take(Kind.DROP_TABLE, self.tables.removal(name)) is None

    def checkpoint(self) -> None:
        assert self.tables.checkpoint(self.worker, self.done.append)
        self.worker.run()
        assert self.done.pop() is None

    def restart(self) -> None:
        """The log redoes only what comes after the checkpoint."""
        self.tables.close()
        self.tables = self._opened()
        self.redo()

    def redo(self) -> None:
        first = self.tables.applied.index
        for index, entry in enumerate(self.log[first:], start=first + 1):
            self.tables.apply(index, entry)
        self.tables.flush()

    def ids(self, name: str = "t", start: int = 0) -> list[int]:
        found: list[int] = []
        while True:
            answer = self.tables.read(name, start + len(found), None, LARGE)
            for data in answer["batches"]:
                batch = pa.ipc.read_record_batch(pa.py_buffer(data), SCHEMA)
                found += batch.column("id").to_pylist()
            if start + len(found) == answer["end"]:
                return found


@pytest.fixture
def member(tmp_path: Path) -> Member:
    return Member(RealDisk(), str(tmp_path / "2"))


def test_a_restart_needs_no_entry_before_the_checkpoint(member: Member) -> None:
    """HS-10, HS-18: schema, options, id, rows, digest are there without the log."""
    member.create(cache_limit=5000)
    member.append([1, 2])
    member.checkpoint()
    assert member.tables.checkpointed == Position(2, 1)
    before = member.tables.summary()
    member.log[:] = [Entry(0, Kind.NOOP, b"forgotten")] * 2
    member.restart()
    assert member.tables.applied == Position(2, 1)
    assert member.tables.summary() == before
    assert member.ids() == [1, 2]
    member.append([3])
    assert member.ids() == [1, 2, 3]
    member.restart()
    assert member.ids() == [1, 2, 3]
    member.tables.close()


def test_digests_are_those_of_a_member_that_never_made_a_checkpoint(tmp_path: Path) -> None:
    members = [Member(RealDisk(), str(tmp_path / name)) for name in "23"]
    for each in members:
        each.create()
        each.append([1])
    members[0].checkpoint()
    members[0].restart()
    for each in members:
        each.append([2, 3])
    assert members[0].tables.summary() == members[1].tables.summary()
    for each in members:
        each.tables.close()


def test_a_checkpoint_is_of_the_moment_in_which_it_began(member: Member) -> None:
    member.create()
    member.append([1])
    assert member.tables.checkpoint(member.worker, member.done.append)
    assert not member.tables.checkpoint(member.worker, member.done.append)
    member.append([2])
    member.worker.run()
    assert member.done == [None]
    assert member.tables.checkpointed == Position(2, 1)
    assert member.tables.applied == Position(3, 1)
    member.tables.close()
    member.tables = member._opened()
    assert member.ids() == [1]
    member.redo()
    assert member.ids() == [1, 2]
    member.tables.close()


def test_a_checkpoint_that_is_not_whole_is_refused(member: Member) -> None:
    member.create()
    member.checkpoint()
    member.tables.close()
    path = posixpath.join(member.folder, "checkpoint")
    data = bytearray(Path(path).read_bytes())
    data[9] ^= 1
    Path(path).write_bytes(data)
    with pytest.raises(DataFileError, match="the checksum of the checkpoint does not fit"):
        member._opened()


def test_a_table_that_was_dropped_leaves_its_files_to_the_next_checkpoint(member: Member) -> None:
    """The last one names them: a restart would miss them."""
    member.create()
    member.append([1])
    member.checkpoint()
    member.drop()
    data = Path(member.folder, "t.1", "data0.log")
    assert data.exists()
    member.restart()
    assert "t" not in member.tables
    member.create()
    member.append([2])
    assert member.ids() == [2]
    member.checkpoint()
    assert not data.parent.exists()
    member.restart()
    assert member.ids() == [2]
    member.tables.close()


def test_a_table_dropped_while_a_checkpoint_is_made_is_still_redone(member: Member) -> None:
    member.create()
    member.append([1])
    assert member.tables.checkpoint(member.worker, member.done.append)
    member.drop()
    member.worker.run()
    member.restart()
    assert "t" not in member.tables
    member.checkpoint()
    assert not Path(member.folder, "t.1").exists()
    member.tables.close()


def test_files_that_nobody_names_any_more_go_at_the_next_start(member: Member) -> None:
    member.create()
    member.append([1])
    member.checkpoint()
    member.drop()
    kept = Path(member.folder, "t.1", "data0.log").read_bytes()
    member.checkpoint()
    member.tables.close()
    Path(member.folder, "t.1").mkdir()
    Path(member.folder, "t.1", "data0.log").write_bytes(kept)
    member.restart()
    assert not Path(member.folder, "t.1").exists()
    member.tables.close()


def scripted(disk: Disk, watch: Callable[[Member], None] = lambda member: None) -> Member:
    """Two tables, rows, checkpoints, a drop; small files."""
    member = Member(disk, "/2", file_bytes=500)
    for step in range(12):
        match step:
            case 0 | 1:
                member.create("ab"[step])
            case 4 | 9:
                member.checkpoint()
            case 7:
                member.drop("b")
            case _:
                member.append([step], "a")
        watch(member)
    return member


@pytest.mark.slow
def test_after_a_power_cut_anywhere_each_logged_row_is_there_once() -> None:
    """HS-9, HS-10: cut between any two steps, and within the syncs of every checkpoint."""
    lefts: list[tuple[object, list[Entry], Position]] = []
    disk = ImageDisk()

    def watch(member: Member) -> None:
        for left in disk.beginnings(range(0, 10_000, 7)):
            lefts.append((left, member.log[:], member.tables.checkpointed))
        for left in disk.watched or []:
            lefts.append((left, member.log[:], member.tables.checkpointed))
        disk.watched = []

    disk.watched = []
    expected = scripted(disk, watch)
    assert expected.ids("a") == [2, 3, 5, 6, 8, 10, 11]
    assert len(lefts) > 300
    seen: set[object] = set()
    for left, log, checkpointed in lefts:
        if (left, len(log)) in seen:
            continue
        seen.add((left, len(log)))
        again = Member(ImageDisk(left), "/2", file_bytes=500)  # type: ignore[arg-type]
        assert again.tables.applied >= Position(0, 0)
        assert again.tables.applied.index in {checkpointed.index, 5, 10, 4, 9, 0}
        again.log = log
        again.redo()
        rows = [step for step in (2, 3, 5, 6, 8, 10, 11) if step < len(log) + 2]
        known = again.ids("a") if "a" in again.tables else []
        assert known == rows[: len(known)]
        assert len(known) == sum(entry.kind is Kind.APPEND for entry in log)


def test_old_rows_go_with_their_files_and_say_so(tmp_path: Path) -> None:
    """C2, C3, HS-21: by this member's clock, only whole files, never the newest."""
    member = Member(RealDisk(), str(tmp_path), file_bytes=1500)
    member.create(retention_minutes=10)
    for i in range(20):
        member.append([i])
    member.checkpoint()
    member.now_ns += 6 * MINUTE_NS
    member.checkpoint()
    assert member.ids() == list(range(20))
    member.restart()
    member.now_ns += 3 * MINUTE_NS
    member.checkpoint()
    assert member.ids() == list(range(20))
    digest = member.tables.summary()["t"]["digest"]
    member.now_ns += 1 * MINUTE_NS
    member.checkpoint()
    first = read_manifest(RealDisk(), member.folder).tables[0].files.first_row
    assert 5 < first < 20
    for _ in range(2):
        with pytest.raises(RequestError, match=f"keeps rows from offset {first} on, not 0"):
            member.tables.read("t", 0, None, LARGE)
        assert member.ids(start=first) == list(range(first, 20))
        assert member.tables.summary() == {"t": {"rows": 20, "digest": digest}}
        member.restart()
    member.append([20])
    assert member.ids(start=19) == [19, 20]
    member.tables.close()


def test_a_restart_that_forgets_the_ages_of_files_removes_the_young(tmp_path: Path) -> None:
    """HS-21, seeded."""
    bugs = frozenset({AGES_FORGOTTEN})
    member = Member(RealDisk(), str(tmp_path), file_bytes=1500, bugs=bugs)
    member.create(retention_minutes=10)
    for i in range(20):
        member.append([i])
    member.checkpoint()
    member.restart()
    assert member.ids() == list(range(20))
    member.checkpoint()
    with pytest.raises(RequestError, match="keeps rows from offset"):
        member.ids()
    member.tables.close()


def test_a_new_folder_has_no_checkpoint() -> None:
    assert read_manifest(ImageDisk(), "/2") == Manifest()
