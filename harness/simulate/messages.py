"""Single messages with fates of their own: lost, sent twice, late, overtaken, held, by name.

A message is a whole wire frame (impl/wire.py). The first one of a connection, which says who is
there, always arrives. Whatever is late enters its connection again when its time has come, so it
arrives after what was sent in between, and not at all if the connection has ended.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...impl.splitter import LENGTH_BYTES
from ..targets.faults import FAITHFUL
from ..targets.links import Pair
from .pipe import Link, Pipe

OVERTAKEN_S = (0.0005, 0.02)
"""By how much a message is late that others are to overtake, or that is the second of two."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send it as if nobody had looked."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Lose it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep it until `release` is called with this name."""

    name: str


Fate = Deliver | Drop | Hold

Intercept = Callable[[str, str, bytes], Fate]
"""Decides by sender, receiver and body (for `wire.decode`), in the turn in which it is sent."""


def frames(data: bytes) -> Iterator[bytes]:
    """The whole frames that were sent together, each with its length; a rest as it is."""
    at = 0
    while at < len(data):
        size = LENGTH_BYTES + int.from_bytes(data[at : at + LENGTH_BYTES], "big")
        yield data[at : at + size]
        at += size


class Interceptor:
    """Decides about the messages of every link that is not faithful; a `Screen`."""

    def __init__(self) -> None:
        self.intercept: Intercept | None = None
        self._held: dict[str, list[tuple[Pipe, bytes]]] = {}

    def screen_for(self, link: Link, clients: str) -> "Interceptor | None":
        """Itself if it has to look at messages of this link; never at those of clients."""
        if clients in link.pair or (self.intercept is None and link.faults == FAITHFUL):
            return None
        return self

    def send(self, pipe: Pipe, data: bytes) -> None:
        for frame in frames(data):
            if pipe.is_fresh:
                pipe.is_fresh = False
                pipe.put(frame)
            else:
                self._decide(pipe, frame)

    def release(self, name: str) -> int:
        """Send what is held by this name, in order; how many messages that were.

        What was held of a connection that has ended is lost.
        """
        held = self._held.pop(name, [])
        alive = [
            (pipe, frame) for pipe, frame in held if not (pipe.src.is_closed or pipe.dst.is_closed)
        ]
        for pipe, frame in alive:
            pipe.put(frame)
        return len(alive)

    def held(self) -> dict[str, list[Pair]]:
        """Who sent what is held to whom, by name."""
        return {name: [pipe.link.pair for pipe, _ in held] for name, held in self._held.items()}

    def _decide(self, pipe: Pipe, frame: bytes) -> None:
        if self.intercept is not None:
            match self.intercept(*pipe.link.pair, frame[LENGTH_BYTES:]):
                case Drop():
                    return
                case Hold(name):
                    self._held.setdefault(name, []).append((pipe, frame))
                    return
                case Deliver():
                    pass
        self._draw(pipe, frame)

    def _draw(self, pipe: Pipe, frame: bytes) -> None:
        """What chance makes of a message."""
        faults, chance = pipe.link.faults, pipe.link.chance
        if chance.random() < faults.lose:
            return
        late_s = chance.uniform(*faults.delay_s)
        if chance.random() < faults.reorder:
            late_s += chance.uniform(*OVERTAKEN_S)
        self._send_late(pipe, frame, late_s)
        if chance.random() < faults.duplicate:
            self._send_late(pipe, frame, late_s + chance.uniform(*OVERTAKEN_S))

    def _send_late(self, pipe: Pipe, frame: bytes, late_s: float) -> None:
        if late_s:
            pipe.link.loop.main.call_after(int(late_s * 1e9), pipe.put, frame)
        else:
            pipe.put(frame)
