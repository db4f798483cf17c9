"""A call that fails says truly whether it may have been executed."""

import asyncio
from typing import Any

import pytest
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.raft.debts import Answer
from delphic.impl.wire import VERSION, Frame, Welcome, encode
from members import run
from scripted_leader import until
from scripted_node import ScriptedNode

CERTAIN, UNSURE = True, False


def echo(_: ScriptedNode, function: str, args: tuple[Any, ...], answer: Answer) -> None:
    answer([function, *args])


def silence(*_: Any) -> None:
    """Never answers."""


def hang_up(node: ScriptedNode, *_: Any) -> None:
    node.hang_up()


async def failure(call: Any) -> tuple[str, bool]:
    with pytest.raises(RequestError) as caught:
        await call
    return caught.value.name, caught.value.definite


def test_calls_are_answered_by_id_however_many_are_under_way() -> None:
    held: list[tuple[Any, Answer]] = []

    def backwards(_: ScriptedNode, __: str, args: tuple[Any, ...], answer: Answer) -> None:
        held.append((args[0], answer))
        if len(held) == 50:
            for value, late in reversed(held):
                late(value)

    async def scenario() -> None:
        async with ScriptedNode("n1", backwards) as node:
            connection = await Connection.open("127.0.0.1", node.port)
            assert connection.alias == "n1"
            calls = [connection.call("f", (i,), timeout_s=5) for i in range(50)]
            assert await asyncio.gather(*calls) == list(range(50))
            connection.close()

    run(scenario())


def test_an_error_arrives_as_the_node_meant_it() -> None:
    def refuse(_: ScriptedNode, __: str, args: tuple[Any, ...], answer: Answer) -> None:
        answer(RequestError("Indeterminate", False, "who knows"))

    async def scenario() -> None:
        async with ScriptedNode("n1", refuse) as node:
            connection = await Connection.open("127.0.0.1", node.port)
            with pytest.raises(RequestError, match=r"^Indeterminate \(perhaps executed\): who"):
                await connection.call("f", timeout_s=5)
            connection.close()

    run(scenario())


def test_a_call_that_timed_out_leaves_the_connection_usable_and_its_answer_is_dropped() -> None:
    late: list[Answer] = []

    def slow_once(_: ScriptedNode, function: str, __: tuple[Any, ...], answer: Answer) -> None:
        if function == "slow":
            late.append(answer)
        else:
            late[0]("too late")
            answer("in time")

    async def scenario() -> None:
        async with ScriptedNode("n1", slow_once) as node:
            connection = await Connection.open("127.0.0.1", node.port)
            assert await failure(connection.call("slow", timeout_s=0.02)) == ("Timeout", UNSURE)
            assert await connection.call("quick", timeout_s=5) == "in time"
            assert connection.is_open
            connection.close()

    run(scenario())


def test_a_broken_connection_is_indefinite_for_what_was_sent_and_definite_afterwards() -> None:
    async def scenario() -> None:
        async with ScriptedNode("n1", hang_up) as node:
            connection = await Connection.open("127.0.0.1", node.port)
            first = await failure(connection.call("f", timeout_s=5))
            assert first == ("Disconnected", UNSURE)
            assert not connection.is_open
            second = await failure(connection.call("f", timeout_s=5))
            assert second == ("Disconnected", CERTAIN)
            assert node.asked == ["f"]

    run(scenario())


def test_what_does_not_fit_into_a_frame_is_not_sent() -> None:
    async def scenario() -> None:
        async with ScriptedNode("n1", echo) as node:
            connection = await Connection.open("127.0.0.1", node.port, frame_bytes_max=1000)
            large = await failure(connection.call("f", (b"x" * 2000,), timeout_s=5))
            assert large == ("FrameTooLarge", CERTAIN)
            assert await connection.call("f", (1,), timeout_s=5) == ["f", 1]
            assert node.asked == ["f"]
            connection.close()

    run(scenario())


def test_what_the_node_would_not_take_is_not_sent() -> None:
    """It would end the connection, and nobody could tell whether the call was executed."""

    async def scenario() -> None:
        async with ScriptedNode("n1", echo) as node:
            connection = await Connection.open("127.0.0.1", node.port)
            large = await failure(connection.call("f", (b"x" * (1 << 20),), timeout_s=5))
            assert large == ("FrameTooLarge", CERTAIN)
            assert await connection.call("f", (1,), timeout_s=5) == ["f", 1]
            assert node.asked == ["f"]
            connection.close()

    run(scenario())


def test_a_node_that_claims_to_take_nothing_is_asked_all_the_same() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(encode(Welcome(VERSION, "n1", "", -1), 1 << 20)))
        await reader.read()
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            connection = await Connection.open("127.0.0.1", port)
            connection.credit(1, 1)
            assert connection.is_open
            connection.close()

    run(scenario())


def test_nobody_listening_or_nobody_answering_is_definite() -> None:
    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def scenario() -> None:
        async with ScriptedNode("n1", echo) as node:
            port = node.port
        assert await failure(Connection.open("127.0.0.1", port)) == ("Disconnected", CERTAIN)
        mute = await asyncio.start_server(ignore, "127.0.0.1", 0)
        port = mute.sockets[0].getsockname()[1]
        opening = Connection.open("127.0.0.1", port, timeout_s=0.05)
        assert await failure(opening) == ("Timeout", CERTAIN)
        mute.close()

    run(scenario())


def test_a_node_that_does_not_read_makes_callers_wait_and_then_fail_definitely() -> None:
    async def scenario() -> None:
        async with ScriptedNode("n1", silence) as node:
            connection = await Connection.open("127.0.0.1", node.port)
            node.visitors[0].channel.pause_reading()
            part = b"x" * 900_000
            calls = [connection.call("f", (part,), timeout_s=0.2) for _ in range(60)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            flags = {outcome.definite for outcome in outcomes if isinstance(outcome, RequestError)}
            assert UNSURE in flags
            late = await failure(connection.call("f", timeout_s=0.02))
            assert late == ("Timeout", CERTAIN)
            connection.close()

    run(scenario())


def test_a_client_with_too_much_under_way_waits_in_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("delphic.impl.visitor.CALLS_MAX", 8)
    held: list[Answer] = []
    eight = asyncio.Event()

    def hold(_: ScriptedNode, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        held.append(answer)
        if len(held) == 8:
            eight.set()

    async def scenario() -> None:
        async with ScriptedNode("n1", hold) as node:
            connection = await Connection.open("127.0.0.1", node.port)
            calls = [connection.call("f", (i,), timeout_s=5) for i in range(8)]
            batch = asyncio.gather(*calls)
            await asyncio.wait_for(eight.wait(), 5)
            blocked = await failure(connection.call("f", ("last",), timeout_s=0.05))
            assert blocked == ("Timeout", UNSURE)
            assert len(held) == 8
            for answer in held:
                answer("released")
            assert await batch == ["released"] * 8
            connection.close()

    run(scenario())


def test_retiring_waits_for_the_answers_under_way() -> None:
    held: list[Answer] = []

    def hold(_: ScriptedNode, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        held.append(answer)
        connections[0].retire()
        assert connections[0].is_open
        answer("kept")

    connections: list[Connection] = []

    async def scenario() -> None:
        async with ScriptedNode("n1", hold) as node:
            connections.append(await Connection.open("127.0.0.1", node.port))
            assert await connections[0].call("f", timeout_s=5) == "kept"
            assert not connections[0].is_open

    run(scenario())


def test_a_dial_that_is_given_up_just_when_it_is_welcomed_leaves_no_connection() -> None:
    async def scenario() -> None:
        dialling: list[asyncio.Task[Connection]] = []

        class GivenUp(Connection):
            def received(self, frame: Frame) -> None:
                super().received(frame)
                dialling[0].cancel()

        async with ScriptedNode("n1", echo) as node:
            dialling.append(asyncio.create_task(GivenUp.open("127.0.0.1", node.port)))
            with pytest.raises(asyncio.CancelledError):
                await dialling[0]
            await until(lambda: not node.visitors)

    run(scenario())
