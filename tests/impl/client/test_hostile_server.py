"""A server that answers nonsense: a client raises RequestError and nothing else."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pyarrow as pa
import pytest
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import NOT_LEADER, RequestError
from delphic.impl.client.functions import Caller
from delphic.impl.client.session import Session
from delphic.impl.client.subscribing import Begun
from delphic.impl.raft.debts import Answer
from delphic.impl.stream.schema import to_bytes
from delphic.impl.wire import VERSION, Failure, Refused, Result, Welcome, encode
from garbage import damaged, values
from hand_clock import HandClock
from hypothesis import example, given, settings
from members import GROUP, SCHEMA, rows, run
from scripted_node import ScriptedNode

BODY = rows(1, 2).serialize().to_pybytes()
GOOD = {"schema": to_bytes(SCHEMA), "batches": [BODY], "end": 2, "table": [2, 1]}


class Liar:
    """Answers every call with the same."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self.clock = HandClock()

    async def call(self, function: str, args: tuple[Any, ...] = (), *, timeout_s: float) -> Any:
        return self._value


HELPERS: list[Callable[[Caller], Awaitable[Any]]] = [
    lambda caller: functions.append(caller, "t", rows(1)),
    lambda caller: functions.read(caller, "t", 0),
    lambda caller: functions.get_streaming_raft_groups(caller),
    lambda caller: functions.get_streaming_leader(caller, GROUP),
    lambda caller: functions.raft_status(caller, GROUP),
]


@settings(derandomize=True, max_examples=100, deadline=None)
@given(values())
@example(GOOD | {"schema": b"junk", "batches": [], "end": 0})
@example(GOOD | {"schema": to_bytes(SCHEMA), "batches": [b"junk"], "end": 1})
@example(GOOD | {"schema": to_bytes(SCHEMA), "batches": [], "end": 2**64 - 1})
@example(GOOD | {"schema": to_bytes(SCHEMA), "batches": [BODY], "end": "2"})
@example(
    GOOD | {"schema": to_bytes(SCHEMA), "batches": [BODY.replace(b"row1", b"\xff" * 4)], "end": 2}
)
@example(GOOD | {"table": [2**64 - 1, 1]})
def test_an_answer_is_what_it_must_be_or_is_refused(value: Any) -> None:
    async def ask(helper: Callable[[Caller], Awaitable[Any]]) -> None:
        found = (await asyncio.gather(helper(Liar(value)), return_exceptions=True))[0]
        if isinstance(found, RequestError):
            assert (found.name, found.definite) == ("BadAnswer", False)
        else:
            assert isinstance(found, int | str | list | dict)

    for helper in HELPERS:
        asyncio.run(ask(helper))


def test_the_same_checks_take_what_is_right() -> None:
    async def ask() -> None:
        found = await functions.read(Liar(GOOD), "t", 0)
        assert found == pa.Table.from_batches([rows(1, 2)])

    asyncio.run(ask())


def test_a_damaged_answer_to_a_read_is_refused_or_holds_valid_rows() -> None:
    chance = random.Random(6)

    async def ask() -> None:
        outcomes = set()
        for _ in range(300):
            answer = {**GOOD, "batches": [damaged(BODY, chance)]}
            try:
                found = await functions.read(Liar(answer), "t", 0, 2)
            except RequestError as error:
                outcomes.add(error.name)
            else:
                found.validate(full=True)
                outcomes.add("rows")
        assert outcomes == {"BadAnswer", "rows"}

    asyncio.run(ask())


RIGHT = {
    "schema": to_bytes(SCHEMA),
    "term": 1,
    "beat_s": 0.5,
    "start": 0,
    "sites": ["h:1:n1"],
    "table": [2, 1],
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": 5},
        {"term": "x"},
        {"beat_s": 0.0},
        {"beat_s": float("nan")},
        {"beat_s": float("inf")},
        {"start": None},
        {"sites": ["h"]},
        {"sites": 7},
        {"start": 2**64 - 1},
        {"table": None},
        {"table": [2]},
        {"table": [2, 2**64 - 1]},
    ],
    ids=str,
)
def test_a_leader_that_begins_a_subscription_in_a_way_that_cannot_be_is_refused(
    wrong: dict[str, Any],
) -> None:
    assert [site.alias for site in functions.understood(Begun, RIGHT).places()] == ["n1"]
    with pytest.raises(RequestError, match="BadAnswer"):
        functions.understood(Begun, RIGHT | wrong).places()


@pytest.mark.parametrize("body", [b"", b"junk", BODY[:-8], to_bytes(SCHEMA)], ids=len)
def test_rows_that_are_none_are_refused_also_where_they_are_pushed(body: bytes) -> None:
    with pytest.raises(RequestError, match="BadAnswer"):
        functions.batch_of(body, SCHEMA)
    assert functions.batch_of(BODY, SCHEMA) == rows(1, 2)


def packed(*frames: Welcome | Result | Failure | Refused) -> bytes:
    return b"".join(b"".join(encode(frame, 1 << 20)) for frame in frames)


def test_a_damaged_stream_of_answers_ends_the_connection_or_is_another_answer() -> None:
    chance = random.Random(11)
    welcome = packed(Welcome(VERSION, "n1", "0123456789abcdef", 1 << 20))
    answers = [
        packed(Result(1, {"rows": 3})),
        packed(Failure(1, "NotLeader", True, "<NotLeader>h:1:n1")),
        packed(Refused("no")),
        packed(Welcome(VERSION, "n1", "", 0)),
        b"\xff\xff\xff\xff",
    ]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that makes no sense of it, or is slow, hangs up at any moment.
        with contextlib.suppress(ConnectionError, TimeoutError):
            await reader.read(1 << 16)
            writer.write(damaged(welcome, chance) if chance.random() < 0.3 else welcome)
            await asyncio.wait_for(reader.read(1 << 16), 0.2)
            writer.write(damaged(chance.choice(answers), chance))
        writer.close()

    async def ask(port: int) -> str:
        try:
            connection = await Connection.open("127.0.0.1", port, timeout_s=0.1)
        except RequestError as error:
            return error.name
        try:
            return type(await connection.call("f", timeout_s=1)).__name__
        except RequestError as error:
            return error.name
        finally:
            connection.close()

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        names = {await ask(port) for _ in range(100)}
        server.close()
        await server.wait_closed()
        assert {"Disconnected", "dict"} <= names

    run(scenario())


@pytest.mark.parametrize("host", ["a" * 64 + ".x", "a..b", "x\0y", "ü" * 70, "[::", "%s"])
def test_a_leader_at_a_place_that_cannot_be_is_no_better_than_one_out_of_reach(host: str) -> None:
    def point_there(_: ScriptedNode, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        answer(RequestError(NOT_LEADER, True, f"<NotLeader>{host}:7:n2"))

    async def scenario() -> None:
        async with ScriptedNode("n1", point_there) as node:
            session = Session([node.site], total_s=0.2, attempt_s=0.1)
            with pytest.raises(RequestError, match="Timeout"):
                await session.append("t", rows(1))
            session.close()

    run(scenario())
