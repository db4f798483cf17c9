"""Processes that get too little of the processor or of memory, and afterwards what they want."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.agent import proc
from delphic.harness.errors import WorldError
from near_host import until

pytestmark = pytest.mark.slow

BUSY = [sys.executable, "-c", "while True: pass"]

EATS = """
import time
held = []
for _ in range(64):
    held.append(bytearray(b"x" * (1 << 20)))
    time.sleep(0.01)
time.sleep(600)
"""


GROWS = EATS.replace("range(64)", "range(640)")


def used_s(pid: int) -> float:
    """Seconds of processor time since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def uses(pid: int, within_s: float) -> float:
    before = used_s(pid)
    await asyncio.sleep(within_s)
    return used_s(pid) - before


def test_a_process_gets_a_tenth_of_a_processor_over_its_restart_and_then_all_of_it(
    on_hosts: Any,
) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        agent = hosts[0].agent
        pid = (await agent.call("spawn", name="n1", words=BUSY))["pid"]
        await agent.call("pressure", cpu={"n1": 0.1})
        limit = {"name": "n1", "what": "cpu", "limit": 0.1, "processes": 1}
        assert await agent.call("limits") == [limit]
        limited = await uses(pid, 2.0)
        assert limited < 0.45  # A tenth of two seconds, and what a period allows at once.
        await agent.call("signal", name="n1", signal="KILL")
        await agent.call("pressure", cpu={"n1": 0.1})
        assert await agent.call("limits") == [{**limit, "processes": 0}]
        pid = (await agent.call("spawn", name="n1", words=BUSY))["pid"]
        await asyncio.sleep(0.3)
        assert await uses(pid, 1.0) < 0.35
        await agent.call("pressure")
        assert await agent.call("limits") == []
        used = used_s(pid)
        assert await until(lambda: used_s(pid) - used > 4 * limited, 60)
        with pytest.raises(WorldError, match="nothing called n2"):
            await agent.call("pressure", cpu={"n2": 0.1})
        with pytest.raises(WorldError, match="cpu is from"):
            await agent.call("pressure", cpu={"n1": 0})

    on_hosts(test, count=1)


def test_a_process_that_wants_more_memory_than_it_may_have_is_killed(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        agent = hosts[0].agent
        await agent.call("spawn", name="n1", words=[sys.executable, "-c", EATS])
        await agent.call("pressure", memory={"n1": 24 << 20})
        event = await asyncio.wait_for(agent.events.get(), 30)
        assert (event["name"], event["code"]) == ("n1", -9)

    on_hosts(test, count=1)


def test_what_counts_from_the_start_is_seen_and_too_much_of_it_is_killed(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        agent = hosts[0].agent
        await agent.call("memory-make", name="n1")
        await agent.call("spawn", name="n1", words=[sys.executable, "-c", GROWS])
        before = (await agent.call("memory"))["n1"]
        assert (before["limit"], before["processes"], before["killed"]) == (None, 1, 0)

        await asyncio.sleep(0.5)  # What it takes before there is any limit.
        used = (await agent.call("memory"))["n1"]["used"]
        assert used > 8 << 20
        limit = used + (4 << 20)
        await agent.call("pressure", memory={"n1": limit})
        event = await asyncio.wait_for(agent.events.get(), 30)
        assert (event["name"], event["code"]) == ("n1", -9)
        after = (await agent.call("memory"))["n1"]
        assert after["limit"] == limit // 4096 * 4096
        assert (after["processes"], after["killed"]) == (0, 1)
        await agent.call(
            "spawn", name="n1", words=[sys.executable, "-c", "import time; time.sleep(9)"]
        )
        await agent.call("pressure")
        again = (await agent.call("memory"))["n1"]
        assert (again["limit"], again["processes"], again["killed"]) == (None, 1, 1)

    on_hosts(test, count=1)


def test_busy_processes_are_as_many_as_asked_for_and_none_afterwards(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        host = hosts[0]
        await host.agent.call("pressure", busy=2)
        busy = [found for mark in host.host.marks for found in proc.marked(mark)]
        assert len(busy) == 2
        assert await until(lambda: all(used_s(each.pid) > 0.05 for each in busy), 30)
        await host.agent.call("pressure", busy=1)
        assert sum(map(proc.alive, busy)) == 1
        await host.agent.bye()
        assert not any(map(proc.alive, busy))

    on_hosts(test, count=1)


def test_capabilities_are_reasons_and_are_kept_until_the_host_boots(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        host = hosts[0]
        found = await host.agent.call("capabilities", timeout_s=60)
        assert set(found) == {
            *("cut", "cut-ipv6", "loss", "rate", "shape", "reset"),
            *("cpu-pressure", "memory-pressure", "permissions", "disk"),
        }
        assert set(found.values()) == {None}
        (kept,) = Path(host.host.entry.directory).glob("agent/capabilities-*.json")  # noqa: ASYNC240
        kept.write_text('{"cut": null}')
        told = await host.agent.call("capabilities")
        assert told == {"cut": None, "disk": None}

    on_hosts(test, count=1)
