"""The saved catalog: power cuts at every moment, damage, snapshots that take its place."""

from collections.abc import Callable

import pytest
from catalogs import begin, ddl
from delphic.harness.conform.wal.disk import ImageDisk
from delphic.impl.cluster.catalog_machine import FILE, INCOMING, CatalogFileError, CatalogMachine
from delphic.impl.cluster.commands import Command, CommandError, encode
from delphic.impl.cluster.operations import Operation
from delphic.impl.cluster.seat import Nobody
from delphic.impl.raft.messages import Entry, Kind
from delphic.impl.raft.terms import Position, Runs

FOLDER = "/meta/catalog"

COMMANDS: tuple[Command, ...] = (
    ddl(Operation.CREATE_DOMAIN),
    ddl(Operation.CREATE_PARTITIONED_TABLE, table="t"),
    begin("a", "b"),
    begin("c"),
)


class Here:
    """A worker that works at once."""

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        job()
        done(None)

    async def close(self) -> None:
        """Nothing is under way."""


def opened(disk: ImageDisk, base: Runs = ()) -> CatalogMachine:
    return CatalogMachine(disk, FOLDER, lambda state: Nobody(), base)


def fed(machine: CatalogMachine, commands: tuple[Command, ...] = COMMANDS) -> CatalogMachine:
    for index, command in enumerate(commands, start=machine.applied.index + 1):
        machine.apply(index, Entry(1, Kind.CATALOG, encode(command)))
    return machine


def save(machine: CatalogMachine) -> None:
    outcomes: list[OSError | None] = []
    assert machine.checkpoint(Here(), outcomes.append)
    assert outcomes == [None]


def test_what_was_saved_is_there_after_a_restart_and_what_was_not_is_redone() -> None:
    disk = ImageDisk()
    machine = fed(opened(disk), COMMANDS[:3])
    assert machine.checkpointed == Position(0, 0)
    save(machine)
    assert machine.checkpointed == Position(3, 1)
    fed(machine, COMMANDS[3:])
    again = opened(disk)
    assert again.applied == again.checkpointed == Position(3, 1)
    fed(again, COMMANDS[3:])
    assert again.catalog.dump() == machine.catalog.dump()


def test_entries_of_other_kinds_change_nothing_but_the_position() -> None:
    machine = opened(ImageDisk())
    before = machine.catalog.dump()
    assert machine.apply(1, Entry(1, Kind.NOOP, b"")) is None
    assert (machine.applied, machine.catalog.dump()) == (Position(1, 1), before)
    with pytest.raises(CommandError):
        machine.apply(2, Entry(1, Kind.CATALOG, b"\x93\x63"))


def test_a_power_cut_leaves_the_old_catalog_or_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = ImageDisk()
    machine = fed(opened(disk), COMMANDS[:2])
    save(machine)
    old = machine.catalog.dump()
    fed(machine, COMMANDS[2:])
    new = machine.catalog.dump()
    worlds: list[bytes] = []

    def job_done(job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        before = disk.about_to_sync

        def about_to_sync() -> None:
            worlds.extend(opened(ImageDisk(left)).catalog.dump() for left in disk.beginnings())
            before()

        monkeypatch.setattr(disk, "about_to_sync", about_to_sync)
        job()
        done(None)

    worker = Here()
    monkeypatch.setattr(worker, "submit", job_done)
    machine.checkpoint(worker, lambda error: None)
    worlds.append(opened(disk).catalog.dump())
    assert set(worlds) == {old, new}


@pytest.mark.parametrize("at", [0, 3, 4, 20, -1])
def test_a_damaged_catalog_is_never_loaded(at: int) -> None:
    disk = ImageDisk()
    save(fed(opened(disk)))
    data = bytearray(disk.read(f"{FOLDER}/{FILE}") or b"")
    data[at] ^= 1
    file = disk.open(f"{FOLDER}/{FILE}")
    file.truncate(0)
    file.append(bytes(data))
    with pytest.raises(CatalogFileError):
        opened(disk)


def test_a_snapshot_takes_the_place_of_all_there_was() -> None:
    source = fed(opened(ImageDisk()))
    assert source.export() is None
    save(source)
    export = source.export()
    assert export is not None
    disk = ImageDisk()
    machine = fed(opened(disk), COMMANDS[:1])
    for at in range(0, export.size, 7):
        machine.staging.append(export.read(at, 7))
    machine.staging.seal()
    assert machine.staging.complaint == ""
    # From here on a crash at any moment ends with the snapshot: the log begins behind it.
    crashed = opened(ImageDisk(disk.now()), ((1, 4),))
    assert crashed.catalog.dump() == source.catalog.dump()
    assert crashed.staging.size() == 0, "nothing needs these bytes any more"
    machine.install(((1, 4),))()
    machine.install_done()
    assert machine.applied == machine.checkpointed == Position(4, 1)
    assert machine.catalog.dump() == source.catalog.dump()
    assert machine.staging.size() == 0
    assert opened(disk, ((1, 4),)).catalog.dump() == source.catalog.dump()


def test_a_snapshot_that_is_not_whole_or_of_other_entries_is_refused() -> None:
    source = fed(opened(ImageDisk()))
    save(source)
    export = source.export()
    assert export is not None
    machine = opened(ImageDisk())
    machine.staging.append(export.read(0, export.size - 1))
    machine.staging.seal()
    assert "checksum" in machine.staging.complaint
    machine.staging.clear()
    machine.staging.append(export.read(0, export.size))
    machine.staging.seal()
    with pytest.raises(OSError, match="other entries"):
        machine.install(((2, 4),))()
    assert INCOMING != FILE


def test_a_snapshot_is_kept_until_what_was_made_of_it_outlasts_a_power_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = fed(opened(ImageDisk()))
    save(source)
    export = source.export()
    assert export is not None
    disk = ImageDisk()
    machine = fed(opened(disk), COMMANDS[:1])
    save(machine)
    machine.staging.append(export.read(0, export.size))
    machine.staging.seal()

    def killed(folder: str) -> None:
        raise InterruptedError(folder)

    monkeypatch.setattr(disk, "sync_folder", killed)
    with pytest.raises(InterruptedError):
        machine.install(((1, 4),))()
    monkeypatch.undo()
    disk.watched = []
    assert opened(disk, ((1, 4),)).catalog.dump() == source.catalog.dump()
    for left in (*disk.watched, *disk.beginnings()):
        assert opened(ImageDisk(left), ((1, 4),)).catalog.dump() == source.catalog.dump()


def test_what_a_crash_left_of_a_snapshot_that_was_arriving_goes() -> None:
    disk = ImageDisk()
    opened(disk).staging.append(b"half")
    assert opened(ImageDisk(disk.now())).staging.size() == 0
