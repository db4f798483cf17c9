"""What a leader knows of one peer, and how much it may send without an answer."""

from collections import deque
from dataclasses import dataclass, field

IN_FLIGHT_MAX = 64
"""Requests with entries that may wait for their answers."""

BATCH_COUNT_MAX = 1024
BATCH_BYTES_MAX = 4 << 20
"""Of one AppendRequest."""

IN_FLIGHT_BYTES_MAX = 32 << 20


@dataclass(slots=True)
class Progress:
    """One peer, as seen by the leader of a term.

    # Invariant: match < next; match never falls; in_flight holds (last index, bytes), ascending.
    """

    next: int
    match: int = 0
    probing: bool = True
    probed: bool = False
    round: int = 0
    in_flight: deque[tuple[int, int]] = field(default_factory=deque)
    in_flight_bytes: int = 0
    match_at_heartbeat: int = -1

    def may_send(self) -> bool:
        """Whether entries may be sent now: one request while probing, a window afterwards."""
        if self.probing:
            return not self.probed
        return len(self.in_flight) < IN_FLIGHT_MAX and self.in_flight_bytes < IN_FLIGHT_BYTES_MAX

    def sent(self, last: int, size: int) -> None:
        """Entries up to `last` left; go on behind them unless probing."""
        if self.probing:
            self.probed = True
            return
        self.next = last + 1
        self.in_flight.append((last, size))
        self.in_flight_bytes += size

    def accepted(self, match: int) -> bool:
        """An answer proved the logs equal up to `match`; true where that is news."""
        self.probed = False
        self.probing = False
        news = match > self.match
        self.match = max(self.match, match)
        self.next = max(self.next, self.match + 1)
        while self.in_flight and self.in_flight[0][0] <= match:
            self.in_flight_bytes -= self.in_flight.popleft()[1]
        return news

    def refused(self, hint: int) -> None:
        """The peer lacks what came before; look further back, but never behind what it has."""
        self.probe(max(self.match + 1, min(self.next - 1, hint + 1)))

    def probe(self, at: int) -> None:
        """Forget what is in flight and find out where the peer is."""
        self.next = at
        self.probing = True
        self.probed = False
        self.in_flight.clear()
        self.in_flight_bytes = 0

    def heartbeat(self) -> None:
        """Messages may be lost: without progress since the last heartbeat, ask again."""
        stuck = bool(self.in_flight) and self.match_at_heartbeat == self.match
        if self.probing or stuck:
            self.probe(self.next if self.probing else self.match + 1)
        self.match_at_heartbeat = self.match
