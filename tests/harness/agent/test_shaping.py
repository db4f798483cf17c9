"""Packets that are held back, copied and damaged on a link, seen by what arrives."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any

import pytest
from delphic.harness.agent import proc
from delphic.harness.hosts.reach import Heard, Way, reach
from near_host import until
from net_hosts import connected

pytestmark = pytest.mark.slow

COUNT = 600


async def through(
    hosts: Sequence[Any],
    *,
    version: int = 4,
    count: int = COUNT,
    size: int = 100,
    interval_s: float = 0.001,
    wait_s: float = 1.0,
) -> Heard:
    """What arrives of a stream of datagrams from the first host to the second."""
    one, other = hosts[0], hosts[1]
    of = {4: "address", 6: "address6"}[version]
    way = Way(one.agent, getattr(one.net, of), other.agent, getattr(other.net, of))
    found = await reach([way], count=count, size=size, interval_s=interval_s, wait_s=wait_s)
    heard = found[way.pair]
    assert heard is not None
    return heard


async def shaped(hosts: Sequence[Any], **shape: float) -> None:
    """Shape the links from the first to the second host, of both versions of IP."""
    one, other = hosts[0].net, hosts[1].net
    pairs = [(one.address, other.address), (one.address6, other.address6)]
    links = [{"source": a, "own": b, **shape} for a, b in pairs if shape]
    await hosts[1].agent.call("links", links=links)


async def counted(host: Any, what: str) -> int:
    return sum(c["packets"] for c in await host.agent.call("counters") if c["what"] == what)


async def round_trip_s(made: socket.socket, accepted: socket.socket) -> float:
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    await loop.sock_sendall(made, b"?")
    assert await asyncio.wait_for(loop.sock_recv(accepted, 1), 10) == b"?"
    await loop.sock_sendall(accepted, b"!")
    assert await asyncio.wait_for(loop.sock_recv(made, 1), 10) == b"!"
    return time.monotonic() - began


def test_delay_and_jitter_are_as_asked_for_one_way_by_both_versions(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        one, other = hosts
        made, accepted = await connected(one.net, other.net)
        with made, accepted:
            plain = min([await round_trip_s(made, accepted) for _ in range(20)])
            await shaped(hosts, delay_s=0.08)
            trips = sorted([await round_trip_s(made, accepted) for _ in range(9)])
            # Once, not twice: it is one way. A busy machine makes some of them later.
            assert 0.08 <= trips[0] < 0.08 + plain + 0.04
        await shaped(hosts, delay_s=0.08, jitter_s=0.03)
        for version in (4, 6):
            heard = await through(hosts, version=version)
            assert heard.order == tuple(range(COUNT))
            assert heard.delay_s >= 0.05
        assert min([(await through(hosts, count=3)).delay_s for _ in range(5)]) < 0.16
        back = [other, one]
        assert min([(await through(back, count=3)).delay_s for _ in range(5)]) < 0.05
        await shaped(hosts)
        assert min([(await through(hosts, count=3)).delay_s for _ in range(5)]) < 0.05

    on_hosts(test)


def test_reordered_packets_come_after_those_that_were_sent_later(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        assert (await through(hosts)).order == tuple(range(COUNT))
        await shaped(hosts, reorder=0.1, reorder_s=0.05)
        heard = await through(hosts)
        assert sorted(heard.order) == list(range(COUNT))
        late = sum(a > b for a, b in itertools.pairwise(heard.order))
        assert late > 0
        assert 24 <= await counted(hosts[1], "reordered") <= 110

    on_hosts(test)


@pytest.mark.parametrize("version", [4, 6])
def test_duplicated_packets_come_twice_and_are_counted(on_hosts: Any, version: int) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        await shaped(hosts, duplicate=0.2)
        heard = await through(hosts, version=version, count=COUNT)
        twice = len(heard.order) - len(set(heard.order))
        assert set(heard.order) == set(range(COUNT))
        assert 60 <= twice <= 190
        assert (
            abs(await counted(hosts[1], "duplicated") - twice) <= 5
        )  # The last may be on its way.

    on_hosts(test)


def test_damaged_packets_are_lost_to_their_checksums_or_arrive_damaged(on_hosts: Any) -> None:
    """With its checksum a datagram is thrown away, without one the damage is seen."""

    async def test(hosts: Sequence[Any]) -> None:
        one, other = hosts
        await shaped(hosts, corrupt=0.2)
        heard = await through(hosts)
        lost = COUNT - heard.packets
        assert 60 <= lost <= 190
        assert await counted(other, "corrupted") == lost
        with other.net.open(kind=socket.SOCK_DGRAM) as to, one.net.open(kind=2) as sender:
            to.bind((other.net.address, 0))
            sender.bind((one.net.address, 0))
            sender.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
            sender.connect(to.getsockname())
            found: list[bytes] = []

            def take() -> bool:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        found.append(to.recv(2000))
                return len(found) >= COUNT - 20

            for _ in range(COUNT):
                sender.send(bytes(1000))
                await asyncio.sleep(0.001)
                take()
            # Of 1008 bytes only the header's eight could make it go astray.
            assert await until(take)
            wrong = [sum(byte.bit_count() for byte in each) for each in found]
            assert set(wrong) == {0, 1}
            assert 60 <= sum(wrong) <= 190

    on_hosts(test)


def test_a_narrow_link_passes_exactly_as_much_as_it_may(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        rate = 200_000
        await shaped(hosts, rate_bytes_s=rate)
        one, other = hosts
        heard = await through(hosts, count=400, size=1000, interval_s=0.002, wait_s=1.0)
        took_s = (heard.last_ns - heard.first_ns) / 1e9
        assert 0.9 < took_s / ((heard.packets - 1) * 1028 / rate) < 1.15
        assert await counted(other, "overflowed") == 400 - heard.packets > 0
        made, accepted = await connected(one.net, other.net)
        with made, accepted:
            loop = asyncio.get_running_loop()
            began = loop.time()
            sending = asyncio.ensure_future(loop.sock_sendall(made, bytes(300_000)))
            got = 0
            while got < 300_000:
                got += len(await asyncio.wait_for(loop.sock_recv(accepted, 1 << 16), 30))
            await sending
            assert 300_000 / rate - 0.1 < loop.time() - began < 10.0

    on_hosts(test)


def test_nothing_waits_when_the_shaper_is_killed_and_the_harness_hears_of_it(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        await shaped(hosts, delay_s=5.0)
        (shaper,) = [found for mark in hosts[1].host.marks for found in proc.marked(mark)]
        os.kill(shaper.pid, signal.SIGKILL)
        event = await asyncio.wait_for(hosts[1].agent.events.get(), 10)
        assert (event["event"], event["what"]) == ("failed", "shaper")
        assert (await through(hosts, count=3)).delay_s < 1.0
        await shaped(hosts)
        await shaped(hosts, delay_s=0.2)
        assert (await through(hosts, count=3)).delay_s >= 0.2

    on_hosts(test)


def test_links_between_addresses_of_one_host_are_shaped_too(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        one, agent = hosts[0].net, hosts[0].agent
        to, back = (
            Way(agent, source, agent, own)
            for source, own in ((one.address, one.second), (one.second, one.address))
        )
        for shape, arrive, late_s in (
            ({"cut": True}, None, 0.0),
            ({"duplicate": 1.0}, 20, 0.0),
            ({"delay_s": 0.2, "jitter_s": 0.05}, 10, 0.15),
        ):
            link = {"source": to.source, "own": to.own, **shape}
            await agent.call("links", links=[link])
            found = await reach([to, back], count=10, wait_s=1.0)
            there, again = found[to.pair], found[back.pair]
            assert (there and there.packets) == arrive
            assert there is None or there.delay_s >= late_s
            assert again is not None
            assert again.packets == 10

    on_hosts(test, count=1)
