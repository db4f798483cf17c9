"""What a node needs from the world: clock, network, disk, chance. Node code touches no other.

`runtime_asyncio` implements it with real sockets and files; a simulator implements it with virtual
ones. Callbacks run one at a time in the node's event loop; tasks, futures and events of asyncio may
be used beside it, since they know no world.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .raft.disk import Disk


class Alarm(Protocol):
    """A callback that waits for its time."""

    def cancel(self) -> None:
        """Forget it; harmless if it has run."""


class Clock(Protocol):
    """Monotonic time of this node."""

    def now_ns(self) -> int:
        """Nanoseconds since some fixed moment."""

    def wall_ns(self) -> int:
        """The time of day: nanoseconds since 1970, for people. It may jump."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Run after what is already due, in order of calling."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Alarm:
        """Run once, not before `delay_s` seconds from now."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What keeps a stream secret and its ends honest: PEM files, by path.

    Who listens shows its certificate, and asks for one without insisting. Who dials believes only
    what `authority` vouches for and what bears `name`, or the host that was dialled; it shows its
    own certificate if it has one.
    """

    authority: str
    certificate: str | None = None
    key: str | None = None
    name: str | None = None


class Stream(Protocol):
    """One connection: ordered bytes both ways, or the end."""

    @property
    def names(self) -> frozenset[str]:
        """What the other side's certificate says it is called; none without a certificate."""

    @property
    def peer(self) -> str:
        """The other side's address, for log lines."""

    def write(self, *pieces: bytes) -> None:
        """Send, in order; whatever is written in one turn of the loop leaves together."""

    def buffered(self) -> int:
        """Bytes written that the kernel has not taken yet."""

    def pause_reading(self) -> None:
        """Let the other side wait."""

    def resume_reading(self) -> None:
        """Undo `pause_reading`."""

    def close(self) -> None:
        """Send what was written, then end."""

    def abort(self) -> None:
        """End at once; what was not sent is lost."""


class StreamHandler(Protocol):
    """Whoever a stream tells what happens to it."""

    def opened(self, stream: Stream) -> None:
        """First of all, once."""

    def received(self, data: bytes) -> None:
        """Bytes arrived; their borders mean nothing."""

    def room(self) -> memoryview | None:
        """Where a stream may put the next bytes itself, if it can, instead of handing them over."""

    def filled(self, count: int) -> None:
        """So many bytes arrived, and were put into the last `room`."""

    def blocked(self) -> None:
        """Too much is buffered: write no more than is needed."""

    def writable(self) -> None:
        """`blocked` is over."""

    def closed(self, reason: str) -> None:
        """Last of all, once."""


class Listener(Protocol):
    """An open port."""

    @property
    def port(self) -> int:
        """Its number, also if the system chose it."""

    async def close(self) -> None:
        """Take no more connections."""


class Network(Protocol):
    """Streams to and from elsewhere. Failures are OSError."""

    async def listen(
        self,
        host: str,
        port: int,
        accept: Callable[[], StreamHandler],
        *,
        reuse_port: bool,
        tls: Tls | None = None,
    ) -> Listener:
        """Give every connection that arrives a handler of its own."""

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
        """Connect; the stream ends by itself if sent bytes stay unconfirmed for `stall_s`."""


class Worker(Protocol):
    """One thread for what would hold up the loop: disk syncs. Jobs run in order."""

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        """Run `job` beside the loop, then `done` in the loop, with the error if it raised one."""

    async def close(self) -> None:
        """Finish what was submitted, then end; what is submitted from now on is forgotten."""


class Randomness(Protocol):
    """Chance."""

    def uniform(self, low: float, high: float) -> float:
        """A number between the two."""


class ClientRuntime(Protocol):
    """What a client needs of the world."""

    @property
    def clock(self) -> Clock: ...
    @property
    def network(self) -> Network: ...
    @property
    def randomness(self) -> Randomness: ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """One node's world; a `ClientRuntime`, too."""

    clock: Clock
    network: Network
    disk: Disk
    worker: Worker
    background: Worker
    """For what nobody waits for, so that it keeps nobody waiting."""
    randomness: Randomness
    heard: Callable[[bytes], None] | None = None
    """Who hears each line of the trace when it is made, before what it tells can be seen."""


async def within(clock: Clock, future: asyncio.Future[None], deadline_ns: int) -> None:
    """Wait for a future that nobody else waits for; raises TimeoutError and leaves it so."""

    def late() -> None:
        if not future.done():
            future.set_exception(TimeoutError())

    alarm = clock.call_later(max(0.0, (deadline_ns - clock.now_ns()) / 1e9), late)
    try:
        await future
    finally:
        alarm.cancel()


async def pause(clock: Clock, delay_s: float) -> None:
    """Wait for a while."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def over() -> None:
        if not future.done():
            future.set_result(None)

    alarm = clock.call_later(delay_s, over)
    try:
        await future
    finally:
        alarm.cancel()
