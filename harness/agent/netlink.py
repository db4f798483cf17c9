"""Messages to the kernel's packet filter (AF_NETLINK), as far as programs of the host cannot send.

Two things: packets that wait in a queue for a verdict, and the one rule that sends them there on
kernels where `nft` cannot say `queue` (NFT_QUEUE is off) but iptables' own target is there.
"""

import errno
import os
import socket
import struct
from dataclasses import dataclass

NETLINK_NETFILTER = 12
_REQUEST, _ACK, _CREATE, _APPEND = 1, 4, 0x400, 0x800
_ERROR = 2
_NESTED = 0x8000
_QUEUE, _TABLES = 3 << 8, 10 << 8
_PACKET, _VERDICT, _CONFIG = _QUEUE, _QUEUE | 1, _QUEUE | 2
_BATCH_BEGIN, _BATCH_END = 16, 17
_NEWRULE = _TABLES | 6
_INET = 1

_DROP, _ACCEPT = 0, 1
_GSO = 4
_TIMEOUT_S = 5.0

_SO_RCVBUFFORCE = 33
_RECEIVE_BYTES = 16 << 20
_WAITING_MAX = 20_000
_HEAD_BYTES = 64


def _attribute(kind: int, data: bytes) -> bytes:
    size = 4 + len(data)
    return struct.pack("=HH", size, kind) + data + bytes(-size % 4)


def _nest(kind: int, *attributes: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(attributes))


def _message(
    kind: int, body: bytes, flags: int = 0, *, family: int = 0, about: int = 0, number: int = 1
) -> bytes:
    head = struct.pack("=IHHII", 20 + len(body), kind, _REQUEST | flags, number, 0)
    return head + struct.pack("=BBH", family, 0, socket.htons(about)) + body


def _open() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    made.bind((0, 0))
    made.settimeout(_TIMEOUT_S)
    return made


def _widen(netlink: socket.socket) -> None:
    try:
        netlink.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
    except PermissionError:
        # In a user namespace of our own the system's limit holds.
        netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)


def _acknowledged(netlink: socket.socket) -> None:
    """Read until the kernel's answer. Raises the OSError that it is."""
    while True:
        data = netlink.recv(1 << 16)
        kind = struct.unpack_from("=H", data, 4)[0]
        if kind == _ERROR:
            code = -struct.unpack_from("=i", data, 16)[0]
            if code:
                raise OSError(code, os.strerror(code))
            return


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet that waits. `data` is all of it, or what a queue of heads copies."""

    number: int
    mark: int
    size: int
    data: bytes


class Queue:
    """Packets that a rule has sent here, until there is a verdict on each."""

    def __init__(self, number: int) -> None:
        """Bind it. Raises OSError: EBUSY or EPERM if somebody else has it."""
        self.number = number
        self._netlink = _open()
        try:
            _widen(self._netlink)
            self._configure(_attribute(1, struct.pack(">BBH", 1, 0, 0)))
            self._configure(_attribute(3, struct.pack(">I", _WAITING_MAX)))
            self.copy(whole=False)
        except OSError:
            self._netlink.close()
            raise
        self._netlink.setblocking(False)

    def fileno(self) -> int:
        return self._netlink.fileno()

    def copy(self, *, whole: bool) -> None:
        """Whole packets, one by one and with checksums, or the heads of several in one."""
        size = 0xFFFF if whole else _HEAD_BYTES
        flags = struct.pack(">I", 0 if whole else _GSO)
        body = _attribute(2, struct.pack(">IB", size, 2))
        self._configure(body + _attribute(4, struct.pack(">I", _GSO)) + _attribute(5, flags))

    def receive(self) -> Packet | None:
        """The next packet; None if there is none now."""
        while True:
            try:
                data = self._netlink.recv(1 << 17)
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    continue  # The kernel had more than we could take: those are lost.
                raise
            if struct.unpack_from("=H", data, 4)[0] == _PACKET:
                return _packet(data)

    def accept(self, numbers: list[int]) -> None:
        self._send([_verdict(self.number, number, _ACCEPT) for number in numbers])

    def drop(self, number: int) -> None:
        self._send([_verdict(self.number, number, _DROP)])

    def replace(self, number: int, data: bytes) -> None:
        """Let this arrive instead."""
        self._send([_verdict(self.number, number, _ACCEPT, _attribute(10, data))])

    def close(self) -> None:
        self._netlink.close()

    def _send(self, messages: list[bytes]) -> None:
        # Without acknowledgements the kernel is done when this returns.
        for at in range(0, len(messages), 100):
            self._netlink.send(b"".join(messages[at : at + 100]))

    def _configure(self, body: bytes) -> None:
        """Before packets come, or between them: an answer is told from a packet by its kind."""
        self._netlink.send(_message(_CONFIG, body, _ACK, about=self.number))
        if self._netlink.gettimeout() != 0.0:
            _acknowledged(self._netlink)


def _verdict(queue: int, number: int, verdict: int, more: bytes = b"") -> bytes:
    head = _attribute(2, struct.pack(">II", verdict, number))
    return _message(_VERDICT, head + more, about=queue)


def _packet(message: bytes) -> Packet:
    found: dict[int, bytes] = {}
    at, end = 20, struct.unpack_from("=I", message)[0]
    while at < end:
        size, kind = struct.unpack_from("=HH", message, at)
        found[kind & 0x3FFF] = message[at + 4 : at + size]
        at += (size + 3) & ~3
    data = found.get(10, b"")
    size = struct.unpack(">I", found[13])[0] if 13 in found else len(data)
    mark = struct.unpack(">I", found[3])[0] if 3 in found else 0
    return Packet(struct.unpack_from(">I", found[1])[0], mark, size, data)


def queue_rule(table: str, chain: str, mark: int, mask: int, queue: int) -> None:
    """Add to a chain of an inet table: packets whose mark under `mask` is `mark` go to the queue.

    With bypass: they pass if nobody serves it. Raises OSError where the kernel cannot.
    """
    one = struct.pack(">I", 1)
    expressions = (
        _expression("meta", _attribute(1, one), _attribute(2, struct.pack(">I", 3))),
        _expression(
            "bitwise",
            _attribute(1, one),
            _attribute(2, one),
            _attribute(3, struct.pack(">I", 4)),
            _nest(4, _attribute(1, struct.pack("=I", mask))),
            _nest(5, _attribute(1, struct.pack("=I", 0))),
        ),
        _expression(
            "cmp",
            _attribute(1, one),
            _attribute(2, struct.pack(">I", 0)),
            _nest(3, _attribute(1, struct.pack("=I", mark))),
        ),
        # Revision 3 of iptables' target: number, how many queues, flags (1: bypass).
        _expression(
            "target",
            _attribute(1, b"NFQUEUE\0"),
            _attribute(2, struct.pack(">I", 3)),
            _attribute(3, struct.pack("=HHH2x", queue, 1, 1)),
        ),
    )
    body = _attribute(1, table.encode() + b"\0") + _attribute(2, chain.encode() + b"\0")
    body += _nest(4, *expressions)
    with _open() as netlink:
        netlink.send(
            _message(_BATCH_BEGIN, b"", about=10)
            + _message(_NEWRULE, body, _ACK | _CREATE | _APPEND, family=_INET)
            + _message(_BATCH_END, b"", about=10)
        )
        _acknowledged(netlink)


def _expression(name: str, *attributes: bytes) -> bytes:
    return _nest(1, _attribute(1, name.encode() + b"\0"), _nest(2, *attributes))
