"""The link proxy as a process of its own, seen from the harness."""

import asyncio
import errno
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest
import uvloop
from delphic.harness.agent import proc
from delphic.harness.errors import WorldError
from delphic.harness.running import leases
from delphic.harness.running.leases import Lease
from delphic.harness.system import Site
from delphic.harness.targets import proxies, proxy
from delphic.harness.targets.links import (
    HEALED,
    Links,
    LinkState,
    Probes,
    any_late,
    as_wanted,
    cut,
    isolate,
    merged,
    one_way,
    pairs,
    soonest,
)
from delphic.harness.targets.orders import Done, Opening
from delphic.harness.targets.proxies import LinkProxy

pytestmark = pytest.mark.slow

HOST = "127.0.0.1"
MEMBERS = ["n1", "n2", "n3"]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A member that says how many bytes it got on this connection."""
    while data := await reader.read(1000):
        writer.write(b"%d\n" % len(data))
    writer.close()


@asynccontextmanager
async def carried(folder: Path, members: Sequence[str] = MEMBERS) -> AsyncIterator[LinkProxy]:
    servers = {alias: await asyncio.start_server(answer, HOST, 0) for alias in members}
    sites = {a: Site(a, HOST, s.sockets[0].getsockname()[1]) for a, s in servers.items()}
    lease = Lease(folder)
    proxy = LinkProxy(sites, folder / "log.txt", lease)
    try:
        await proxy.up()
        await proxy.ready()
        yield proxy
    finally:
        await proxy.down()
        lease.release()
        for server in servers.values():
            server.close()


async def looked_at(proxy: LinkProxy, links: Links) -> Probes:
    """What is seen as a run looks at it: a machine that is busy is so for a moment."""
    probes = await proxy.probe(links)
    for _ in range(5):
        if not any_late(links, probes):
            break
        probes = soonest(links, probes, await proxy.probe(links))
    return probes


def check(folder: Path, scene: Callable[[LinkProxy], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(30), carried(folder) as proxy:
            await scene(proxy)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    assert (folder / "log.txt").read_text() == ""


def test_a_member_reaches_its_peers_through_the_proxy(tmp_path: Path) -> None:
    async def scene(proxy: LinkProxy) -> None:
        dials = proxy.dials("n1")
        assert sorted(dials) == ["n2", "n3"]
        reader, writer = await asyncio.open_connection(dials["n2"].host, dials["n2"].port)
        writer.write(b"hello")
        assert await reader.readline() == b"5\n"
        writer.close()
        await writer.wait_closed()

    check(tmp_path, scene)


@pytest.mark.parametrize(
    "links",
    [
        HEALED,
        cut(isolate(["n2"], MEMBERS)),
        cut(one_way(["n1"], MEMBERS)),
        dict.fromkeys(pairs(MEMBERS), LinkState(delay_s=0.12)),
        {("n1", "n2"): LinkState(rate_bytes_s=20_000.0)},
        merged([cut(isolate(["n1"], MEMBERS)), {("n2", "n3"): LinkState(delay_s=0.1)}]),
    ],
)
def test_probes_see_every_link_as_it_was_set(tmp_path: Path, links: Links) -> None:
    async def scene(proxy: LinkProxy) -> None:
        await proxy.set(links)
        probes = await looked_at(proxy, links)
        assert as_wanted(links, probes, MEMBERS)
        assert [p for p, s in probes.items() if s is None] == [
            p for p in pairs(MEMBERS) if p in links and links[p].cut
        ]
        await proxy.set(HEALED)
        assert as_wanted(HEALED, await looked_at(proxy, HEALED), MEMBERS)

    check(tmp_path, scene)


def test_probes_do_not_believe_what_was_only_asked_for(tmp_path: Path) -> None:
    async def scene(proxy: LinkProxy) -> None:
        wanted = cut(isolate(["n2"], MEMBERS))
        probes = await proxy.probe(wanted)
        assert not as_wanted(wanted, probes, MEMBERS)

    check(tmp_path, scene)


@pytest.mark.parametrize("is_slow", [False, True])
def test_probes_of_many_links_do_not_hold_one_another_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_slow: bool
) -> None:
    """A few begin at a time; those that take long, as a delay wants it, do so side by side."""
    looking, most, begun, all_begun = 0, 0, 0, asyncio.Event()

    async def look(*_: object) -> float:
        nonlocal looking, most, begun
        looking, begun = looking + 1, begun + 1
        most = max(most, looking)
        if begun == 100:
            all_begun.set()
        await (all_begun.wait() if is_slow else asyncio.sleep(0))
        looking -= 1
        return 0.001

    monkeypatch.setattr(proxies, "_probe", look)
    monkeypatch.setattr(proxies, "_APART_S", 0.0 if is_slow else 60.0)
    lease = Lease(tmp_path)
    lease.release()
    made = LinkProxy({}, tmp_path / "log.txt", lease)
    monkeypatch.setattr(made, "_probes", {("n1", f"n{port}"): port for port in range(100)})
    assert len(asyncio.run(made.probe(HEALED))) == 100
    assert most == 100 if is_slow else most <= 16


@pytest.mark.parametrize("fault", [LinkState(delay_s=0.9), LinkState(rate_bytes_s=20_000.0)])
def test_a_link_that_nobody_healed_is_not_taken_for_an_open_one(
    tmp_path: Path, fault: LinkState
) -> None:
    async def scene(proxy: LinkProxy) -> None:
        slow = {("n1", "n2"): fault}
        await proxy.set(slow)
        assert as_wanted(slow, await looked_at(proxy, slow), MEMBERS)
        assert not as_wanted(HEALED, await proxy.probe(HEALED), MEMBERS)
        await proxy.set(HEALED)
        assert as_wanted(HEALED, await looked_at(proxy, HEALED), MEMBERS)

    check(tmp_path, scene)


def test_setting_the_same_value_twice_changes_nothing(tmp_path: Path) -> None:
    async def scene(proxy: LinkProxy) -> None:
        wanted = cut(isolate(["n2"], MEMBERS))
        await proxy.set(wanted)
        await proxy.set(wanted)
        probes = await looked_at(proxy, wanted)
        assert as_wanted(wanted, probes, MEMBERS)

    check(tmp_path, scene)


def test_a_proxy_that_is_gone_is_told_with_its_log(tmp_path: Path) -> None:
    async def run() -> None:
        async with carried(tmp_path) as proxy:
            (lease,) = leases.state_directory().glob("*.json")
            (process,) = proc.marked(f"{leases.LEASE_VARIABLE}={lease.stem}")
            os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(WorldError, match="link proxy: does not answer"):
                await proxy.set(HEALED)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


@contextmanager
def few_descriptors(spare: int) -> Iterator[None]:
    """Only so many more than are open now, unless somebody asks for more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + spare, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_many_members_need_more_descriptors_than_a_shell_gives(tmp_path: Path) -> None:
    members = [f"n{number}" for number in range(9)]

    async def run() -> None:
        async with asyncio.timeout(60):
            with few_descriptors(110):
                limit = resource.getrlimit(resource.RLIMIT_NOFILE)
                async with carried(tmp_path, members) as proxy:
                    wanted = cut(isolate(["n2"], members))
                    await proxy.set(wanted)
                    assert as_wanted(wanted, await looked_at(proxy, wanted), members)
                    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limit

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_where_there_are_no_descriptors_the_links_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(proxies, "_listen", none)

    async def run() -> None:
        async with carried(tmp_path):
            pass

    with pytest.raises(WorldError, match="cannot listen for 6 links: Too many open files"):
        asyncio.run(run())


def test_an_order_may_name_more_links_than_a_line_usually_holds() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(proxy.carry(theirs))
            writer.write(msgspec.json.encode(Opening(())) + b" " * (1 << 20) + b"\n")
            assert msgspec.json.decode(await reader.readline(), type=Done) == Done(0)
            writer.close()

    asyncio.run(run())
