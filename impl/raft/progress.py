"""What a leader knows of one peer, and how much it may send without an answer."""

from collections import deque
from dataclasses import dataclass, field

PATIENCE_MAX = 8
"""Heartbeats. A disk that hangs must not be sent the same megabytes with every one of them."""

SNAPSHOT_PATIENCE = 10
"""Heartbeats: so often is a snapshot offered again that was not answered. An offer is small, and
whoever carries the data goes on where it was.
"""


@dataclass(frozen=True, slots=True)
class Window:
    """How much may be under way to one peer. An entry larger than a limit still goes, alone."""

    requests_max: int = 64
    bytes_max: int = 8 << 20
    request_entries_max: int = 1024
    request_bytes_max: int = 1 << 20


@dataclass(slots=True)
class Progress:
    """One peer, as seen by the leader of a term.

    Probing, one question at a time finds out where the logs agree: `next` moves back only. Else
    requests follow one another without waiting: `next` moves ahead with every one that is sent.
    A peer that lacks what is no longer in the log is offered a `snapshot` (its last index, else 0);
    nothing else is sent to it then but questions.

    A refusal of what the peer has acknowledged is an old one, or the peer's disk has lost it. To
    tell which, the leader asks once more in a later round than the one in which it began to
    `doubt`: meanwhile it asks for nothing but what is at `match`, which no answer to that can
    refuse unless it is lost.

    # Invariant: match < next; in a term, match falls only where the peer has lost entries.
    # Invariant: who is in doubt probes at match.
    # Invariant: the peer knows that entries up to `told` are committed, once all has arrived.
    # Invariant: in_flight holds (last index, bytes) of requests with entries, ascending.
    """

    next: int
    match: int = 0
    probing: bool = True
    round: int = 0
    told: int = 0
    in_flight: deque[tuple[int, int]] = field(default_factory=deque)
    in_flight_bytes: int = 0
    idle: int = 0
    patience: int = 1
    snapshot: int = 0
    doubt: int | None = None

    def has_room(self, window: Window) -> bool:
        """Whether one more request with entries may be sent now."""
        if self.probing or len(self.in_flight) >= window.requests_max:
            return False
        return self.in_flight_bytes < window.bytes_max

    def beat_prev(self) -> int:
        """After which entry an empty request should ask.

        The probed one while probing; else one that the peer certainly has on its disk, so that
        its answer waits for no sync.
        """
        return self.next - 1 if self.probing else self.match

    def sent(self, last: int, size: int) -> None:
        """Entries up to `last` left; go on behind them without waiting for the answer."""
        assert not self.probing
        assert last >= self.next
        self.next = last + 1
        self.in_flight.append((last, size))
        self.in_flight_bytes += size

    def offered(self, last: int) -> None:
        """A snapshot up to `last` is on its way; all else waits for the answer."""
        assert self.match < last
        self.in_flight.clear()
        self.in_flight_bytes = 0
        self.next = last + 1
        self.probing = True
        self.snapshot = last
        self.doubt = None
        self.idle = 0

    def accepted(self, match: int) -> bool:
        """An answer proved the logs equal up to `match`; true if that is news.

        Answers may be old, doubled or out of order: they never take back what is known.
        """
        if self.probing and match >= self.next - 1:
            self.probing = False
            self.doubt = None
        while self.in_flight and self.in_flight[0][0] <= match:
            self.in_flight_bytes -= self.in_flight.popleft()[1]
        if match >= self.snapshot:
            self.snapshot = 0
        if match <= self.match:
            return False
        self.match = match
        self.next = max(self.next, match + 1)
        self.idle = 0
        self.patience = 1
        return True

    def refused(self, hint: int, now: int) -> bool:
        """The peer lacks what came before, perhaps all after `hint`; true if `next` moved back.

        A refusal that could not answer a question asked from `next` on is an old one. `now` is the
        round of what is asked next.
        """
        if self.snapshot or hint + 1 >= self.next or self.doubt is not None:
            return False
        before = self.next
        self._probe_from(max(self.match, hint) + 1)
        if hint < self.match:
            self.doubt = now
        return self.next < before

    def has_lost(self, hint: int, round: int) -> bool:
        """Whether a refusal proves that the peer lost entries that it had acknowledged."""
        return self.doubt is not None and hint < self.match and round > self.doubt

    def lost(self, hint: int) -> None:
        """The peer lost entries: of what it had acknowledged nothing is certain any more."""
        assert hint < self.match
        self.match = 0
        self._probe_from(hint + 1)

    def beat(self) -> None:
        """A heartbeat is due. If answers stay away, messages were lost: ask again."""
        if not self.in_flight and not self.snapshot:
            self.idle = 0
            return
        self.idle += 1
        if self.snapshot:
            if self.idle > SNAPSHOT_PATIENCE:
                self._probe_from(self.match + 1)
        elif self.idle > self.patience:
            self.idle = 0
            self.patience = min(2 * self.patience, PATIENCE_MAX)
            self._probe_from(self.match + 1)

    def _probe_from(self, index: int) -> None:
        assert self.match < index <= self.next
        self.next = index
        self.told = 0
        self.probing = True
        self.snapshot = 0
        self.doubt = None
        self.in_flight.clear()
        self.in_flight_bytes = 0
