"""What members of a Raft group tell one another, and what a log is made of.

Indices are 1-based; index 0, of term 0, lies before the log.
"""

from enum import IntEnum
from typing import Annotated

import msgspec

from .terms import Runs, end_of

COUNT_MAX = 1 << 62
"""Far beyond any term or index, and far below what the log's records can hold."""

Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]
"""A term, an index or a round as it arrives: checked when it is decoded."""


class Kind(IntEnum):
    """What an entry asks the machine to do: tables 1 to 3 and 5, the catalog of a cluster 4."""

    NOOP = 0
    APPEND = 1
    CREATE_TABLE = 2
    DROP_TABLE = 3
    CATALOG = 4
    FILTER_COLUMN = 5


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entry of the log; its index is its place."""

    term: Count
    kind: Kind
    payload: bytes


class HardState(msgspec.Struct, frozen=True, array_like=True):
    """Figure 2's persistent state besides the log."""

    term: int = 0
    vote: str | None = None


class VoteRequest(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """RequestVote; with `pre`, a question about the next term that changes no state."""

    src: str
    dst: str
    term: Count
    last_index: Count
    last_term: Count
    pre: bool


class VoteResponse(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A granted pre-vote carries the term that was asked about, every other answer the own term."""

    src: str
    dst: str
    term: Count
    granted: bool
    pre: bool


class AppendRequest(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """AppendEntries. `round` numbers the leader's requests to be confirmed (ReadIndex)."""

    src: str
    dst: str
    term: Count
    prev_index: Count
    prev_term: Count
    entries: tuple[Entry, ...]
    commit: Count
    round: Count


class AppendResponse(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """`match`: the last index that this very request proved equal; 0 in a refusal.

    `hint` (refusals): the last index where the logs may still agree.
    """

    src: str
    dst: str
    term: Count
    success: bool
    match: Count
    hint: Count
    round: Count


class SnapshotRequest(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """InstallSnapshot (§7): the tables as they are after the last entry of `terms`.

    The data travel beside it. Whoever is handed this has them all; the answer is AppendResponse.
    """

    src: str
    dst: str
    term: Count
    terms: Runs

    @property
    def last_index(self) -> int:
        """The last entry that the snapshot stands for."""
        return end_of(self.terms)[0]

    @property
    def last_term(self) -> int:
        """The term of that entry."""
        return end_of(self.terms)[1]


Message = VoteRequest | VoteResponse | AppendRequest | AppendResponse | SnapshotRequest
