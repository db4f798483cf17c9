"""Agents in network namespaces that stand for hosts."""

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from delphic.harness.hosts.agent import Agent
from near_host import NearHost, watched
from net_hosts import Net, nets


@dataclass(frozen=True)
class Netted:
    """A namespace, how words get there, and the agent in it."""

    net: Net
    host: NearHost
    agent: Agent


@asynccontextmanager
async def netted(
    folder: Path, count: int, lease_s: float, *, loop_devices: bool = True
) -> AsyncIterator[list[Netted]]:
    """So many hosts with an agent each; all of it is gone afterwards."""
    with nets(count) as made:
        async with AsyncExitStack() as stack:
            hosts = []
            for net in made:
                near = folder / net.name
                host = NearHost(near, *net.enter, name=net.name, loop_devices=loop_devices)
                await stack.enter_async_context(host)
                hosts.append(host)
            run = f"run {uuid.uuid4().hex}"
            agents = await asyncio.gather(*(Agent.start(host, run, lease_s) for host in hosts))
            await stack.enter_async_context(watched(*agents))
            yield [Netted(*each) for each in zip(made, hosts, agents, strict=True)]


Test = Callable[[list[Netted]], Awaitable[None]]
OnHosts = Callable[..., None]


@pytest.fixture
def on_hosts(tmp_path: Path, require: Callable[[object, str], None]) -> OnHosts:
    """Run a test on so many hosts."""
    require(os.geteuid() == 0, "network namespaces are made by root")
    require(
        shutil.which("ip") and shutil.which("nft"),
        "ip and nft are not installed: apt-get install iproute2 nftables",
    )

    def run(
        test: Test, count: int = 2, lease_s: float = 10.0, *, loop_devices: bool = True
    ) -> None:
        async def go() -> None:
            async with netted(tmp_path, count, lease_s, loop_devices=loop_devices) as hosts:
                await test(hosts)

        asyncio.run(go())

    return run
