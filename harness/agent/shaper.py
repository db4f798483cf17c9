"""The process that holds packets back: a queue in the kernel, packets that are due, and a clock.

It serves its agent over pipes: a line with links (`{"links": {number: shape}}`) or a question
(`{"counts": true}`) is answered by a line; the end of its input ends it, and lets everything go. A
rule with bypass sends packets here, so that they pass when it is dead.
"""

import heapq
import json
import os
import select
import socket
import struct
import sys
import time
from itertools import count
from random import Random, SystemRandom

from .netlink import Packet, Queue
from .ruleset import COPY, MASK
from .shape import Line, Shape, damaged

_QUEUES = range(0x4000, 0xC000)
_ATTEMPTS = 100
_SO_MARK = 36
_IPV6_HEADER = 40

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
"""By the version of IP."""


def shape() -> None:
    """Serve until the input ends."""
    queue = _queue()
    print(json.dumps({"queue": queue.number}), flush=True)  # noqa: T201 - the agent waits for it
    try:
        Shaper(queue).serve()
    finally:
        queue.close()


def _queue() -> Queue:
    chance = SystemRandom()
    for attempt in range(_ATTEMPTS):
        try:
            return Queue(chance.choice(_QUEUES))
        except PermissionError:
            # Another's queue, or no right to have any: the former happens rarely.
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt raises")


class Shaper:
    """Packets on their way, in the order in which they are due."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._lines: dict[int, Line] = {}
        self._due: list[tuple[float, int, Packet, Line, bool, bool]] = []
        self._order = count()
        self._chance = Random(SystemRandom().random())
        self._copies: dict[int, socket.socket] = {}
        self._heard = b""

    def serve(self) -> None:
        requests = sys.stdin.fileno()
        open_ = True
        while open_ or self._due:
            now = time.monotonic()
            left = max(0.0, self._due[0][0] - now) if self._due else None
            readable, _, _ = select.select(
                [self._queue, *([requests] if open_ else [])], [], [], left
            )
            if requests in readable:
                open_ = self._answer(os.read(requests, 1 << 16))
                if not open_:  # Nothing is to wait any more.
                    self._due = sorted((0.0, *due[1:]) for due in self._due)
            if self._queue in readable:
                self._take(open_)
            self._let_go(time.monotonic())

    def _take(self, shaping: bool) -> None:
        while (packet := self._queue.receive()) is not None:
            line = self._lines.get(packet.mark & ~MASK) if shaping else None
            if line is None:
                self._queue.accept([packet.number])
                continue
            fate = line.fate(time.monotonic(), packet.size, self._chance)
            if fate is None:
                self._queue.drop(packet.number)
                continue
            # Heads that were copied just before whole packets were asked for are only held back.
            whole = len(packet.data) == packet.size
            entry = (
                fate.at_s,
                next(self._order),
                packet,
                line,
                fate.duplicate and whole,
                fate.corrupt and whole,
            )
            heapq.heappush(self._due, entry)

    def _let_go(self, now: float) -> None:
        plain = []
        while self._due and self._due[0][0] <= now:
            _, _, packet, line, duplicate, corrupt = heapq.heappop(self._due)
            data = damaged(packet.data, self._chance) if corrupt else packet.data
            if data != packet.data:
                self._queue.replace(packet.number, data)
                line.counts.corrupted += 1
            else:
                plain.append(packet.number)
            if duplicate and self._copy(data):
                line.counts.duplicated += 1
        self._queue.accept(plain)

    def _copy(self, data: bytes) -> bool:
        """Send it once more, from here to here, as if it had come again; whether that could be."""
        version = data[0] >> 4
        family = FAMILIES[version]
        to = socket.inet_ntop(family, data[24:_IPV6_HEADER] if version == 6 else data[16:20])
        try:
            if version not in self._copies:
                self._copies[version] = sender(family)
            self._copies[version].sendto(data, (to, 0))
        except OSError:
            return False
        return True

    def _answer(self, data: bytes) -> bool:
        if not data:
            return False
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "links" in request:
                self._set({int(number): Shape(**s) for number, s in request["links"].items()})
            said = {number: line.said() for number, line in self._lines.items()}
            print(json.dumps({"counts": said}), flush=True)  # noqa: T201
        return True

    def _set(self, shapes: dict[int, Shape]) -> None:
        for number in self._lines:
            shapes.setdefault(number, Shape())
        for number, wanted in shapes.items():
            known = self._lines.get(number)
            if known is None:
                self._lines[number] = Line(wanted)
            else:
                known.shape = wanted
        self._queue.copy(whole=any(each.is_by_packet for each in shapes.values()))


def sender(family: int) -> socket.socket:
    """What sends whole packets that nothing happens to any more. Raises OSError."""
    made = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    made.setsockopt(socket.SOL_SOCKET, _SO_MARK, struct.pack("=I", COPY))
    return made
