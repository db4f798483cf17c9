"""Members on loopback whose logs are cut: who missed too much gets a snapshot of the tables."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from delphic.impl.client import functions
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow

PURGE = "streamingHAPurgeInterval=31536000\nstreamingHAPurgeSize=1024\n"
"""Checkpoints as the log grows, at no other time."""


async def snapshots(members: Members, alias: str) -> dict[str, int]:
    connection = await members.connect(alias)
    status: dict[str, Any] = await functions.raft_status(connection, GROUP)
    return dict(status["snapshots"])


def test_a_member_that_missed_what_no_log_holds_gets_a_snapshot(tmp_path: Path) -> None:
    """Promises HS-10, HS-20 and HS-25; and HS-9: all restart from their checkpoints."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            leader = await members.leader()
            absent = next(alias for alias in ALIASES if alias != leader)
            await session.append("t", rows(0))
            await members.stop(absent)
            for number in range(1, 60):
                await session.append("t", rows(number))
            assert (await snapshots(members, leader))["base"] > 10
            await members.start(absent)
            tables = await members.statuses_agree()
            assert tables["t"]["rows"] == 60
            assert (await snapshots(members, absent))["installed"] == 1
            assert (await snapshots(members, leader))["sent"] == 1
            await session.append("t", rows(60, 61))
            assert ids(await session.read("t", 0)) == list(range(62))
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            assert ids(await session.read("t", 0)) == list(range(62))
            tables = await members.statuses_agree()
            assert tables["t"]["rows"] == 62

    with Homes(tmp_path, extra=PURGE) as homes:
        run(asyncio.wait_for(scenario(homes), 30))


def test_old_segments_of_the_log_are_removed(tmp_path: Path) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            for number in range(80):
                await session.append("t", rows(number))
            await members.statuses_agree()

    with Homes(tmp_path, extra=PURGE) as homes:
        run(asyncio.wait_for(scenario(homes), 30))
        for alias in ALIASES:
            names = sorted(p.name for p in homes.home(alias).glob("log/streamLog/2/*.wal"))
            assert 0 < len(names) <= 3
            assert names[0] > "0000000000000001.wal"
