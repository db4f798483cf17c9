"""The agent through a real SSH daemon, as root by sudo: hosts heal when their harness is killed."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from delphic.harness.hosts.agent import Agent, heal
from delphic.harness.hosts.connection import Host
from delphic.harness.hosts.reach import Way, reach
from delphic.harness.lab import lab
from delphic.harness.lab.lab import Lab

pytestmark = pytest.mark.slow

LEASE_S = 3.0

HARNESS = textwrap.dedent("""
    import asyncio, sys
    from delphic.harness.hosts.agent import Agent, heal
    from delphic.harness.hosts.connection import Host
    from delphic.harness.hosts.inventory import load
    from pathlib import Path

    async def main():
        inventory = load(Path(sys.argv[1]))
        for entry in inventory.hosts:
            host = await Host.open(entry)
            agent = await Agent.start(host, "over ssh", float(sys.argv[2]))
            await agent.call("spawn", name="n1", words=["sleep", "600"])
            await agent.call("signal", name="n1", signal="STOP")
            others = [each.address for each in inventory.hosts if each is not entry]
            links = [{"source": other, "own": entry.address, "cut": True} for other in others]
            await agent.call("links", links=links)
        print("broken", flush=True)
        await asyncio.sleep(600)

    asyncio.run(main())
""")

LEFT = "nft list tables; pgrep -x sleep; ls /var/tmp/delphic/agent/runs"
"""Prints nothing on a host that is sound."""


async def left(host: Host) -> str:
    ran = await host.run("sh", "-c", LEFT, sudo=True)
    return ran.text


def test_hosts_hear_each_other_as_their_agents_are_told_over_ssh(labs: Path) -> None:
    made = lab.up(3, sudo=True)

    async def go() -> None:
        hosts = [await Host.open(entry) for entry in made.inventory.hosts]
        agents = [await Agent.start(host, "over ssh", 10.0) for host in hosts]
        assert all(agent.hello["root"] for agent in agents)
        ways = [
            Way(a, hosts[agents.index(a)].entry.address, b, hosts[agents.index(b)].entry.address)
            for a, b in itertools.permutations(agents, 2)
        ]
        assert None not in (await reach(ways)).values()
        cut = ways[0]
        await cut.receiver.call(
            "links", links=[{"source": cut.source, "own": cut.own, "cut": True}]
        )
        assert [pair for pair, heard in (await reach(ways)).items() if not heard] == [cut.pair]
        slow = {"source": cut.source, "own": cut.own, "delay_s": 0.3}
        await cut.receiver.call("links", links=[slow])
        heard = (await reach([cut], wait_s=5.0))[cut.pair]
        assert heard is not None
        assert heard.delay_s >= 0.3
        assert set((await agents[0].call("capabilities", timeout_s=60)).values()) == {None}
        sentences, is_sound = await heal(hosts[0])
        assert is_sound
        assert "is being served" in sentences[0]
        for agent in agents:
            await agent.bye()
        assert await heal(hosts[0]) == ([], True)
        assert [await left(host) for host in hosts] == [""] * 3
        for host in hosts:
            host.close()

    asyncio.run(go())


def test_hosts_are_sound_again_when_the_harness_is_killed(labs: Path) -> None:
    made = lab.up(3, sudo=True)
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(made.folder.inventory), str(LEASE_S)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert harness.stdout is not None
        assert harness.stdout.readline() == "broken\n"
        asyncio.run(heals(made, harness))
    finally:
        harness.kill()
        harness.communicate()


async def heals(made: Lab, harness: subprocess.Popen[str]) -> None:
    hosts = [await Host.open(entry) for entry in made.inventory.hosts]
    loop = asyncio.get_running_loop()
    try:
        for host in hosts:
            assert len((await left(host)).split()) >= 3
        os.kill(harness.pid, signal.SIGKILL)
        give_up = loop.time() + LEASE_S + 2.0
        while any([await left(host) for host in hosts]):
            assert loop.time() < give_up
            await asyncio.sleep(0.1)
    finally:
        for host in hosts:
            host.close()
