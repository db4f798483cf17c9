"""Ordinary tables beside HA tables, over sockets; what nodes tell of both."""

import asyncio
from pathlib import Path

import pytest
from delphic.impl.client import functions
from delphic.impl.client.errors import RequestError
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow


async def refused(call: object) -> str:
    """The name of the definite error that a call ends in."""
    with pytest.raises(RequestError) as caught:
        await call  # type: ignore[misc]
    assert caught.value.definite
    return caught.value.name


def test_a_node_in_no_group_has_tables_that_survive_its_restart(tmp_path: Path) -> None:
    """Q3: without a group, a table is an ordinary one; D7: its schema survives."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start("n1")
            one = await members.connect("n1")
            await functions.create_ordinary_table(one, "t", SCHEMA)
            await functions.create_ordinary_table(one, "u", SCHEMA)
            offsets = await asyncio.gather(
                *(functions.append(one, "t", rows(2 * i, 2 * i + 1)) for i in range(20))
            )
            assert offsets == list(range(0, 40, 2))
            assert await refused(functions.create_table(one, GROUP, "v", SCHEMA)) == "BadRequest"
            await functions.drop_table(one, "u")
        async with Members(homes) as members:
            await members.start("n1")
            one = await members.connect("n1")
            assert ids(await functions.read(one, "t", 0)) == list(range(40))
            assert ids(await functions.read(one, "t", 38)) == [38, 39]
            assert await functions.append(one, "t", rows(40)) == 40
            assert await refused(functions.read(one, "u", 0)) == "NoSuchTable"

    with Homes(tmp_path) as homes:
        for alias in ALIASES:
            (homes.home(alias) / "config" / "cluster.cfg").write_text(
                "persistenceDir=data\nauthentication=off\n"
            )
        run(scenario(homes))


def test_a_name_is_that_of_an_ordinary_table_or_of_an_ha_table(tmp_path: Path) -> None:
    """Q8: the one must be dropped before the other can be made."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            leader = await members.leader()
            session, one = members.session(), await members.connect(leader)
            other = await members.connect(next(a for a in ALIASES if a != leader))
            await functions.create_ordinary_table(one, "t", SCHEMA)
            await functions.append(one, "t", rows(1, 2))
            for caller in (one, other):
                assert await refused(functions.create_table(caller, GROUP, "t", SCHEMA)) == (
                    "TableExists"
                )
            assert await functions.append(one, "t", rows(3)) == 2
            await functions.drop_table(one, "t")
            await session.create_table(GROUP, "t", SCHEMA)
            assert await refused(functions.create_ordinary_table(one, "t", SCHEMA)) == "TableExists"
            assert await session.append("t", rows(7)) == 0
            assert ids(await session.read("t", 0)) == [7]

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_how_tables_are_kept_and_what_waits_is_told(tmp_path: Path) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            leader = await members.leader()
            one = await members.connect(leader)
            await functions.create_table(
                one, GROUP, "ha", SCHEMA, cache_limit=5000, retention_minutes=60
            )
            await functions.create_ordinary_table(one, "plain", SCHEMA)
            for name in ("ha", "plain"):
                await functions.append(one, name, rows(1, 2, 3))
            ha = await functions.get_persistence_meta(one, "ha")
            plain = await functions.get_persistence_meta(one, "plain")
            stat = await functions.get_streaming_stat(one)
            assert await refused(functions.get_persistence_meta(one, "nil")) == "NoSuchTable"
            for meta in (ha, plain):
                assert meta.pop("persistenceDir").startswith(str(homes.home(leader)))
                size = {"totalSize", "sizeInMemory", "sizeOnDisk"}
                assert {meta.pop(name) for name in size} == {3}
                assert {meta.pop(name) for name in ("memoryOffset", "diskOffset")} == {0}
                assert (meta.pop("asynWrite"), meta.pop("compress")) == (False, False)
                assert meta.pop("hashValue") == 0
            assert plain == {"lastLogSeqNum": -1, "raftGroup": -1, "retentionMinutes": -1}
            last, made = ha.pop("lastLogSeqNum"), ha.pop("tableId")
            assert 0 < made < last
            assert ha == {"raftGroup": GROUP, "retentionMinutes": 60}
            workers = [(row["tables"], row["queueDepth"]) for row in stat["persistWorkers"]]
            assert workers == [("ha", 0), ("plain", 0)]
            assert set(stat) == {
                "pubConns",
                "subConns",
                "pubTables",
                "persistWorkers",
                "subWorkers",
            }

    with Homes(tmp_path) as homes:
        run(scenario(homes))
