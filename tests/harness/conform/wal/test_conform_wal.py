"""Recovery of the log and of the data files makes the model's steps; mistakes in it are seen."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from bindings import first_unlike
from delphic.harness.conform.binding import Bounds, Conformance
from delphic.harness.conform.show import as_data, as_junit
from delphic.harness.conform.wal.bind import SMALL, WalBinding
from delphic.harness.conform.wal.disk import ImageDisk
from delphic.harness.conform.wal.log import WAYS, concretize
from delphic.harness.conform.wal.logside import LogSide
from delphic.harness.conform.wal.words import entry_of, record_of
from delphic.impl.raft import replay, segment
from delphic.impl.raft.messages import Entry, HardState
from delphic.impl.raft.replay import Replay
from delphic.impl.raft.segment import Damage, Record
from delphic.impl.raft.wal import Wal, _Segment
from delphic.impl.stream import window
from delphic.impl.stream.datafile import DataFiles
from delphic.impl.stream.tables import Tables
from delphic.model.explore.explorer import explore
from delphic.model.storage_built import built_options, built_storage
from delphic.model.storage_types import Kind
from delphic.model.storage_types import Record as ModelRecord

WAL = WalBinding()


def conform(bugs: frozenset[str] = frozenset()) -> Conformance:
    return first_unlike(WAL, bugs)


@pytest.mark.slow
@pytest.mark.parametrize("bounds", SMALL, ids=lambda bounds: bounds.title)
def test_recovery_makes_the_models_steps(bounds: Bounds) -> None:
    """HS-9, HS-11, HS-18: what holds in the model's states holds of the disk."""
    found = WAL.conform(bounds)
    assert found.conforms, found.divergences[0]
    assert found.replayed == found.states > 100
    assert found.pairs.total() > 700
    assert found.cores > found.pairs.total()
    assert set(found.pairs) >= {"append", "crash", "kill", "sync_log", "write", "redo", "skip"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "bounds",
    [
        {"overrules": 2},
        {"tables": 2, "batch": 2},
        {"records": 3, "ddl": 1},
        {"records": 3, "crashes": 2},
    ],
    ids=str,
)
def test_the_member_as_it_is_built_keeps_every_promise(bounds: dict[str, int]) -> None:
    """So that each difference from the plain model is harmless."""
    result = explore(built_storage(built_options(**bounds)))
    assert result.complete
    assert result.violation is None
    assert not result.never_fired
    assert not result.unreached
    assert [(e.property, e.stuck) for e in result.eventually] == [("the member settles", None)]


@pytest.mark.slow
@pytest.mark.parametrize("bug", sorted(WAL.bugs))
def test_a_seeded_bug_of_the_disk_diverges(bug: str) -> None:
    found = conform(frozenset({bug}))
    assert not found.conforms
    assert json.loads(json.dumps(as_data([found])))["conforms"] is False
    assert b"failure" in as_junit([found])


# Mistakes that nobody seeded. Each stands in for a method or a function.


def _keeps_torn_records(data: bytes, offset: int) -> Record | Damage:
    found = segment.unpack(data, offset)
    if isinstance(found, Record) or len(data) < offset + segment.FRAME_BYTES + 18:
        return found
    _, kind, _, sequence, synced = segment._FRAME.unpack_from(data, offset)
    body = memoryview(data)[offset + segment.FRAME_BYTES :]
    return Record(kind, sequence, synced, body, len(data)) if kind == segment.ENTRY else found


def _leaves_the_torn_end(
    self: Replay, disk: Any, path: str, damage: Damage, *, anyway: bool
) -> str | None:
    return None


def _refuses_torn_sectors(data: bytes, start: int, end: int) -> bool:
    return False


def _does_not_sync(self: Wal) -> None:
    self._synced = self._sequence


def _believes_the_page_cache(self: Wal, path: str, unsure_from: int) -> None:
    self._file = self._disk.open(path)
    self._size = self._file.size()


def _does_not_rewrite(self: Wal, path: str, unsure_from: int) -> None:
    _believes_the_page_cache(self, path, unsure_from)
    assert self._file is not None
    self._file.sync()
    self._disk.sync_folder(self._folder)


_pack = Wal._pack


def _logs_no_truncation(self: Wal, kind: bytes, head: bytes, tail: bytes = b"") -> list[bytes]:
    return [] if kind == segment.TRUNCATE else _pack(self, kind, head, tail)


def _logs_no_hard_state(self: Wal, kind: bytes, head: bytes, tail: bytes = b"") -> list[bytes]:
    return [] if kind == segment.STATE else _pack(self, kind, head, tail)


def _says_all_is_synced(self: Wal, kind: bytes, head: bytes, tail: bytes = b"") -> list[bytes]:
    self._synced = self._sequence
    return _pack(self, kind, head, tail)


def _forgets_the_vote(body: memoryview) -> HardState:
    return HardState(segment.read_state_body(body).term)


def _truncates_one_less(body: memoryview) -> int:
    return segment.read_truncate_body(body) + 1


def _reads_the_wrong_term(body: memoryview) -> tuple[int, Entry]:
    index, entry = segment.read_entry_body(body)
    return index, Entry(1, entry.kind, entry.payload)


def _begins_a_segment_too_soon(self: Wal) -> Any:
    if self._file is None or self._size >= self._segment_bytes:
        self.close()
        path = f"{self._folder}/{self._sequence + 1:016}.wal"
        self._file = self._disk.open(path)
        self._segments.append(_Segment(path))
        self._size = 0
        self._is_listed = False
    return self._file


_init = Wal.__init__


def _counts_on_from_the_wrong_record(self: Wal, *args: Any, **kwargs: Any) -> None:
    _init(self, *args, **kwargs)
    self._sequence += self._sequence > 0


_write = DataFiles.write


def _counts_lsns_from_zero(self: DataFiles, lsn: int, *rest: Any) -> int:
    return _write(self, lsn - 1, *rest)


def _redoes_the_equal_lsn(self: DataFiles, lsn: int, *rest: Any) -> int:
    if lsn == self.lsn:
        self._recovered.clear()
        self.lsn -= 1
    return _write(self, lsn, *rest)


def _redoes_everything(self: DataFiles, lsn: int, *rest: Any) -> int:
    self._recovered.clear()
    self.lsn = 0
    return _write(self, lsn, *rest)


def _believes_zeros(record: Any, body: Any) -> bool:
    return True


_scan = DataFiles._scan


def _appends_behind_a_torn_end(self: DataFiles) -> Any:
    found = _scan(self)
    file = self._disk.open(self._path(self._number))
    self._at = file.size()
    file.close()
    return found


def _never_flushes(self: Tables) -> None:
    self._touched.clear()


MISTAKES: list[tuple[Any, str, Callable[..., Any]]] = [
    (replay, "unpack", _keeps_torn_records),
    (Replay, "cut", _leaves_the_torn_end),
    (replay, "was_not_written", _refuses_torn_sectors),
    (Wal, "sync", _does_not_sync),
    (Wal, "_reopen", _believes_the_page_cache),
    (Wal, "_reopen", _does_not_rewrite),
    (Wal, "_pack", _logs_no_truncation),
    (Wal, "_pack", _logs_no_hard_state),
    (Wal, "_pack", _says_all_is_synced),
    (replay, "read_state_body", _forgets_the_vote),
    (replay, "read_truncate_body", _truncates_one_less),
    (replay, "read_entry_body", _reads_the_wrong_term),
    (Wal, "_segment", _begins_a_segment_too_soon),
    (Wal, "__init__", _counts_on_from_the_wrong_record),
    (DataFiles, "write", _counts_lsns_from_zero),
    (DataFiles, "write", _redoes_the_equal_lsn),
    (DataFiles, "write", _redoes_everything),
    (window, "is_whole", _believes_zeros),
    (DataFiles, "_scan", _appends_behind_a_torn_end),
    (Tables, "flush", _never_flushes),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "name", "wrong"), MISTAKES, ids=[wrong.__name__ for _, _, wrong in MISTAKES]
)
def test_a_mistake_that_nobody_seeded_diverges_too(
    owner: Any, name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, wrong)
    assert not conform().conforms


# The parts.

FIRST = ModelRecord(1, 1, Kind.ROWS, 0, 0)
SECOND = ModelRecord(2, 1, Kind.ROWS, 0, 2)
RIVAL = ModelRecord(2, 3, Kind.ROWS, 0, 2)


def test_records_survive_the_way_there_and_back() -> None:
    for record in (FIRST, SECOND, RIVAL, ModelRecord(3, 2, Kind.CREATE, 1, 0)):
        assert record_of(record.lsn, entry_of(record, 2)) == record
        assert record_of(record.lsn, entry_of(record, 2, 480)) == record


def test_a_record_that_stands_where_another_belongs_is_told_apart() -> None:
    assert record_of(1, entry_of(SECOND, 1)) != FIRST
    assert record_of(2, Entry(3, entry_of(SECOND, 1).kind, entry_of(SECOND, 1).payload)) != SECOND


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_log_is_put_into_a_state_with_every_image_of_it(way: Any) -> None:
    images = ((FIRST, SECOND), (FIRST,), (FIRST, RIVAL))
    side = LogSide(2, frozenset())
    assert side.stay(images, way).images == images
    assert side.stay(images, way).wrong is None
    live = concretize(images, way, 2)
    assert live.expected.now.records == images[-1]
    assert not live.disk.settled
    live.sync()
    assert live.disk.settled


def test_a_power_cut_leaves_every_beginning_of_the_bytes() -> None:
    disk = ImageDisk((("/d/a", b"ab"),))
    file = disk.open("/d/a")
    file.append(b"cd")
    file.truncate(1)
    file.append(b"x")
    found = [content for ((_, content),) in disk.beginnings()]
    assert found == [b"ab", b"abc", b"abcd", b"a", b"ax"]
    file.sync()
    assert disk.settled
    assert list(disk.beginnings()) == [(("/d/a", b"ax"),)]


def test_a_file_whose_folder_was_not_synced_may_be_gone() -> None:
    disk = ImageDisk()
    disk.open("/d/a").append(b"x")
    disk.open("/d/a").sync()
    assert list(disk.beginnings()) == [(), (("/d/a", b"x"),)]
    disk.sync_folder("/d")
    assert list(disk.beginnings()) == [(("/d/a", b"x"),)]


def test_any_sectors_may_be_lost_and_what_was_synced_stays() -> None:
    disk = ImageDisk((("/d/a", b"s"),))
    disk.open("/d/a").append(bytes([1]) * 600)
    left = [content for ((_, content),) in disk.sectors()]
    assert left == [
        b"s",
        b"s" + bytes(511) + bytes([1]) * 89,
        b"s" + bytes([1]) * 511,
        b"s" + bytes([1]) * 600,
    ]


def test_what_a_failed_sync_leaves_is_shown_and_not_durable() -> None:
    disk = ImageDisk((("/d/a", b"old"),))
    file = disk.open("/d/a")
    file.append(b"new")
    disk.fail_sync()
    file.sync()
    assert disk.read("/d/a") == b"oldnew"
    assert not disk.settled
    assert list(disk.beginnings()) == [(("/d/a", b"old"),)]
    file.rewrite(3, b"new")
    file.sync()
    assert disk.settled
