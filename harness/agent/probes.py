"""Reachability as packets show it: who hears what was sent from which address to which.

Datagrams, because a link that is cut one way passes nothing of a connection either way. A listener
remembers what it heard by token; whoever asked for the probe fetches it there.
"""

import asyncio
import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any

from .run import Refused, Run

_TOKENS_MAX = 1000
_RECEIVE_BYTES = 1 << 22
_DATAGRAM_BYTES_MAX = 60_000
_COUNT_MAX = 10_000
_AT_ONCE = 20


@dataclass(slots=True)
class Heard:
    """What came from one address to one of ours under one token."""

    source: str
    own: str
    packets: int
    bytes: int
    sent_ns: int
    """When the first that came was sent, by the sender's clock."""
    first_ns: int
    last_ns: int
    late_ns: int
    """How long the slowest took, by the two clocks."""
    order: list[int]
    """The packets' numbers as they came."""


class Probes:
    """Listeners on this host's own addresses, and what they heard."""

    def __init__(self, run: Run) -> None:
        self._sockets: dict[str, socket.socket] = {}
        self._heard: dict[str, dict[tuple[str, str], Heard]] = {}

    def verbs(self) -> Mapping[str, Any]:
        return {"listen": self.listen, "probe": self.probe, "heard": self.heard}

    async def listen(self, addresses: Sequence[str]) -> dict[str, int]:
        """Listen on these own addresses; the port of each."""
        loop = asyncio.get_running_loop()
        for address in addresses:
            if address not in self._sockets:
                listener = _bound(address)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
                self._sockets[address] = listener
                loop.add_reader(listener, self._receive, listener, address)
        return {address: self._sockets[address].getsockname()[1] for address in addresses}

    async def probe(
        self,
        token: str,
        ways: Sequence[tuple[str, str, int]],
        count: int = 3,
        size: int = 64,
        interval_s: float = 0.0,
    ) -> None:
        """Send datagrams from an own address to another's, for each (own, to, port)."""
        if not (0 < count <= _COUNT_MAX and size <= _DATAGRAM_BYTES_MAX):
            raise Refused(f"at most {_COUNT_MAX} datagrams of {_DATAGRAM_BYTES_MAX} bytes")
        loop = asyncio.get_running_loop()
        senders = [(_bound(own), (to, port)) for own, to, port in ways]
        try:
            for number in range(count):
                for sender, where in senders:
                    text = json.dumps([token, number, time.time_ns()]).encode().ljust(size)
                    await loop.sock_sendto(sender, text, where)
                if interval_s or number % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(interval_s)
        finally:
            for sender, _ in senders:
                sender.close()

    async def heard(self, token: str) -> list[dict[str, object]]:
        """What has been heard of a probe so far, by source and own address."""
        return [asdict(each) for _, each in sorted(self._heard.get(token, {}).items())]

    def _receive(self, listener: socket.socket, own: str) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, (source, *_rest) = listener.recvfrom(1 << 16)
                token, number, sent_ns = json.loads(data)
            except BlockingIOError:
                return
            except (OSError, ValueError, TypeError):
                continue  # Not ours, or damaged on its way.
            now = time.time_ns()
            while len(self._heard) > _TOKENS_MAX:
                del self._heard[next(iter(self._heard))]
            by_way = self._heard.setdefault(token, {})
            known = by_way.setdefault(
                (source, own), Heard(source, own, 0, 0, sent_ns, now, now, now - sent_ns, [])
            )
            known.packets += 1
            known.bytes += len(data)
            known.last_ns = now
            known.late_ns = max(known.late_ns, now - sent_ns)
            known.order.append(number)


def _bound(address: str) -> socket.socket:
    try:
        family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.setblocking(False)
    except ValueError as error:
        raise Refused(str(error)) from error
    try:
        made.bind((address, 0))
    except OSError as error:
        made.close()
        raise Refused(f"{address} is not this host's: {error.strerror}") from error
    return made
