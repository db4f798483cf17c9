"""Snapshots that take the tables' place, over restarts and crashes (HS-10)."""

from collections.abc import Callable
from typing import Any, cast

import pyarrow as pa
import pytest
from delphic.harness.conform.wal.disk import ImageDisk
from delphic.impl.client.errors import RequestError
from delphic.impl.raft.disk import Disk
from delphic.impl.raft.messages import Entry, Kind
from delphic.impl.raft.terms import Position, Runs
from delphic.impl.runtime import Worker
from delphic.impl.stream.commands import TableOptions
from delphic.impl.stream.datafile import DataFileError
from delphic.impl.stream.schema import fingerprint, to_bytes
from delphic.impl.stream.snapshot import FILE
from delphic.impl.stream.tables import Tables

SCHEMA = pa.schema([("id", pa.int64())])
FOLDER = "/data/2"


class AtOnce:
    """A worker that does its jobs when they come."""

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        job()
        done(None)


class Life:
    """A log, all of one term, and the tables that it makes on a disk."""

    def __init__(self, disk: Disk, **more: Any) -> None:
        self.log: list[Entry] = []
        self.tables = Tables(disk, FOLDER, **more)

    def terms(self, index: int | None = None) -> Runs:
        return ((1, index or len(self.log)),)

    def take(self, kind: Kind, payload: bytes) -> None:
        self.log.append(Entry(1, kind, payload))
        self.tables.apply(len(self.log), self.log[-1])
        self.tables.flush()

    def create(self, name: str, **options: Any) -> None:
        made = self.tables.creation(name, to_bytes(SCHEMA), TableOptions(**options))
        self.take(Kind.CREATE_TABLE, made)

    def drop(self, name: str) -> None:
        self.take(Kind.DROP_TABLE, self.tables.removal(name))

    def append(self, name: str, *ids: int) -> None:
        body = pa.record_batch([ids], schema=SCHEMA).serialize().to_pybytes()
        self.take(Kind.APPEND, self.tables.insertion(name, fingerprint(SCHEMA), body).payload)

    def checkpoint(self) -> None:
        ended: list[OSError | None] = []
        assert self.tables.checkpoint(cast(Worker, AtOnce()), ended.append)
        assert ended == [None]


def story(life: Life) -> None:
    life.create("t")
    life.append("t", 1, 2)
    life.create("u")
    life.append("u", 3)


def exported(tables: Tables, piece: int = 1000) -> bytes:
    export = tables.export()
    assert export is not None
    data = b"".join(export.read(at, piece) for at in range(0, export.size, piece))
    assert len(data) == export.size
    export.close()
    return data


def test_a_snapshot_makes_another_members_tables_equal() -> None:
    life = Life(ImageDisk())
    story(life)
    life.checkpoint()
    data = exported(life.tables)
    assert data == exported(life.tables, 7), "whatever the pieces"
    life.append("t", 9)
    assert data == exported(life.tables), "what is newer does not matter"
    other = Life(ImageDisk())
    other.create("t")
    other.append("t", 1, 2)
    other.create("gone")
    other.tables.staging.append(data)
    other.tables.staging.seal()
    other.tables.install(((1, 4),))()
    other.tables.install_done()
    assert other.tables.checkpointed == Position(4, 1)
    assert set(other.tables.summary()) == {"t", "u"}
    other.tables.apply(5, life.log[4])
    other.tables.flush()
    assert other.tables.summary() == life.tables.summary()


def test_rows_on_disk_are_not_read_while_a_snapshot_takes_their_place() -> None:
    """The files are another's already: what lacks there is no damage."""
    leader, life = Life(ImageDisk()), Life(ImageDisk(), file_bytes=8000)
    leader.create("u")
    leader.checkpoint()
    life.create("t", cache_limit=1000)
    for start in range(0, 2400, 600):
        life.append("t", *range(start, start + 600))
    damaged: list[Exception] = []
    life.tables.tell_damage(damaged.append)
    in_memory = life.tables.table("t").memory_offset
    assert in_memory > 0
    life.tables.staging.append(exported(leader.tables))
    life.tables.staging.seal()
    life.tables.install(leader.terms())()
    with pytest.raises(RequestError, match="a snapshot is taking the place") as caught:
        life.tables.read("t", 0, 10, 10**6)
    assert (caught.value.name, caught.value.definite) == ("Overloaded", True)
    assert life.tables.read("t", in_memory, 1, 10**6)["end"] == 2400
    life.tables.install_done()
    assert life.tables.names == leader.tables.names
    assert damaged == []


def test_a_snapshot_may_hold_no_tables() -> None:
    """A checkpoint of the time before the first one was made, or after the last was dropped."""
    life = Life(ImageDisk())
    life.create("t")
    life.drop("t")
    life.checkpoint()
    other = Life(ImageDisk())
    other.create("gone")
    other.tables.staging.append(exported(life.tables, 7))
    other.tables.staging.seal()
    other.tables.install(life.terms())()
    other.tables.install_done()
    assert other.tables.checkpointed == Position(2, 1)
    assert other.tables.summary() == {}


def test_an_installation_that_a_power_cut_interrupts_is_done_again() -> None:
    """The log begins behind the snapshot already: nothing else has these rows."""
    source = Life(ImageDisk())
    story(source)
    source.checkpoint()
    disk = ImageDisk()
    life = Life(disk)
    life.create("t")
    life.append("t", 1)
    life.checkpoint()
    life.tables.staging.append(exported(source.tables))
    life.tables.staging.seal()
    disk.watched = []
    life.tables.install(source.terms())()
    for left in (*disk.watched, *disk.beginnings()):
        found = Tables(ImageDisk(left), FOLDER, base=source.terms())
        assert found.summary() == source.tables.summary()
        assert found.staging.size() == 0, "nothing needs these bytes any more"
    life.tables.install_done()
    assert life.tables.summary() == source.tables.summary()


@pytest.mark.parametrize("spoil", ["nothing", "cut", "flipped", "another"])
def test_a_log_that_begins_behind_what_nobody_has_is_refused(spoil: str) -> None:
    source = Life(ImageDisk())
    story(source)
    source.checkpoint()
    data = bytearray(exported(source.tables))
    disk = ImageDisk()
    staging = Tables(disk, FOLDER).staging
    if spoil == "cut":
        del data[-1:]
    if spoil == "flipped":
        data[12] ^= 1
    if spoil != "nothing":
        staging.append(bytes(data))
        staging.seal()
    base = ((1, 5),) if spoil == "another" else source.terms()
    with pytest.raises(DataFileError, match=f"{FOLDER}/{FILE}: "):
        Tables(disk, FOLDER, base=base)
