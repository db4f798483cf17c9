"""A node under a bounded barrage of nonsense, over real sockets: it ends connections and lives."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.impl.client import functions
from delphic.impl.client.errors import RequestError
from delphic.impl.raft.messages import AppendRequest, AppendResponse, Entry, Kind, VoteRequest
from delphic.impl.wire import (
    CLIENT,
    MAGIC,
    PEER,
    VERSION,
    Failure,
    Frame,
    Hello,
    PeerMessage,
    Request,
    Result,
    encode,
)
from garbage import INTEGERS, damaged
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow

BODY = rows(1).serialize().to_pybytes()
PRINT = functions.fingerprint(SCHEMA)

CALLS: list[tuple[Any, ...]] = [
    ("tableInsert", ("t", PRINT, BODY)),
    ("tableInsert", ("t", PRINT, b"")),
    ("readRows", ("t", 0, None)),
    ("dropStreamTable", ("none",)),
    ("subscribeTable", ({"table": "t"},)),
    ("unsubscribeTable", ("t", "a")),
    ("haStreamTable", (GROUP, functions.to_bytes(SCHEMA), "other", 0, (), 1440)),
    ("getStreamingRaftGroups", ()),
    ("getStreamingLeader", (GROUP,)),
    ("raftStatus", (GROUP,)),
    ("nodeStatus", ()),
    ("\0", ()),
]

HOSTILE: Sequence[Any] = (
    None,
    True,
    *INTEGERS,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "t",
    "../../etc/passwd",
    "x" * 5000,
    "\0\n\x1b",
    b"",
    b"\xff" * 100,
    [],
    [[[[[[]]]]]],
    {},
    {"a": {"b": 1}},
    {1: 2},
    msgspec.msgpack.Ext(5, b"x"),
)


def framed(*frames: Frame) -> bytes:
    return b"".join(b"".join(encode(frame, 1 << 20)) for frame in frames)


async def throw(port: int, data: bytes) -> bytes:
    """Send, say that nothing follows, and take what comes until the node ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def still_lives(members: Members, alias: str) -> None:
    connection = await members.connect(alias)
    status = await connection.call("nodeStatus", timeout_s=5)
    assert (status["alias"], status["incarnation"]) == (alias, 1)


async def prepared(members: Members) -> str:
    """A group with a table of one row; gives its leader."""
    await members.start(*ALIASES)
    session = members.session()
    await session.create_table(GROUP, "t", SCHEMA)
    assert await session.append("t", rows(7)) == 0
    return await members.leader()


def test_a_node_survives_damaged_streams_of_strangers_and_clients(tmp_path: Path) -> None:
    chance = random.Random(6)
    hello = framed(Hello(MAGIC, VERSION, CLIENT, "", ""))
    calls = framed(*(Request(number, *call) for number, call in enumerate(CALLS)))

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            leader = await prepared(members)
            port = homes.ports[leader]
            for number in range(150):
                data = hello + damaged(calls, chance) if number % 3 else damaged(hello, chance)
                await throw(port, data)
            await still_lives(members, leader)
            found = await members.session().read("t", 0)
            assert ids(found)[0] == 7
            await members.statuses_agree()

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_node_survives_every_function_with_every_strange_argument(tmp_path: Path) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            leader = await prepared(members)
            connection = await members.connect(leader)
            calls = []
            for function, args in CALLS:
                shapes = [(), (*args, None), *((value,) for value in HOSTILE)]
                for place in range(len(args)):
                    shapes += [(*args[:place], value, *args[place + 1 :]) for value in HOSTILE]
                calls += [connection.call(function, shape, timeout_s=10) for shape in shapes]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            assert {type(outcome) for outcome in refused} == {RequestError}
            assert all(outcome.definite for outcome in refused if isinstance(outcome, RequestError))
            assert connection.is_open
            await still_lives(members, leader)
            await members.statuses_agree()

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_peer_that_speaks_nonsense_loses_its_connection_and_the_node_lives(
    tmp_path: Path,
) -> None:
    chance = random.Random(6)
    entry = Entry(1, Kind.APPEND, b"junk")

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            leader = await prepared(members)
            peer = next(alias for alias in ALIASES if alias != leader)
            hello = framed(Hello(MAGIC, VERSION, PEER, peer, members.node(leader).cluster_id))
            term = (await functions.raft_status(await members.connect(leader), GROUP))["term"]
            messages = [
                AppendRequest(peer, leader, term, 0, 5, (), 0, 0),
                AppendRequest(peer, leader, term, 1, 1, (Entry(0, Kind.NOOP, b""),), 0, 0),
                AppendRequest(peer, leader, 0, 0, 0, (entry,), 0, 0),
                AppendRequest("n9", leader, term, 0, 0, (), 0, 0),
                AppendResponse(peer, leader, term, True, 10_000, 0, 0),
                VoteRequest(peer, leader, term, 9, term + 1, False),
            ]
            frames: list[Frame] = [PeerMessage(GROUP, 1, 1, message) for message in messages]
            frames += [
                PeerMessage(99, 1, 1, messages[0]),
                Request(1, "nodeStatus", ()),
                Request(1, "haStreamTable", (GROUP, "x", None)),
            ]
            for frame in frames:
                # The connection ends without being asked to.
                reader, writer = await asyncio.open_connection("127.0.0.1", homes.ports[leader])
                writer.write(hello + framed(frame))
                await asyncio.wait_for(reader.read(), 10)
                writer.close()
            harmless = framed(
                PeerMessage(GROUP, 1, 1, AppendResponse(peer, leader, 0, False, 0, 0, 0)),
                PeerMessage(GROUP, 1, 2, VoteRequest(peer, leader, 0, 0, 0, True)),
                Result(7, None),
                Failure(8, "x", True, "y"),
                Request(1, "haStreamTable", (GROUP, b"junk", "\0")),
            )
            for _ in range(100):
                # Without a checksum, damage to the middle may make a message that is valid: only
                # what is in the way of its meaning is damaged here.
                await throw(homes.ports[leader], hello + harmless[: chance.randrange(5, 60)])
                await throw(
                    homes.ports[leader], hello + harmless + damaged(b"\0\0\0\1\xc1", chance)
                )
            await still_lives(members, leader)
            assert await members.session().append("t", rows(8)) == 1
            await members.statuses_agree()

    with Homes(tmp_path) as homes:
        run(scenario(homes))
