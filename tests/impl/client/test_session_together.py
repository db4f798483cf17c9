"""Many calls of one session at once: one connection, one login, and nobody leaves the leader."""

import asyncio
from typing import Any

import pytest
from delphic.impl.client import session as session_module
from delphic.impl.client.errors import RequestError
from delphic.impl.client.session import Session
from delphic.impl.raft.debts import Answer
from delphic.impl.visitor import Visitor
from members import run
from scripted_leader import until
from scripted_node import ScriptedNode

pytestmark = pytest.mark.slow


class Counting(ScriptedNode):
    """Counts connections; answers what `held` does not take."""

    def __init__(self, alias: str, *held: str) -> None:
        super().__init__(alias, self._answered)
        self.arrivals = 0
        self.held: list[Answer] = []
        self._holds = held

    def arrived(self, visitor: Visitor) -> None:
        super().arrived(visitor)
        self.arrivals += 1

    def _answered(self, _: object, function: str, __: tuple[Any, ...], answer: Answer) -> None:
        if function in self._holds:
            self.held.append(answer)
        else:
            answer(7)


async def failure(call: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await call
    return caught.value


def test_calls_at_once_share_one_connection_and_one_login() -> None:
    async def scenario() -> None:
        async with Counting("n1") as node:
            session = Session([node.site], user="u", password="p")
            for turn in (1, 2):
                # Those of the second turn may learn of the end only when they are made: reads.
                calls = [session.call("pollRows", timeout_s=10) for _ in range(20)]
                assert await asyncio.gather(*calls) == [7] * 20
                assert (node.arrivals, node.asked.count("login")) == (turn, turn)
                node.hang_up()
            session.close()

    run(scenario())


def test_a_failure_of_an_earlier_attempt_leaves_the_leader_that_was_found_meanwhile() -> None:
    async def scenario() -> None:
        async with Counting("n1", "old") as n1, Counting("n2") as n2, Counting("n3") as n3:
            session = Session([n1.site, n2.site, n3.site])
            early = asyncio.create_task(failure(session.call("old", timeout_s=0.05)))
            late = asyncio.create_task(failure(session.call("old", timeout_s=0.2)))
            assert (await early).name == "Indeterminate"
            assert await session.call("tableInsert", timeout_s=5) == 7
            assert (await late).name == "Indeterminate"
            assert session.target == n2.site
            assert await session.call("tableInsert", timeout_s=5) == 7
            assert (n2.arrivals, n3.arrivals) == (1, 0)
            session.close()

    run(scenario())


def test_calls_that_wait_for_a_member_that_never_greets_go_on_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A paused process: its kernel takes connections."""
    monkeypatch.setattr(session_module, "DIAL_S", 0.2)

    async def scenario() -> None:
        dials = 0

        async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal dials
            dials += 1
            await reader.read()
            writer.close()

        server = await asyncio.start_server(never, "127.0.0.1", 0)
        paused = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, Counting("n2") as n2, Counting("n3") as n3:
            session = Session([paused, n2.site, n3.site])

            async def later(delay_s: float) -> Any:
                await asyncio.sleep(delay_s)
                return await session.call("tableInsert", timeout_s=10)

            assert await asyncio.gather(*(later(0.04 * n) for n in range(8))) == [7] * 8
            assert (dials, n2.arrivals, n3.arrivals) == (1, 1, 0)
            session.close()

    run(scenario())


def test_a_login_is_waited_for_longer_than_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits behind those of others; coming again would be at the end."""
    monkeypatch.setattr(session_module, "DIAL_S", 0.2)

    async def scenario() -> None:
        async with Counting("n1", "login") as n1, Counting("n2") as n2:
            session = Session([n1.site, n2.site], user="u", password="p")
            asyncio.get_running_loop().call_later(0.5, lambda: n1.held[0](None))
            assert await session.call("tableInsert", timeout_s=10) == 7
            assert (n1.arrivals, n2.arrivals) == (1, 0)
            session.close()

    run(scenario())


def test_a_connection_that_nobody_waits_for_any_more_is_not_made() -> None:
    async def scenario() -> None:
        async with Counting("n1", "login") as node:
            session = Session([node.site], user="u", password="p")
            calls = [asyncio.create_task(session.call("tableInsert", timeout_s=9)) for _ in "ab"]
            await until(lambda: bool(node.held))
            calls[0].cancel()
            assert (await failure(session.call("tableInsert", timeout_s=0.05))).name == "Timeout"
            assert len(node.visitors) == 1
            calls[1].cancel()
            await until(lambda: not node.visitors)
            held = asyncio.create_task(failure(session.call("tableInsert", timeout_s=9)))
            await until(lambda: len(node.held) == 2)
            session.close()
            assert (await held).message == "the session is closed"
            await until(lambda: not node.visitors)
            await asyncio.wait(calls)

    run(scenario())
