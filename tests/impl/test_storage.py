"""Rows on disk, seen from a client: old ones are read from the files, damaged ones by nobody."""

from pathlib import Path

import pytest
from delphic.impl.client import functions
from delphic.impl.client.errors import RequestError
from delphic.impl.role import NodeFailedError
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

COUNT = 3000


async def filled(members: Members) -> str:
    """A table of which a third is in memory; gives the leader."""
    await members.start(*ALIASES)
    session = members.session()
    await session.create_table(GROUP, "t", SCHEMA, cache_limit=1)
    for start in range(0, COUNT, 100):
        await session.append("t", rows(*range(start, start + 100)))
    await members.statuses_agree()
    return await members.leader()


def test_rows_beyond_the_cache_limit_are_read_from_the_files(tmp_path: Path) -> None:
    """HS-21, C1, C3: from any offset, and after a restart."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            leader = await filled(members)
            table = members.data_node(leader).groups[GROUP]._tables._stored("t").table
            assert 0 < COUNT - table.memory_offset <= 1000
            session = members.session()
            assert ids(await session.read("t", 0)) == list(range(COUNT))
            assert ids(await session.read("t", 1555, 700)) == list(range(1555, 2255))
        async with Members(homes) as members:
            await members.start(*ALIASES)
            assert ids(await members.session().read("t", 0)) == list(range(COUNT))

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_damaged_row_is_served_by_nobody_and_ends_one_member(tmp_path: Path) -> None:
    """The error names the file and the byte; the others go on and have the row."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            leader = await filled(members)
            file = next(homes.home(leader).glob("data/2/t.*/data0.log"))
            data = bytearray(file.read_bytes())
            data[len(data) // 6] ^= 1
            file.write_bytes(data)
            connection = await members.connect(leader)
            assert ids(await functions.read(connection, "t", 0, 100)) == list(range(100))
            with pytest.raises(RequestError, match=r"this member cannot read table t"):
                await functions.read(connection, "t", 0)
            with pytest.raises(NodeFailedError, match=r"data0\.log: corrupt at byte \d+: the chec"):
                await members.ended(leader)
            assert ids(await members.session().read("t", 0)) == list(range(COUNT))

    with Homes(tmp_path) as homes:
        run(scenario(homes))
