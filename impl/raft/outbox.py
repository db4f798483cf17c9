"""Gives the messages of a group's core their names, and sends them."""

from collections.abc import Callable, Iterable, Sequence

from ..wire import PeerMessage
from .messages import Message, SnapshotRequest
from .transfer import Send


class Outbox:
    """Numbers messages from 1 on in this incarnation; `offer` sends snapshots, with their data."""

    def __init__(
        self, group: int, incarnation: int, send: Send, offer: Callable[[PeerMessage], None]
    ) -> None:
        self._group = group
        self._incarnation = incarnation
        self._send = send
        self._offer = offer
        self._numbers = 0

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
        """Send them now, or not at all."""
        send = self._send
        for frame in frames:
            if isinstance(frame.message, SnapshotRequest):
                self._offer(frame)
            else:
                send(frame.message.dst, frame)
