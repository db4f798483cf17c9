"""What a leader owes: answers to producers and readers, each given exactly once.

Kept apart from the group so that there is one place to see that nobody is forgotten: a debt is
settled when its entry is applied, when its read is due, or all at once when the leader steps down.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from ..bugs import ABORTED_READ
from ..client.errors import INDETERMINATE, OVERLOADED, RequestError
from .messages import Kind

CALLS_MAX = 20_000
PAYLOAD_BYTES_MAX = 256 << 20
"""Calls that a leader has taken and not answered; more are refused as Overloaded."""

Answer = Callable[[Any], None]
"""Called once with the result, or with the RequestError that it ended in."""

Reader = Callable[[RequestError | None], None]
"""Called once: with None when a read may be answered from what is applied."""


class Proposal(msgspec.Struct, frozen=True):
    """An entry that somebody waits for."""

    kind: Kind
    payload: bytes
    answer: Answer


class Debts:
    """Who waits for what. Only a leader has debts."""

    # Invariant: _payload_bytes is the sum over _new_proposals and _logged.

    def __init__(self, bugs: frozenset[str] = frozenset()) -> None:
        self._bugs = bugs
        self._new_proposals: list[Proposal] = []
        self._logged: dict[int, Proposal] = {}
        self._payload_bytes = 0
        self._tokens = 0
        self._new_reads: list[int] = []
        self._reads: dict[int, Reader] = {}
        self._confirmed: deque[tuple[int, int]] = deque()

    @property
    def count(self) -> int:
        """Answers outstanding."""
        return len(self._new_proposals) + len(self._logged) + len(self._reads)

    @property
    def has_news(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._new_proposals or self._new_reads)

    def propose(self, proposal: Proposal) -> None:
        """Owe an answer for an entry that is not logged yet; refuses when too much is owed."""
        self._refuse_overload(len(proposal.payload))
        self._payload_bytes += len(proposal.payload)
        self._new_proposals.append(proposal)

    def read(self, ready: Reader) -> None:
        """Owe a reader its moment; refuses when too much is owed."""
        self._refuse_overload(0)
        self._tokens += 1
        self._reads[self._tokens] = ready
        self._new_reads.append(self._tokens)

    def take_proposals(self) -> list[Proposal]:
        """What is to be logged now; the caller says `logged` or `refused` next."""
        proposals, self._new_proposals = self._new_proposals, []
        return proposals

    def take_reads(self) -> tuple[int, ...]:
        """Reads to be confirmed, by token."""
        tokens, self._new_reads = self._new_reads, []
        return tuple(tokens)

    def logged(self, first: int, proposals: list[Proposal]) -> None:
        """The proposals are in the log, from index `first` on."""
        for index, proposal in enumerate(proposals, start=first):
            assert index not in self._logged
            self._logged[index] = proposal

    def refused(self, proposals: list[Proposal], error: RequestError) -> None:
        """The proposals did not get into the log."""
        for proposal in proposals:
            self._payload_bytes -= len(proposal.payload)
            proposal.answer(error)

    def applied(self, index: int) -> Answer | None:
        """The entry is applied; gives who waits for its outcome."""
        proposal = self._logged.pop(index, None)
        if proposal is None:
            return None
        self._payload_bytes -= len(proposal.payload)
        return proposal.answer

    def confirm(self, token: int, index: int) -> None:
        """The read may be answered once `index` is applied."""
        self._confirmed.append((index, token))

    def refuse_read(self, token: int, error: RequestError) -> None:
        """The read cannot be answered here."""
        ready = self._reads.pop(token, None)
        if ready is not None:
            ready(error)

    def settle_reads(self, applied: int) -> None:
        """Let the readers go on whose moment has come, in order."""
        while self._confirmed and self._confirmed[0][0] <= applied:
            _, token = self._confirmed.popleft()
            ready = self._reads.pop(token, None)
            if ready is not None:
                ready(None)

    def default(self, error: RequestError) -> None:
        """The leader steps down: what is logged may still commit, the rest never happened."""
        self.refused(self.take_proposals(), error)
        logged, self._logged = self._logged, {}
        self._payload_bytes = 0
        message = "the leader stepped down before the entry was committed"
        unknown = RequestError(INDETERMINATE, False, message)
        for proposal in logged.values():
            proposal.answer(error if ABORTED_READ in self._bugs else unknown)
        reads, self._reads = self._reads, {}
        self._new_reads.clear()
        self._confirmed.clear()
        for ready in reads.values():
            ready(error)

    def _refuse_overload(self, payload_bytes: int) -> None:
        held = self._payload_bytes
        if self.count >= CALLS_MAX or (held and held + payload_bytes > PAYLOAD_BYTES_MAX):
            message = f"{self.count} calls with {self._payload_bytes} bytes wait already"
            raise RequestError(OVERLOADED, True, message)
