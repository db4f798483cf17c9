"""What the harness makes of an agent that says nonsense, nothing at all, or more than it should."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts.agent import Agent, heal
from delphic.harness.hosts.connection import Host
from delphic.harness.hosts.link import Ran
from near_host import NearHost


class Wire:
    """A channel to an agent that says what it is told to say."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[bytes] = asyncio.Queue()
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.answers = False

    async def send(self, data: bytes) -> None:
        asked = json.loads(data)
        self.sent.put_nowait(asked)
        if self.answers:
            self.said.put_nowait(json.dumps({"id": asked["id"], "ok": None}).encode() + b"\n")

    async def receive(self) -> bytes:
        return await self.said.get()

    async def ended(self, timeout_s: float) -> tuple[int, str]:
        return 0, ""

    def close(self) -> None:
        """Nothing is held."""


class WireHost:
    """A host on which every channel is this one."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.entry = NearHost(Path("/none")).entry

    async def put(self, local: bytes, remote: str) -> bool:
        return False

    async def channel(self, *words: str, sudo: bool) -> Wire:
        self.wire.said.put_nowait(b'{"event": "ready"}\n')
        return self.wire


async def started(wire: Wire, lease_s: float) -> Agent:
    return await Agent.start(cast(Host, WireHost(wire)), "run", lease_s)


def do(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


@pytest.mark.parametrize(
    "line", [b"Last login: yesterday", b"\xff", b"5", b"{}", b'{"id": 1}', b"[1]"]
)
def test_an_agent_that_says_what_is_no_answer_is_lost_at_once(line: bytes) -> None:
    async def work() -> None:
        wire = Wire()
        agent = await started(wire, lease_s=30.0)
        asked = asyncio.create_task(agent.call("state"))
        assert (await wire.sent.get())["id"] == 1
        wire.said.put_nowait(line + b"\n")
        with pytest.raises(WorldError, match="says what is no answer"):
            await asked
        assert agent.lost is not None
        assert not agent.alive
        assert (await agent.events.get())["event"] == "gone"
        await agent.abandon()

    do(work())


def test_an_agent_that_does_not_answer_three_beats_is_lost() -> None:
    async def work() -> None:
        wire = Wire()
        wire.answers = True
        agent = await started(wire, lease_s=0.06)
        for _ in range(2):
            assert (await wire.sent.get())["do"] == "beat"
        assert agent.alive
        wire.answers = False
        assert (await agent.events.get())["event"] == "gone"
        assert "does not answer" in (agent.lost or "")
        await agent.abandon()

    do(work())


class Chatty(NearHost):
    """A host whose sudo, or whose shell, has something to say beside what is asked."""

    async def run(self, *words: str, **how: Any) -> Ran:
        ran = await super().run(*words, **how)
        return Ran(ran.code, ran.out, b"sudo: unable to resolve host near\n" + ran.err)


def test_a_host_that_says_more_is_healed_all_the_same(tmp_path: Path) -> None:
    async def work() -> None:
        async with Chatty(tmp_path) as host:
            assert await heal(cast(Host, host)) == ([], True)
            (tmp_path / "agent/runs/odd").mkdir(parents=True)
            (tmp_path / "agent/runs/odd/agent.json").write_text("{}")
            said, is_whole = await heal(cast(Host, host))
            assert not is_whole
            assert "cannot be undone" in said[0]
            assert len(said) == 1

    do(work())


def test_an_agent_that_does_not_come_to_its_end_has_healed_nothing(tmp_path: Path) -> None:
    class Cut(NearHost):
        async def run(self, *words: str, **how: Any) -> Ran:
            return await super().run(sys.executable, "-c", "print('half')", **how)

    async def work() -> None:
        async with Cut(tmp_path) as host:
            with pytest.raises(WorldError, match="the agent cannot heal it"):
                await heal(cast(Host, host))

    do(work())
