"""Simulated links between hosts, and the pipes of single connections, in which segments fly.

A segment is what one turn of the loop wrote. It flies for a while, then lands in the kernel of the
other side, which takes up to a window of it, then its process is given all that has landed. A pipe
is stuck while its link is cut, while the other side cannot take anything, or is gone. Links that
are slow do not make it stuck: bytes are confirmed hop by hop, as by the proxies of real targets.
"""

from collections import deque
from random import Random
from typing import Protocol

from ..targets.faults import FAITHFUL
from ..targets.links import OPEN, LinkState, Pair
from .loop import SimLoop
from .process import Handle, Process

RESET = "connection reset by peer"
TIMED_OUT = "timed out"

WINDOW = 1 << 20
"""Bytes that a kernel takes for a process that does not read."""

_BASE_NS, _SPREAD_NS = 50_000, 350_000
_RARE, _RARE_NS = 0.01, 5_000_000

NEVER = -1


class Screen(Protocol):
    """Whoever decides about single messages of a link."""

    def send(self, pipe: "Pipe", data: bytes) -> None:
        """Put what is to arrive of it into the pipe, now or later."""


class Side(Protocol):
    """One side of a connection, as its pipes see it."""

    @property
    def process(self) -> Process: ...
    @property
    def out(self) -> "Pipe":
        """What this side sends through."""

    @property
    def stall_ns(self) -> int:
        """How long it puts up with a stuck pipe; 0: for ever."""

    @property
    def is_closed(self) -> bool: ...
    @property
    def is_blocked(self) -> bool: ...
    @property
    def is_reading_paused(self) -> bool: ...

    def take(self, landed: list[bytes | str]) -> None:
        """Bytes, and perhaps the end; runs in the process."""

    def ease(self) -> bool:
        """Let the handler write again if there is room; whether there is."""

    def fail(self, reason: str) -> None:
        """End at once."""


class Link:
    """What one host sends to another, on every connection between the two."""

    def __init__(self, loop: SimLoop, pair: Pair, seed: str) -> None:
        self.loop = loop
        self.pair = pair
        self.chance = Random(f"{seed}/network/{pair[0]}/{pair[1]}")
        self.faults = FAITHFUL
        self.screen: Screen | None = None
        """None: every message simply arrives."""
        self.pipes: dict[int, Pipe] = {}
        self.state = OPEN
        self.is_cut = False
        self.delay_ns = 0

    def latency_ns(self) -> int:
        """How long something takes that is sent now."""
        lot = self.chance.random()
        latency_ns = _BASE_NS + self.delay_ns + int(lot * _SPREAD_NS)
        if lot < _RARE:
            latency_ns += int(self.chance.random() * _RARE_NS)
        return latency_ns

    def set(self, state: LinkState) -> None:
        """Be so from now on. What is on its way is sent anew under the new conditions."""
        if state == self.state:
            return
        for pipe in self.pipes.values():
            pipe.land()
        self.state = state
        self.is_cut = state.cut
        self.delay_ns = int(state.delay_s * 1e9)
        for pipe in list(self.pipes.values()):
            pipe.send_anew()


class Pipe:
    """One direction of a connection."""

    def __init__(self, link: Link, number: int, src: Side, dst: Side) -> None:
        self.link = link
        self.number = number
        self.src = src
        self.dst = dst
        self.is_fresh = True
        """Whether nothing was sent yet: a first message has no fate of its own."""
        self.flying_bytes = 0
        self._flying: deque[tuple[int, bytes | str]] = deque()
        """When it lands, and what: bytes, or how the connection ends, which is last."""
        self._landed: list[bytes | str] = []
        self._landed_bytes = 0
        self._last_ns = 0
        """Nothing lands earlier: order is kept."""
        self._busy_ns = 0
        """Until when a narrow link passes what was sent before."""
        self._timer: Handle | None = None
        self._stuck_since_ns = NEVER
        self._is_watched = False
        self._has_ended = False
        """Whether its last item was sent."""
        self._is_silent = False
        self._is_dst_gone = False
        self._is_dst_off = False
        link.pipes[number] = self

    def send(self, data: bytes) -> None:
        """Send whole messages."""
        screen = self.link.screen
        if screen is None:
            self.is_fresh = False
            self.put(data)
        else:
            screen.send(self, data)

    def put(self, item: bytes | str) -> None:
        """Send as it is; a text ends the pipe and says how."""
        if self._has_ended or self._is_silent:
            return
        size = 0
        if isinstance(item, str):
            self._has_ended = True
        else:
            size = len(item)
        self._flying.append((self._due_ns(size), item))
        self.flying_bytes += size
        if self._timer is None:
            self._arm()

    def _is_stuck(self) -> bool:
        return self.link.is_cut or self._is_dst_gone or self._landed_bytes >= WINDOW

    def not_before(self, when_ns: int) -> None:
        """Let nothing land earlier than this."""
        self._last_ns = max(self._last_ns, when_ns)

    def _due_ns(self, size: int) -> int:
        link = self.link
        now_ns = link.loop.now_ns
        due_ns = now_ns + link.latency_ns()
        rate = link.state.rate_bytes_s
        if rate is not None:
            begin_ns = max(now_ns, self._busy_ns)
            self._busy_ns = begin_ns + int(size / rate * 1e9)
            due_ns += self._busy_ns - now_ns
        if due_ns < self._last_ns:
            due_ns = self._last_ns
        self._last_ns = due_ns
        return due_ns

    def land(self) -> None:
        """Let the other side's kernel take what is due."""
        flying = self._flying
        now_ns = self.link.loop.now_ns
        if not flying or flying[0][0] > now_ns or self.link.is_cut or self._is_dst_gone:
            return
        while flying and flying[0][0] <= now_ns and self._landed_bytes < WINDOW:
            item = flying.popleft()[1]
            self._landed.append(item)
            if not isinstance(item, str):
                self.flying_bytes -= len(item)
                self._landed_bytes += len(item)
            self._stuck_since_ns = NEVER

    def _arm(self) -> None:
        """See to what comes next."""
        dst, flying = self.dst, self._flying
        is_moving = bool(flying)
        if is_moving and self._is_stuck():
            is_moving = False
            self._hold()
        if self._landed and not dst.is_reading_paused:
            self._timer = dst.process.call_after(0, self._deliver)
        elif is_moving:
            wait_ns = flying[0][0] - self.link.loop.now_ns
            self._timer = dst.process.call_after(wait_ns, self._deliver)

    def _deliver(self) -> None:
        """Give the process what has landed; runs in it."""
        self._timer = None
        self.land()
        dst = self.dst
        if dst.is_closed:
            return
        landed: list[bytes | str] = []
        if not dst.is_reading_paused and self._landed:
            landed, self._landed, self._landed_bytes = self._landed, [], 0
            if self._flying:
                self.land()
        if self._flying or self._landed:
            self._arm()
        if self.src.is_blocked:
            self.src.ease()
        if landed:
            dst.take(landed)

    def resume(self) -> None:
        """The other side reads again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._arm()

    def send_anew(self) -> None:
        """The link has changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._stuck_since_ns = NEVER
        now_ns = self.link.loop.now_ns
        self._last_ns = self._busy_ns = now_ns
        flying = self._flying
        for _ in range(len(flying)):
            _, item = flying.popleft()
            flying.append((self._due_ns(0 if isinstance(item, str) else len(item)), item))
        self._arm()
        if self.src.is_blocked:
            self.watch_room()

    def lose_dst(self, *, is_off: bool) -> None:
        """Nobody is there any more who would take anything; `is_off`: nor who would say so."""
        self._is_dst_gone = True
        self._is_dst_off = is_off
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._landed.clear()
        self._landed_bytes = 0
        if self._flying:
            self._hold()

    def find_dst(self) -> None:
        """The host at the other side is up again, and knows nothing of this connection."""
        self._is_dst_off = False
        if self._flying:
            self._hold()

    def lose_held(self) -> None:
        """The host at this side lost its power: only what is on the wire still arrives."""
        self._is_silent = True
        if self.link.is_cut:
            self.clear()
            self._has_ended = False

    def clear(self) -> None:
        """Lose what is on its way."""
        self._flying.clear()
        self.flying_bytes = 0

    def stop(self) -> None:
        """Both ends are closed."""
        self.link.pipes.pop(self.number, None)
        self.clear()
        self._has_ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # What happens when nothing moves.

    def _hold(self) -> None:
        """Something waits, for as long as its sender has patience."""
        link = self.link
        if self._stuck_since_ns == NEVER:
            self._stuck_since_ns = link.loop.now_ns
        if self._is_dst_gone and not self._is_dst_off and not link.is_cut:
            # Where its last word is on its way already, a second one changes nothing.
            wait_ns = self._flying[0][0] - link.loop.now_ns
            link.loop.main.call_after(wait_ns, self._bounce)
        if self.src.stall_ns and not self._is_watched and not self.src.is_closed:
            self._is_watched = True
            link.loop.main.call_after(self.src.stall_ns, self._stalled)

    def _bounce(self) -> None:
        """The other host answers that it knows no such connection."""
        if self._flying and not self.link.is_cut:
            self.dst.out.answer_reset()

    def answer_reset(self) -> None:
        """Send a reset though this side's process may be long gone."""
        self._is_silent = False
        self.put(RESET)

    def _stalled(self) -> None:
        """Patience is at its end, unless something has moved since."""
        self._is_watched = False
        if self.src.is_closed or self._stuck_since_ns == NEVER or not self._flying:
            return
        left_ns = self._stuck_since_ns + self.src.stall_ns - self.link.loop.now_ns
        if left_ns > 0:
            self._is_watched = True
            self.link.loop.main.call_after(left_ns, self._stalled)
            return
        self.src.fail(TIMED_OUT)
        self.clear()
        self.put(RESET)

    def watch_room(self) -> None:
        """The sender waits for room: see by when a kernel, not a process, has made some."""
        if self._flying and self._is_stuck():
            self._hold()
        elif self._flying:
            wait_ns = self._flying[-1][0] - self.link.loop.now_ns
            self.link.loop.main.call_after(wait_ns, self._look_for_room)

    def _look_for_room(self) -> None:
        if self.src.is_blocked and not self.src.is_closed:
            self.land()
            if not self.src.ease():
                self.watch_room()
