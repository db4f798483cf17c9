"""A simulated network: who listens where, who dials whom, and what the links between them are like.

Addresses belong to hosts, and a host is named as the processes that run on it. A paused process
has a kernel that goes on: it shakes hands and takes bytes. A host without power has none.
"""

import asyncio
import errno
from collections.abc import Callable, Collection

from ...impl.runtime import Listener, Stream, StreamHandler, Tls
from ..targets.faults import FAITHFUL, Messages
from ..targets.links import OPEN, Links, Pair, payload
from .connection import End
from .loop import HARNESS, SimLoop
from .messages import Intercept, Interceptor
from .pipe import RESET, TIMED_OUT, Link, Pipe
from .process import Process

FIRST_PORT = 20_000

Address = tuple[str, int]
Accept = Callable[[], StreamHandler]


class SimNet:
    """The whole network; everything it draws comes from `seed`."""

    def __init__(self, seed: str, loop: SimLoop) -> None:
        self.loop = loop
        self.listeners: dict[Address, SimListener] = {}
        self._seed = seed
        self._links: dict[Pair, Link] = {}
        self._states: Links = {}
        self._messages: Messages = {}
        self._interceptor = Interceptor()
        self._networks: dict[str, SimNetwork] = {}
        self._hosts: dict[Address, str] = {}
        self._without_power: dict[str, list[Pipe]] = {}
        """Hosts, and what goes on being sent to their connections."""
        self._waiting: list[Dialling] = []
        self._connections = 0
        self._next_port = FIRST_PORT

    def of(self, process: Process) -> "SimNetwork":
        """The `Network` of one process. The first call for a process says that its host is up."""
        known = self._networks.get(process.name)
        if known is not None and known.process is process:
            return known
        network = self._networks[process.name] = SimNetwork(self, process)
        process.at_end(network.die)
        for pipe in self._without_power.pop(process.name, []):
            pipe.find_dst()
        self._knock_again()
        return network

    def link(self, src: str, dst: str) -> Link:
        """What `src` sends to `dst`."""
        pair = (src, dst)
        link = self._links.get(pair)
        if link is None:
            link = self._links[pair] = Link(self.loop, pair, self._seed)
            link.set(self._states.get(pair, OPEN))
            self._screen(link)
        return link

    # Faults.

    def set_links(self, links: Links) -> None:
        """Make the links so: the whole value. What a cut holds arrives after it, in order."""
        self._states = dict(links)
        for pair, link in list(self._links.items()):
            link.set(self._states.get(pair, OPEN))
        self._knock_again()

    def set_messages(self, messages: Messages) -> None:
        """Make what happens to single messages between members so: the whole value."""
        self._messages = dict(messages)
        for link in self._links.values():
            self._screen(link)

    def messages(self) -> Messages:
        """What happens to single messages now."""
        return self._messages

    @property
    def intercept(self) -> Intercept | None:
        """Who decides about every message between members, before chance does."""
        return self._interceptor.intercept

    @intercept.setter
    def intercept(self, intercept: Intercept | None) -> None:
        self._interceptor.intercept = intercept
        for link in self._links.values():
            self._screen(link)

    def release(self, name: str) -> int:
        """Send what `intercept` holds by this name; how many messages that were."""
        return self._interceptor.release(name)

    def held(self) -> dict[str, list[Pair]]:
        """Who sent what `intercept` holds to whom, by name."""
        return self._interceptor.held()

    def reset(self, pairs: Collection[Pair]) -> int:
        """Break every connection between the two of any of these pairs; how many there were."""
        both = sorted({*pairs, *((b, a) for a, b in pairs)})
        pipes = [
            pipe
            for pair in both
            if pair in self._links
            for pipe in self._links[pair].pipes.values()
        ]
        numbers = set()
        for pipe in pipes:
            if not (pipe.src.is_closed or pipe.dst.is_closed):
                numbers.add(pipe.number)
            pipe.src.fail(RESET)
        return len(numbers)

    def power_lost(self, process: Process) -> None:
        """Right before a process dies: its host goes down with it, without a word."""
        self._without_power.setdefault(process.name, [])
        self._networks[process.name].is_off = True

    async def probe(self, a: str, b: str) -> float | None:
        """Seconds that a few bytes take from one host to another; None if they do not arrive."""
        link = self.link(a, b)
        if link.is_cut:
            return None
        size, _ = payload(link.state)
        took_ns = link.latency_ns()
        if link.state.rate_bytes_s is not None:
            took_ns += int(size / link.state.rate_bytes_s * 1e9)
        await asyncio.sleep(took_ns / 1e9)
        return None if link.is_cut else took_ns / 1e9

    # For the parts of the network.

    def is_reachable(self, src: str, dst: str) -> bool:
        """Whether packets go both ways, and there is a kernel to answer them."""
        if dst in self._without_power:
            return False
        return not (self.link(src, dst).is_cut or self.link(dst, src).is_cut)

    def host_at(self, address: Address) -> str:
        """The host that has, or last had, somebody listen there; else the address itself."""
        return self._hosts.get(address) or address[0]

    def open_port(self, listener: "SimListener") -> None:
        self.listeners[listener.address] = listener
        self._hosts[listener.address] = listener.network.process.name

    def free_port(self, host: str) -> int:
        while (host, self._next_port) in self.listeners:
            self._next_port += 1
        self._next_port += 1
        return self._next_port - 1

    def wait(self, dialling: "Dialling") -> None:
        """Let a knock be repeated once there is a way."""
        self._waiting.append(dialling)

    def stop_waiting(self, dialling: "Dialling") -> None:
        if dialling in self._waiting:
            self._waiting.remove(dialling)

    def mourn(self, name: str, pipe: Pipe) -> None:
        """Remember who sends to a connection of a host without power."""
        self._without_power[name].append(pipe)

    def connect(self, one: End, other: End) -> None:
        """Lay the pipes between two ends."""
        self._connections += 1
        a, b = one.process.name, other.process.name
        one.out = other.into = Pipe(self.link(a, b), self._connections, one, other)
        other.out = one.into = Pipe(self.link(b, a), self._connections, other, one)

    def _screen(self, link: Link) -> None:
        link.faults = self._messages.get(link.pair, FAITHFUL)
        link.screen = self._interceptor.screen_for(link, HARNESS)

    def _knock_again(self) -> None:
        waiting, self._waiting = self._waiting, []
        for dialling in waiting:
            dialling.knock()


class SimListener:
    """An open port."""

    def __init__(self, network: "SimNetwork", address: Address, accept: Accept) -> None:
        self.network = network
        self.address = address
        self.accept = accept

    @property
    def port(self) -> int:
        return self.address[1]

    async def close(self) -> None:
        self.shut()

    def shut(self) -> None:
        """Take no more connections."""
        listeners = self.network.net.listeners
        if listeners.get(self.address) is self:
            del listeners[self.address]


class SimNetwork:
    """The network as one process has it: a `Network`."""

    def __init__(self, net: SimNet, process: Process) -> None:
        self.net = net
        self.process = process
        self.is_off = False
        """Whether the process dies together with its host."""
        self._ends: dict[End, None] = {}
        self._listeners: list[SimListener] = []

    async def listen(
        self, host: str, port: int, accept: Accept, *, reuse_port: bool, tls: Tls | None = None
    ) -> Listener:
        """Raises OSError where somebody listens, also with `reuse_port`: one process, one port."""
        _refuse(tls)
        address = (host, port or self.net.free_port(host))
        if address in self.net.listeners:
            raise OSError(errno.EADDRINUSE, f"somebody listens at {host}:{port}")
        listener = SimListener(self, address, accept)
        self._listeners.append(listener)
        self.net.open_port(listener)
        return listener

    async def dial(
        self,
        host: str,
        port: int,
        handler: StreamHandler,
        *,
        timeout_s: float,
        stall_s: float,
        tls: Tls | None = None,
    ) -> Stream:
        """Takes one round trip. Raises ConnectionRefusedError, or TimeoutError."""
        _refuse(tls)
        dialling = Dialling(self, (host, port), handler, int(stall_s * 1e9))
        late = self.process.call_after(int(timeout_s * 1e9), dialling.fail, TimeoutError(TIMED_OUT))
        dialling.knock()
        try:
            return await dialling.done
        finally:
            late.cancel()
            dialling.over()

    def end(self, peer: str, far: str) -> End:
        """A new end of a connection of this process."""
        end = End(self.process, peer, far, self._ends.pop)
        self._ends[end] = None
        return end

    def die(self) -> None:
        """The process is dead."""
        for listener in self._listeners:
            listener.shut()
        for end in list(self._ends):
            if self.is_off:
                self.net.mourn(self.process.name, end.into)
            end.die(is_off=self.is_off)


class Dialling:
    """One attempt to connect."""

    def __init__(
        self, network: SimNetwork, address: Address, handler: StreamHandler, stall_ns: int
    ) -> None:
        self.done: asyncio.Future[Stream] = network.net.loop.create_future()
        self._network = network
        self._net = network.net
        self._address = address
        self._handler = handler
        self._stall_ns = stall_ns
        self._end: End | None = None

    def knock(self) -> None:
        """Send the first packet."""
        net, me = self._net, self._network.process.name
        latency_ns = net.link(me, net.host_at(self._address)).latency_ns()
        net.loop.main.call_after(latency_ns, self._arrive)

    def _arrive(self) -> None:
        """At the other host, if there is a way to it."""
        net, me = self._net, self._network.process
        host = net.host_at(self._address)
        if self.done.done() or not me.is_alive:
            return
        if not net.is_reachable(me.name, host):
            net.wait(self)
            return
        back_ns = net.link(host, me.name).latency_ns()
        listener = net.listeners.get(self._address)
        if listener is None:
            where = f"nobody listens at {self._address[0]}:{self._address[1]}"
            me.call_after(back_ns, self.fail, ConnectionRefusedError(errno.ECONNREFUSED, where))
            return
        peer = f"{self._address[0]}:{self._address[1]}"
        mine = self._end = self._network.end(peer, host)
        mine.stall_ns = self._stall_ns
        theirs = listener.network.end(me.name, me.name)
        net.connect(mine, theirs)
        theirs.out.not_before(net.loop.now_ns + back_ns)
        theirs.process.call(_accept, listener, theirs)
        me.call_after(back_ns, self._open, mine)

    def _open(self, end: End) -> None:
        if self.done.done():
            return
        if end.is_closed:
            self.fail(ConnectionResetError(errno.ECONNRESET, RESET))
            return
        end.open(self._handler)
        self.done.set_result(end)

    def fail(self, error: OSError) -> None:
        """Give up, unless it is decided."""
        if not self.done.done():
            self.done.set_exception(error)

    def over(self) -> None:
        """Nobody waits any more: what came too late is not kept."""
        self._net.stop_waiting(self)
        is_kept = self.done.done() and not self.done.cancelled() and self.done.exception() is None
        if self._end is not None and not is_kept:
            self._end.abort()


def _refuse(tls: Tls | None) -> None:
    if tls is not None:
        raise OSError(errno.ENOTSUP, "there is no TLS in a simulated network")


def _accept(listener: SimListener, end: End) -> None:
    """Runs in the process that listens."""
    if not end.is_closed:
        end.open(listener.accept())
