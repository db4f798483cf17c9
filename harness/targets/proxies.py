"""The harness's side of the link proxy: where members dial, how links are and should be."""

import asyncio
import resource
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ..errors import WorldError
from ..running.leases import Lease
from ..system import Site
from .links import OPEN, Links, LinkState, Pair, Probes, lifted_bytes, pairs, payload
from .orders import LOOPBACK, Carry, Desired, Done, Opening
from .processes import Daemon

_REPLY_S = 5.0

_CUT_WAIT_S = 0.1
"""How long a probe of a cut link listens for what must not come; an open one answers in 1 ms."""

_PROBES_MAX = 400
"""Connections at once, which the usual limit of 1,024 descriptors leaves room for."""

_AT_ONCE, _APART_S = 16, 0.05
"""So many begin at once, and others when they are done, or so much later: all of a large group at
once would take longer for one another than for a link that is held up."""

_OPEN_WAIT_S = 2.0
"""How long a probe of any other link may take beyond its delay, on a machine that is busy."""


class LinkProxy:
    """One process that carries every link of a group, controlled over one socket."""

    def __init__(self, sites: Mapping[str, Site], log: Path, lease: Lease) -> None:
        self._sites = sites
        self._log = log
        self._lease = lease
        self._dials: dict[Pair, Site] = {}
        self._probes: dict[Pair, int] = {}
        self._rates: dict[Pair, float] = {}
        """How narrow links were that have been narrow: an open one is to pass more by now."""
        self._carries: tuple[Carry, ...] = ()
        self._daemon: Daemon | None = None
        self._control: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._ids = 0
        self._turn = asyncio.Lock()

    async def up(self) -> None:
        """Listen for every link and start the process.

        The sockets listen when this returns, so that members may be started at once: what they
        dial waits for the proxy to come up. Call `ready` before anything depends on it.
        """
        with _many_descriptors():
            try:
                ours = await self._start()
            except OSError as error:
                links = len(self._sites) * (len(self._sites) - 1)
                raise WorldError(f"cannot listen for {links} links: {error.strerror}") from error
        self._control = await asyncio.open_connection(sock=ours)
        self._control[1].write(msgspec.json.encode(Opening(self._carries)) + b"\n")

    async def _start(self) -> socket.socket:
        """Start the process with all that listens; our end of the control socket."""
        listening: list[socket.socket] = []
        carries: list[Carry] = []
        ours, theirs = socket.socketpair()
        try:
            for pair in pairs(list(self._sites)):
                link, probe = _listen(), _listen()
                listening += [link, probe]
                destination = self._sites[pair[1]]
                self._dials[pair] = Site(pair[1], LOOPBACK, link.getsockname()[1])
                self._probes[pair] = probe.getsockname()[1]
                carries.append(Carry(pair, link.fileno(), probe.fileno(), destination.port))
            self._daemon = Daemon(
                "link proxy",
                [sys.executable, "-m", "delphic.harness.targets.proxy", str(theirs.fileno())],
                log=self._log,
                lease=self._lease,
                pass_fds=[theirs.fileno(), *(one.fileno() for one in listening)],
            )
            await self._daemon.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            for one in listening:
                one.close()
        self._carries = tuple(carries)
        return ours

    async def ready(self) -> None:
        """Wait until the process carries every link. Raises WorldError."""
        await self._reply(0)

    def dials(self, alias: str) -> dict[str, Site]:
        """Where a member reaches its peers."""
        return {to: site for (source, to), site in self._dials.items() if source == alias}

    def check(self) -> None:
        """Raise WorldError if the process has ended: then nothing that is seen means anything."""
        if self._daemon is not None and (how := self._daemon.death()) is not None:
            raise self._daemon.failure(f"ended by itself ({how})")

    async def set(self, links: Links) -> None:
        """Make all links so. Raises WorldError."""
        assert self._control is not None
        async with self._turn:
            self._ids += 1
            desired = Desired(self._ids, tuple(sorted(links.items())))
            self._control[1].write(msgspec.json.encode(desired) + b"\n")
            await self._reply(self._ids)

    async def probe(self, links: Links) -> Probes:
        """Send bytes through every link and time them, nearly all side by side."""
        places, beginning = asyncio.Semaphore(_PROBES_MAX), asyncio.Semaphore(_AT_ONCE)
        narrow = {p: s.rate_bytes_s for p, s in links.items() if s.rate_bytes_s is not None}
        self._rates |= narrow

        async def probe(pair: Pair, port: int) -> float | None:
            lifted = self._rates.get(pair) if pair not in narrow else None
            async with places:
                async with beginning:
                    looking = group.create_task(_probe(port, links.get(pair, OPEN), lifted))
                    await asyncio.wait([looking], timeout=_APART_S)
                return await looking

        async with asyncio.TaskGroup() as group:
            tasks = {
                pair: group.create_task(probe(pair, port)) for pair, port in self._probes.items()
            }
        return {pair: task.result() for pair, task in tasks.items()}

    async def down(self) -> None:
        """End the process; it would also end by itself once the control socket is closed."""
        if self._control is not None:
            self._control[1].close()
        if self._daemon is not None:
            await self._daemon.stop()

    async def _reply(self, number: int) -> None:
        assert self._control is not None
        assert self._daemon is not None
        try:
            async with asyncio.timeout(_REPLY_S):
                line = await self._control[0].readline()
        except (TimeoutError, ConnectionError):
            line = b""
        if not line:
            raise self._daemon.failure("does not answer")
        assert msgspec.json.decode(line, type=Done).id == number


@contextmanager
def _many_descriptors() -> Iterator[None]:
    """As many as the system lets us have: there are two sockets for each of n (n - 1) links.

    The proxy's process keeps that; members are started with the limit that we had.
    """
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def _listen() -> socket.socket:
    listening = socket.create_server((LOOPBACK, 0), backlog=128)
    listening.setblocking(False)
    return listening


async def _probe(port: int, state: LinkState, lifted: float | None) -> float | None:
    """Seconds until the bytes came back; None if they did not in the time that they may take.

    `lifted`: bytes a second that the link should pass again more than.
    """
    size, due_s = payload(state)
    if lifted is not None:
        size = lifted_bytes(lifted)
    wait_s = _CUT_WAIT_S if state.cut else due_s + _OPEN_WAIT_S
    began = time.perf_counter()
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(wait_s):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(bytes(size))
            await reader.readexactly(size)
            return round(time.perf_counter() - began, 6)
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        return None
    finally:
        if writer is not None:
            writer.transport.abort()
