"""Several Raft groups on the same nodes, and tables that come and go."""

import asyncio
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from delphic.harness.conform.trace.validator import validate
from delphic.harness.traces import Boot, Record, Trace
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.client.session import Session
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow

TWO = "2:n1:n2:n3,3:n3:n2:n1"
OTHER = pa.schema([("price", pa.float64())])


async def refused(call: object) -> str:
    """The name of the definite error that a call ends in."""
    with pytest.raises(RequestError) as caught:
        await call  # type: ignore[misc]
    assert caught.value.definite
    return caught.value.name


async def everywhere(members: Members, name: str) -> None:
    """All members have the table, which is in group 3."""
    async with asyncio.timeout(10):
        tables = await members.statuses_agree(3)
        while name not in tables:
            tables = await members.statuses_agree(3)


async def known_to(member: Connection, group: int, table: str) -> None:
    """The member has the table."""
    async with asyncio.timeout(10):
        status = await functions.raft_status(member, group)
        while table not in status["tables"]:
            status = await functions.raft_status(member, group)


def files_of(home: Path) -> list[Path]:
    """The data files of all tables t of group 2."""
    return list(home.glob("data/2/t.*/*"))


def test_two_groups_on_the_same_nodes_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Q3: a node may be in several groups; HS-1, HS-4 and HS-5 hold in each."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(2, "a", SCHEMA)
            await session.create_table(3, "b", SCHEMA)
            await everywhere(members, "b")
            for i in range(4):
                assert await session.append("a", rows(i)) == i
                assert await session.append("b", rows(10 + i)) == i
            assert await refused(session.create_table(3, "a", SCHEMA)) == "TableExists"
            assert set(await members.statuses_agree(2)) == {"a"}
            assert set(await members.statuses_agree(3)) == {"b"}
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await functions.get_streaming_leader(session, 3, timeout_s=10)
            await everywhere(members, "b")
            assert ids(await session.read("b", 0)) == [10, 11, 12, 13]
            assert ids(await session.read("a", 0)) == [0, 1, 2, 3]

    with Homes(tmp_path, groups=TWO, extra="traceFile=trace.jsonl\n") as homes:
        run(scenario(homes))
        traces = {
            alias: Trace((homes.home(alias) / "trace.jsonl").read_bytes()) for alias in ALIASES
        }
    found = validate(ALIASES, traces)
    assert (found.rejected, found.undecided) == ((), ())
    assert found.steps > 100


def test_two_groups_of_three_among_four_nodes_count_their_own_members(tmp_path: Path) -> None:
    """Q3, HS-1: a majority is one of the group's members, for members and for who judges them."""
    four = (*ALIASES, "n4")

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*four)
            for group, mine in ((2, four[:3]), (3, four[1:])):
                session = Session([f"127.0.0.1:{homes.ports[alias]}" for alias in mine])
                try:
                    await session.create_table(group, f"t{group}", SCHEMA)
                    for alias in mine:
                        await known_to(await members.connect(alias), group, f"t{group}")
                    for i in range(4):
                        assert await session.append(f"t{group}", rows(i)) == i
                finally:
                    session.close()
            assert await refused(functions.raft_status(await members.connect("n1"), 3))

    with Homes(
        tmp_path, groups="2:n1:n2:n3,3:n2:n3:n4", extra="traceFile=trace.jsonl\n", aliases=four
    ) as homes:
        run(scenario(homes))
        traces = {alias: Trace((homes.home(alias) / "trace.jsonl").read_bytes()) for alias in four}
    found = validate(four, traces)
    assert (found.rejected, found.undecided) == ((), ())
    assert found.steps > 60
    assert {record.group for record in traces["n2"].records} == {2, 3}
    untold = {alias: Trace.of(map(without_members, traces[alias].records)) for alias in four}
    assert validate(four, untold).rejected, "two of four are no majority"


def without_members(record: Record) -> Record:
    if not isinstance(record.event, Boot):
        return record
    return msgspec.structs.replace(record, event=Boot())


def test_a_dropped_table_is_gone_on_every_member_and_after_a_restart(tmp_path: Path) -> None:
    """HS-17, HS-18: what comes back under its name begins anew, with other columns if need be."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            await session.append("t", rows(0, 1, 2))
            leader = await members.leader()
            follower = next(alias for alias in ALIASES if alias != leader)
            await functions.drop_table(await members.connect(follower), "t")
            assert await refused(session.read("t", 0)) == "NoSuchTable"
            assert await refused(session.append("t", rows(3))) == "NoSuchTable"
            assert await refused(session.drop_table("t")) == "NoSuchTable"
            assert await members.statuses_agree() == {}
            assert [files_of(homes.home(alias)) for alias in ALIASES] == [[], [], []]
            await session.create_table(GROUP, "t", OTHER)
            assert await session.append("t", pa.record_batch([[1.5]], schema=OTHER)) == 0
        async with Members(homes) as members:
            await members.start(*ALIASES)
            found = await members.session().read("t", 0)
            assert found.to_pydict() == {"price": [1.5]}
            tables = await members.statuses_agree()
            assert {name: table["rows"] for name, table in tables.items()} == {"t": 1}

    with Homes(tmp_path) as homes:
        run(scenario(homes))
