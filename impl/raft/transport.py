"""One dialled connection to each peer, for what this node sends; replies come on the peer's own.

So the link from a to b is exactly the connection that a dialled to b. Nothing is queued for a peer
that cannot be reached or does not read: Raft sends again.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from ..client.errors import FRAME_TOO_LARGE
from ..runtime import Runtime, Tls, pause
from ..wire import (
    HELLO_BYTES_MAX,
    Channel,
    Failure,
    Frame,
    FrameError,
    FrameTooLargeError,
    Hello,
    Refused,
    Result,
    Welcome,
)

DIAL_S = 1.0
STALL_S = 2.0
"""A peer that confirms no bytes for this long is dialled anew, so that a healed link is found."""

RETRY_FIRST_S = 0.01
RETRY_MAX_S = 0.1
SEND_BUFFER_MAX = 16 << 20
"""More than the core keeps in flight (progress.py): only a peer that does not read is cut short."""

log = logging.getLogger("delphic.peers")

Address = tuple[str, int]


class Peers:
    """The outgoing links of one node."""

    def __init__(
        self,
        runtime: Runtime,
        hello: Hello,
        addresses: Mapping[str, Address],
        frame_bytes_max: int,
        tls: Tls | None = None,
    ) -> None:
        """With `tls`, a peer is who its certificate says, at whatever address."""
        self._links = {
            alias: Link(runtime, hello, alias, address, frame_bytes_max, tls)
            for alias, address in addresses.items()
        }

    def send(self, alias: str, frame: Frame) -> bool:
        """Send now or not at all; false if it was certainly not sent.

        What was kept of a node that the configuration no longer knows is for nobody.
        """
        link = self._links.get(alias)
        return link is not None and link.send(frame)

    def up(self) -> list[str]:
        """The peers that have answered on the connection that is open now."""
        return [alias for alias, link in self._links.items() if link.is_up]

    async def run(self) -> None:
        """Keep every link up until cancelled."""
        async with asyncio.TaskGroup() as group:
            for link in self._links.values():
                group.create_task(link.run())


class Link:
    """The connection to one peer; a `Receiver`."""

    def __init__(
        self,
        runtime: Runtime,
        hello: Hello,
        alias: str,
        address: Address,
        frame_bytes_max: int,
        tls: Tls | None,
    ) -> None:
        self._tls = None if tls is None else replace(tls, name=alias)
        self._runtime = runtime
        self._hello = hello
        self._alias = alias
        self._address = address
        self._frame_bytes_max = frame_bytes_max
        self._channel: Channel | None = None
        self._ended: asyncio.Future[str] | None = None
        self._complaint = ""
        self.is_up = False

    def send(self, frame: Frame) -> bool:
        """Send unless the peer is gone or far behind."""
        channel = self._channel
        if channel is None or channel.buffered() > SEND_BUFFER_MAX:
            return False
        try:
            return channel.send(frame)
        except FrameTooLargeError as error:
            if isinstance(frame, Result):
                # Only results of reads can be long, and reads change nothing.
                return channel.send(Failure(frame.id, FRAME_TOO_LARGE, True, str(error)))
            # Entries from a time when maxFrameSize was larger.
            log.error("peer %s: raise maxFrameSize: %s", self._alias, error)
            return False

    async def run(self) -> None:
        """Dial, stay until the end, dial again."""
        retry_s = RETRY_FIRST_S
        while True:
            welcomed = await self._stay()
            retry_s = RETRY_FIRST_S if welcomed else min(2 * retry_s, RETRY_MAX_S)
            await pause(self._runtime.clock, retry_s)

    async def _stay(self) -> bool:
        """One connection from dialling to its end; true if the peer welcomed us."""
        channel = Channel(self, limit=self._frame_bytes_max, first_limit=HELLO_BYTES_MAX)
        self._ended = asyncio.get_running_loop().create_future()
        try:
            await self._runtime.network.dial(
                *self._address, channel, timeout_s=DIAL_S, stall_s=STALL_S, tls=self._tls
            )
        except OSError as error:
            self._complain(str(error) or type(error).__name__)
            return False
        self._channel = channel
        channel.send(self._hello)
        try:
            reason = await self._ended
        finally:
            welcomed, self.is_up = self.is_up, False
            self._channel = None
            channel.abort("the node stops")
        if welcomed:
            log.warning("peer %s down: %s", self._alias, reason)
        else:
            self._complain(reason)
        return welcomed

    def _complain(self, reason: str) -> None:
        """Say once why a peer cannot be reached."""
        if reason != self._complaint:
            log.warning("peer %s cannot be reached: %s", self._alias, reason)
        self._complaint = reason

    def received(self, frame: Frame) -> None:
        """The answer to our hello; nothing else comes this way."""
        match frame:
            case Welcome(alias=alias) if not self.is_up:
                if alias != self._alias:
                    raise FrameError(f"{alias} answers at the address of {self._alias}")
                self.is_up = True
                self._complaint = ""
                log.info("peer %s up at %s:%d", self._alias, *self._address)
            case Refused(reason=reason):
                assert self._channel is not None
                self._channel.close(f"refused: {reason}")
            case _:
                raise FrameError(f"a {type(frame).__name__} on an outgoing link")

    def blocked(self) -> None:
        """`send` looks at what is buffered itself."""

    def writable(self) -> None:
        """As `blocked`."""

    def closed(self, reason: str) -> None:
        """Let `run` dial again."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(reason)
