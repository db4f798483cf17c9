"""Links between hosts: cut one way or both, lossy, narrow, by either version of IP, and healed."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from delphic.harness.agent import proc
from delphic.harness.agent.ruleset import counts, link, ruleset
from delphic.harness.agent.run import Refused
from delphic.harness.errors import WorldError
from delphic.harness.hosts.reach import Heard, Way, reach
from near_host import until
from net_hosts import connected, ip

pytestmark = pytest.mark.slow

Pair = tuple[str, str]


def ways(hosts: Sequence[Any]) -> list[Way]:
    """Every directed link between any two of the hosts' addresses of the same version."""
    return [
        Way(a.agent, source, b.agent, own)
        for a, b in itertools.permutations(hosts, 2)
        for source, own in (
            *itertools.product((a.net.address, a.net.second), (b.net.address, b.net.second)),
            (a.net.address6, b.net.address6),
        )
    ]


async def unheard(hosts: Sequence[Any], wait_s: float = 0.4) -> set[Pair]:
    return {pair for pair, heard in (await reach(ways(hosts), wait_s=wait_s)).items() if not heard}


async def set_links(hosts: Sequence[Any], links: Iterable[dict[str, Any]]) -> None:
    """Tell each host what concerns its own addresses."""
    asked = list(links)
    for each in hosts:
        own = (each.net.address, each.net.second, each.net.address6)
        await each.agent.call("links", links=[link for link in asked if link["own"] in own])


def cuts(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    return [{"source": source, "own": own, "cut": True} for source, own in pairs]


def nft(host: Any, *words: str, text: str = "") -> str:
    command = [*host.net.enter, "nft", *words]
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return ran.stdout


def tables(host: Any) -> str:
    return nft(host, "list", "tables")


def test_exactly_the_links_that_are_to_be_cut_are_cut_and_all_heal(on_hosts: Any) -> None:
    """Two-way, one-way, between second addresses only, version 6 only; then nothing."""

    async def test(hosts: Sequence[Any]) -> None:
        n1, n2, n3 = (host.net for host in hosts)
        grudges: list[set[Pair]] = [
            set(itertools.permutations((n1.address, n2.address), 2)),
            {(n1.address, n2.address), (n1.address, n3.address)},
            {(n3.second, n1.second), (n1.address, n1.second)},
            {(n1.address6, n2.address6), (n2.address, n1.address)},
            set(),
        ]
        assert await unheard(hosts) == set()
        for grudge in grudges:
            await set_links(hosts, cuts(grudge))
            assert await unheard(hosts) == grudge - {(n1.address, n1.second)}
        assert [tables(host) for host in hosts] == [""] * 3

    on_hosts(test, count=3)


def test_a_cut_holds_over_many_renewals_and_heals_without_agent_and_guardian(on_hosts: Any) -> None:
    lease_s = 0.9

    async def test(hosts: Sequence[Any]) -> None:
        one, other = hosts
        grudge = {(one.net.address, other.net.address), (one.net.address6, other.net.address6)}
        await set_links(hosts, cuts(grudge))
        shut = [way for way in ways(hosts) if way.pair in grudge]
        found = await reach(shut, count=280, interval_s=0.01, wait_s=0.1)
        assert found == dict.fromkeys(way.pair for way in shut)  # For over three leases.
        for key in ("guardian", "pid"):
            os.kill(other.agent.hello[key], signal.SIGKILL)
        assert "delphic_run_" in tables(other)
        with other.net.open(kind=2) as listener, one.net.open(kind=2) as sender:
            listener.bind((other.net.address, 0))
            sender.bind((one.net.address, 0))

            def heard() -> bool:
                sender.sendto(b"x", listener.getsockname())
                try:
                    return listener.recv(9) == b"x"
                except BlockingIOError:
                    return False

            assert not heard()
            assert await until(heard, lease_s + 2.0)

    on_hosts(test, lease_s=lease_s)


def test_a_cut_holds_as_long_as_anything_at_all_is_asked(on_hosts: Any) -> None:
    """A heartbeat that is late, because its answer was, is no reason for a cut to open."""

    async def test(hosts: Sequence[Any]) -> None:
        one, other = hosts
        cut = (one.net.address, other.net.address)
        await set_links(hosts, cuts([cut]))
        _, beats = other.agent._tasks
        beats.cancel()
        for _ in range(25):
            await asyncio.sleep(0.1)
            await other.agent.call("hello")
        assert "expires" in nft(other, "list", "ruleset")

    on_hosts(test, lease_s=0.9)


def test_a_one_way_cut_of_version_6_stays_one_way_when_neighbours_are_looked_for_anew(
    on_hosts: Any,
) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        one, other = hosts
        cut = (one.net.address6, other.net.address6)
        await set_links(hosts, cuts([cut]))
        ip("-n", other.net.name, "-6", "neigh", "flush", "dev", "eth0")
        back = Way(other.agent, other.net.address6, one.agent, one.net.address6)
        ((_, heard),) = (await reach([back])).items()
        assert heard is not None
        assert await unheard(hosts) == {cut}

    on_hosts(test)


def test_lost_packets_are_as_many_as_asked_for_and_counted_exactly(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        one, other = hosts
        pairs = [(one.net.address, other.net.address), (one.net.address6, other.net.address6)]
        lossy = [{"source": a, "own": b, "loss": 0.25} for a, b in pairs]
        await set_links(hosts, lossy)
        through = [way for way in ways(hosts) if way.pair in pairs]
        lost = dict.fromkeys(pairs, 0)
        for _ in range(2):  # The value is set anew, and the counts go on.
            for pair, heard in (await reach(through, count=1000, wait_s=0.5)).items():
                assert heard is not None
                assert 170 <= 1000 - heard.packets <= 330  # Six standard deviations.
                lost[pair] += 1000 - heard.packets
            await set_links(hosts, lossy)
        counted = await other.agent.call("counters")
        found = {(each["source"], each["own"]): each["packets"] for each in counted}
        assert {each["what"] for each in counted} == {"lost"}
        assert found == lost

    on_hosts(test)


def test_without_a_queue_a_narrow_link_loses_what_is_too_much(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        one, other = hosts
        pair = (one.net.address, other.net.address)
        (way,) = (way for way in ways(hosts) if way.pair == pair)
        whole = (await reach([way], count=500, size=1000, wait_s=2.0))[pair]
        assert whole is not None
        assert whole.packets == 500
        narrow = link({"source": pair[0], "own": pair[1], "rate_bytes_s": 100_000})
        text = ruleset("delphic_t", [narrow], 60.0, None, {}, None)
        nft(other, "-f", "-", text=text)
        heard = (await reach([way], count=500, size=1000, interval_s=0.001, wait_s=0.5))[pair]
        assert isinstance(heard, Heard)
        found = counts(json.loads(nft(other, "-j", "list", "counters")), [narrow])
        assert found[pair, "slowed"][0] == 500 - heard.packets
        took_s = (heard.last_ns - heard.sent_ns) / 1e9
        # The kernel's own allowance is one second's worth beside the burst asked for.
        assert 0.5 * 100_000 * took_s < heard.bytes < 120_000 + 1.2 * 100_000 * took_s

    on_hosts(test)


def test_a_reset_breaks_the_connections_of_a_link_and_no_others(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        one, other, third = hosts
        loop = asyncio.get_running_loop()
        made, accepted = await connected(one.net, other.net)
        kept = await connected(third.net, other.net)
        with made, accepted, kept[0], kept[1]:
            pair = (one.net.address, other.net.address)
            assert await other.agent.call("reset", pairs=[pair]) == 1
            with pytest.raises(OSError, match="abort"):
                await loop.sock_recv(accepted, 1)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(loop.sock_recv(made, 1), 5)
            await loop.sock_sendall(kept[0], b"x")
            assert await asyncio.wait_for(loop.sock_recv(kept[1], 1), 5) == b"x"
            assert await other.agent.call("reset", pairs=[pair]) == 0
        made, accepted = await connected(one.net, other.net, version=6)
        with made, accepted:
            pair = (one.net.address6, other.net.address6)
            assert await other.agent.call("reset", pairs=[pair]) == 1
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(loop.sock_recv(made, 1), 5)

    on_hosts(test, count=3)


def test_rules_that_somebody_took_away_are_news_and_can_be_set_again(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        one, other = hosts
        cut = (one.net.address, other.net.address)
        await set_links(hosts, cuts([cut]))
        nft(other, "flush", "ruleset")
        event = await asyncio.wait_for(other.agent.events.get(), 10)
        assert (event["event"], event["what"]) == ("failed", "renewal")
        assert await unheard(hosts) == set()
        await set_links(hosts, cuts([cut]))
        assert await unheard(hosts) == {cut}

    on_hosts(test, lease_s=3.0)


def test_nothing_closes_the_port_that_orders_go_and_come_through(on_hosts: Any) -> None:
    """Who gives them may be on a host itself: then answers of the others come there."""

    async def test(hosts: Sequence[Any]) -> None:
        one, other = hosts
        loop = asyncio.get_running_loop()
        both = list(itertools.permutations((one.net.address, other.net.address)))
        await set_links(hosts, cuts(both))
        with other.net.open() as spared, other.net.open() as shut:
            spared.bind((other.net.address, other.host.entry.port))
            shut.bind((other.net.address, 0))
            for listener in (spared, shut):
                listener.listen()
            with one.net.open() as made, one.net.open() as refused:
                await asyncio.wait_for(loop.sock_connect(made, spared.getsockname()), 5)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(loop.sock_connect(refused, shut.getsockname()), 0.5)
                for host, pair in zip((one, other), both, strict=True):
                    assert await host.agent.call("reset", pairs=[pair[::-1]]) == 0
                accepted, _ = await asyncio.wait_for(loop.sock_accept(spared), 5)
                with accepted:
                    await loop.sock_sendall(accepted, b"x")
                    assert await asyncio.wait_for(loop.sock_recv(made, 1), 5) == b"x"

    on_hosts(test)


def test_only_the_last_whole_value_counts_and_a_wrong_one_changes_nothing(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        one, other = hosts
        cut = cuts([(one.net.address, other.net.address)])
        await set_links(hosts, cut)
        for wrong in (
            [*cut, *cut],
            [{**cut[0], "source": "10.0.0.1; flush ruleset"}],
            [{**cut[0], "source": one.net.address6}],
            [{**cut[0], "colour": "red"}],
            [{**cut[0], "cut": False, "loss": 1.5}],
            [{**cut[0], "cut": False, "rate_bytes_s": 0}],
        ):
            with pytest.raises(WorldError):
                await other.agent.call("links", links=wrong)
        assert await unheard(hosts) == {(one.net.address, other.net.address)}
        assert proc.identity(other.agent.hello["pid"]) is not None

    on_hosts(test)


@pytest.mark.parametrize("address", ["10.0.0.1\n", "$(id)", "fe80::1%eth0", "", "10.0.0.0/8"])
def test_nothing_but_an_address_becomes_part_of_a_table(address: str) -> None:
    with pytest.raises(Refused):
        link({"source": address, "own": "10.0.0.2", "cut": True})


def test_counts_go_on_in_the_table_that_replaces_another() -> None:
    one = link({"source": "10.0.0.1", "own": "10.0.0.2", "cut": True})
    text = ruleset("t", [one], 3.0, None, {(one.pair, "cut"): (17, 1000)}, None)
    assert "counter cut_0 { packets 17 bytes 1000 }" in text
    assert "10.0.0.1 . 10.0.0.2 timeout 3000ms" in text
