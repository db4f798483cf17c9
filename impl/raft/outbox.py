"""Gives the messages of a group's core their names, and sends them: news of commits a little later.

A leader tells its peers what is committed as soon as it is, by a request without entries, unless
something else is on its way to them. Mostly the next entries follow at once and say the same, so
that such a request waits for them a moment, and is forgotten if they come: as if it had been lost.
With one producer of small batches, that is half of all messages. Whoever asks who leads, and every
heartbeat that says nothing new, goes at once.
"""

from collections.abc import Callable, Iterable, Sequence

from ..runtime import Alarm
from ..wire import PeerMessage
from .messages import AppendRequest, Message, SnapshotRequest
from .surroundings import Surroundings

NEWS_WAIT_S = 0.004
"""Longer than a small batch takes. By so much a follower's tables are older, for those who poll."""


class Outbox:
    """Numbers messages from 1 on in this incarnation; `offer` sends snapshots, with their data."""

    # Invariant: _waiting holds requests without entries, at most one a peer, and when it was made.
    # Invariant: there is an alarm while something waits.

    def __init__(
        self, group: int, around: Surroundings, offer: Callable[[PeerMessage], None]
    ) -> None:
        self._group = group
        self._incarnation = around.incarnation
        self._send = around.send
        self._offer = offer
        self._clock = around.runtime.clock
        self._numbers = 0
        self._told: dict[str, tuple[int, int, int]] = {}
        """What each peer was told last: term, round, commit."""
        self._waiting: dict[str, tuple[int, PeerMessage]] = {}
        self._alarm: Alarm | None = None

    def framed(self, messages: Sequence[Message]) -> Sequence[PeerMessage]:
        """The messages as they will be sent."""
        if not messages:
            return ()
        group, incarnation, before = self._group, self._incarnation, self._numbers
        self._numbers += len(messages)
        return [
            PeerMessage(group, incarnation, number, message)
            for number, message in enumerate(messages, start=before + 1)
        ]

    def send(self, frames: Iterable[PeerMessage]) -> None:
        """Send them now, soon, or not at all."""
        send = self._send
        for frame in frames:
            message = frame.message
            if isinstance(message, AppendRequest):
                self._request(frame, message)
            elif isinstance(message, SnapshotRequest):
                self._offer(frame)
            else:
                send(message.dst, frame)

    def close(self) -> None:
        """Send nothing more that waits."""
        self._waiting.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _request(self, frame: PeerMessage, message: AppendRequest) -> None:
        term, round_, commit = self._told.get(message.dst, (0, 0, 0))
        self._told[message.dst] = message.term, message.round, message.commit
        says_only_news = not message.entries and commit < message.commit
        earlier = self._waiting.pop(message.dst, None)
        if says_only_news and (term, round_) == (message.term, message.round):
            now_ns = self._clock.now_ns()
            self._waiting[message.dst] = now_ns if earlier is None else earlier[0], frame
            if self._alarm is None:
                self._alarm = self._clock.call_later(NEWS_WAIT_S, self._rang)
        else:
            self._send(message.dst, frame)

    def _rang(self) -> None:
        """Send what has waited long enough."""
        self._alarm = None
        now_ns = self._clock.now_ns()
        left_s = NEWS_WAIT_S
        for peer, (since_ns, frame) in list(self._waiting.items()):
            waits_s = NEWS_WAIT_S - (now_ns - since_ns) / 1e9
            # Timers count in milliseconds.
            if waits_s <= 0.001:
                del self._waiting[peer]
                self._send(peer, frame)
            else:
                left_s = min(left_s, waits_s)
        if self._waiting:
            self._alarm = self._clock.call_later(left_s, self._rang)
