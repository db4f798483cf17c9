"""Rows that are on disk before they are committed: seen by nobody, and gone if overruled."""

from collections.abc import Callable
from random import Random

import pyarrow as pa
import pytest
from delphic.harness.conform.wal.disk import ImageDisk
from delphic.impl.bugs import APPLIED_APART, CACHE_SURVIVES_CUT
from delphic.impl.raft.messages import Entry, Kind
from delphic.impl.stream.commands import AppendRows, TableOptions, encode
from delphic.impl.stream.schema import fingerprint, to_bytes
from delphic.impl.stream.tables import Tables

SCHEMA = pa.schema([("id", pa.int64())])
FOLDER = "/2"


def body(ids: list[int]) -> memoryview:
    return memoryview(pa.record_batch([ids], schema=SCHEMA).serialize().to_pybytes())


class Here:
    """A worker that does its jobs at once."""

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        job()
        done(None)

    async def close(self) -> None:
        """Nothing is under way."""


class Member:
    """A log that is durable as it stands, how much of it is committed, and tables."""

    def __init__(self, *bugs: str) -> None:
        self.bugs = frozenset(bugs)
        self.disk = ImageDisk()
        self.log: list[Entry] = []
        self.commit = 0
        self.term = 1
        self.ids = 0
        self.start()

    def start(self) -> None:
        self.tables = Tables(self.disk, FOLDER, file_bytes=900, bugs=self.bugs)
        self.applied = self.tables.applied.index

    def append(self, table: int, count: int) -> None:
        ids = list(range(self.ids, self.ids + count))
        self.ids += count
        self.log.append(Entry(self.term, Kind.APPEND, encode(rows_of("t", table, ids))))

    def overrule(self, kept: int) -> None:
        """Another leader has other entries behind these."""
        del self.log[max(kept, self.commit) :]
        self.term += 1

    def holds(self, index: int, term: int) -> bool:
        return index <= len(self.log) and self.log[index - 1].term == term

    def turn(self) -> None:
        """As an applier does."""
        self.tables.roll_back(self.holds)
        while self.applied < self.commit:
            self.applied += 1
            self.tables.apply(self.applied, self.log[self.applied - 1])
        index = max(self.applied, self.tables.written_ahead) + 1
        while index <= len(self.log) and self.tables.write_ahead(index, self.log[index - 1]):
            index += 1
        self.tables.flush()

    def save(self) -> None:
        """A checkpoint, at once."""
        outcomes: list[OSError | None] = []
        assert self.tables.checkpoint(Here(), outcomes.append)
        assert outcomes == [None]

    def power_cut(self, dice: Random) -> None:
        """Of the disk any beginning is left; the log is there, and what is committed not known."""
        self.disk = ImageDisk(dice.choice(list(self.disk.beginnings(range(0, 9000, 13)))))
        self.start()

    def expected(self) -> list[int]:
        found: list[int] = []
        for entry in self.log[: self.commit]:
            if entry.kind == Kind.APPEND:
                found += ids_of(entry)
        return found

    def shown(self) -> list[int]:
        if "t" not in self.tables:
            return []
        batches = self.tables.table("t").read(0, None, 1 << 24)
        return [i for batch in batches for i in batch.column("id").to_pylist()]


def rows_of(name: str, table: int, ids: list[int]) -> AppendRows:
    return AppendRows(name, table, len(ids), body(ids))


def ids_of(entry: Entry) -> list[int]:
    tables = Tables(ImageDisk(), FOLDER)
    create = tables.creation("t", to_bytes(SCHEMA), TableOptions())
    tables.apply(1, Entry(1, Kind.CREATE_TABLE, create))
    tables.apply(2, entry)
    found: list[int] = tables.table("t").read(0, None, 1 << 24)[0].column("id").to_pylist()
    return found


@pytest.fixture
def member() -> Member:
    return with_a_table()


def with_a_table(*bugs: str) -> Member:
    """Entry 1 makes it."""
    member = Member(*bugs)
    payload = member.tables.creation("t", to_bytes(SCHEMA), TableOptions())
    member.log.append(Entry(1, Kind.CREATE_TABLE, payload))
    member.commit = 1
    member.turn()
    return member


def file_of(member: Member) -> bytes:
    return b"".join(d for p, d in member.disk.now() if "/data" in p)


def test_rows_are_written_before_they_are_committed_and_shown_after(member: Member) -> None:
    """W3, V1, HS-12: to nobody, not in the digest, not in a checkpoint."""
    before = member.tables.summary()
    member.append(1, 2)
    member.turn()
    assert file_of(member)
    assert member.shown() == []
    assert member.tables.summary() == before
    assert member.tables.persistence("t")["totalSize"] == 0
    member.commit = 2
    written = file_of(member)
    member.turn()
    assert file_of(member) == written
    assert member.shown() == [0, 1]


def test_overruled_rows_leave_the_files(member: Member) -> None:
    """HS-11, V2."""
    member.append(1, 1)
    member.commit = 2
    member.turn()
    committed = file_of(member)
    member.append(1, 3)
    member.append(1, 2)
    member.turn()
    assert len(file_of(member)) > len(committed)
    member.overrule(2)
    member.turn()
    assert file_of(member) == committed
    member.append(1, 1)
    member.turn()
    member.commit = 3
    member.turn()
    assert member.shown() == [0, 6]


@pytest.mark.parametrize("bugs", [(), (CACHE_SURVIVES_CUT,)])
def test_a_cache_that_survives_the_cut_shows_overruled_rows(bugs: tuple[str, ...]) -> None:
    """R16, seeded."""
    member = with_a_table(*bugs)
    member.append(1, 2)
    member.turn()
    member.overrule(1)
    member.append(1, 2)
    member.commit = 2
    member.turn()
    assert member.shown() == ([0, 1] if bugs else [2, 3])


@pytest.mark.parametrize("bugs", [(), (APPLIED_APART,)])
def test_a_checkpoint_that_names_a_later_entry_loses_its_rows(bugs: tuple[str, ...]) -> None:
    """R17, seeded."""
    member = with_a_table(*bugs)
    member.append(1, 2)
    member.turn()
    member.save()
    member.commit = 2
    member.start()
    member.turn()
    assert member.shown() == ([] if bugs else [0, 1])


def test_rows_that_a_restart_finds_leave_the_files_once_they_are_overruled(
    member: Member,
) -> None:
    """HS-11: also where no other row of that table ever comes."""
    other = member.tables.creation("u", to_bytes(SCHEMA), TableOptions())
    member.log.append(Entry(1, Kind.CREATE_TABLE, other))
    member.commit = 2
    member.append(1, 1)
    member.commit = 3
    member.append(1, 2)
    member.turn()
    found = file_of(member)
    member.start()
    member.turn()
    assert file_of(member) == found
    member.start()
    member.overrule(3)
    member.log.append(Entry(2, Kind.APPEND, encode(rows_of("u", 2, [7]))))
    member.turn()
    assert member.shown() == [0]
    member.turn()  # The first one has made the table.
    (mine,) = [data for path, data in member.disk.now() if "/t.1/data" in path]
    assert found.startswith(mine)
    assert len(mine) < len(found)
    member.append(1, 1)
    member.commit = 5
    member.turn()
    assert member.shown() == [0, 3]


def test_a_table_waits_for_its_commit_and_rows_behind_it_too(member: Member) -> None:
    """Making and dropping cannot be rolled back (findings 12, 13)."""
    member.log.append(Entry(1, Kind.DROP_TABLE, member.tables.removal("t")))
    member.append(1, 1)
    member.turn()
    assert "t" in member.tables
    assert file_of(member) == b""
    member.overrule(1)
    member.append(1, 1)
    member.commit = 2
    member.turn()
    assert member.shown() == [1]


def test_a_batch_for_nobody_is_passed_over(member: Member) -> None:
    late = member.tables.insertion("t", fingerprint(SCHEMA), bytes(body([1]))).payload
    member.log.append(Entry(1, Kind.DROP_TABLE, member.tables.removal("t")))
    member.commit = 2
    member.turn()
    member.log.append(Entry(1, Kind.APPEND, late))
    member.turn()
    member.commit = 3
    member.turn()
    assert "t" not in member.tables


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_in_any_order_committed_rows_are_there_once(
    member: Member, seed: int
) -> None:
    """HS-9, HS-11, HS-12: appends, overrules, commits, checkpoints, power cuts at any byte."""
    dice = Random(seed)
    for _ in range(60):
        match dice.choice("aaaacccorpks"):
            case "a":
                member.append(1, dice.randint(1, 3))
            case "c":
                member.commit = dice.randint(member.commit, len(member.log))
            case "o":
                member.overrule(dice.randint(0, len(member.log)))
            case "p":
                member.power_cut(dice)
            case "k":
                member.save()
            case _:
                member.turn()
        if member.applied == member.commit:
            assert member.shown() == member.expected()
    member.commit = len(member.log)
    member.turn()
    assert member.shown() == member.expected()
    clean = Member()
    clean.log, clean.commit = member.log, member.commit
    clean.turn()
    assert clean.tables.summary() == member.tables.summary()
    member.save()
    member.power_cut(dice)
    member.turn()
    assert member.shown() == member.expected()
    assert file_of(member) == file_of(clean)
