"""The words of the Raft core in those of its model, and back."""

from collections.abc import Iterator

from ....impl.raft.messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    Kind,
    SnapshotRequest,
    VoteRequest,
    VoteResponse,
)
from ....impl.raft.messages import Message as Wire
from ....model.raft_types import (
    Append,
    AppendReply,
    Log,
    Message,
    PreVote,
    PreVoteReply,
    Snapshot,
    Vote,
    VoteReply,
    term_at,
)
from .names import Names
from .terms import log_of, log_of_runs, runs_of


class Translation(Names):
    """Messages both ways, between members of these names."""

    def beta(self, m: Wire) -> Message:
        """A message in the model's words: payloads are gone, terms stand for entries."""
        src, dst = self.number(m.src), self.number(m.dst)
        match m:
            case VoteRequest():
                kind = PreVote if m.pre else Vote
                return kind(src, dst, m.term, m.last_term, m.last_index)
            case VoteResponse():
                answer = PreVoteReply if m.pre else VoteReply
                return answer(src, dst, m.term, m.granted)
            case AppendRequest():
                terms = log_of(entry.term for entry in m.entries)
                return Append(src, dst, m.term, m.prev_index, m.prev_term, terms, m.commit, m.round)
            case AppendResponse():
                match = m.match if m.success else m.hint
                return AppendReply(src, dst, m.term, m.success, match, m.round)
            case SnapshotRequest():
                return Snapshot(src, dst, m.term, log_of_runs(m.terms))

    def gamma(self, m: Message) -> Wire:
        """A message of the model as it would be on the wire; `beta` takes it back."""
        src, dst = self.member(m.src), self.member(m.dst)
        match m:
            case PreVote() | Vote():
                pre = isinstance(m, PreVote)
                return VoteRequest(src, dst, m.term, m.last_index, m.last_term, pre)
            case PreVoteReply() | VoteReply():
                return VoteResponse(src, dst, m.term, m.granted, isinstance(m, PreVoteReply))
            case Append():
                entries = tuple(entries_of(m.entries, m.prev, m.prev_term))
                return AppendRequest(
                    src, dst, m.term, m.prev, m.prev_term, entries, m.commit, m.round
                )
            case AppendReply():
                match, hint = (m.match, 0) if m.success else (0, m.match)
                return AppendResponse(src, dst, m.term, m.success, match, hint, m.round)
            case Snapshot():
                return SnapshotRequest(src, dst, m.term, runs_of(m.prefix))


def entries_of(log: Log, after: int = 0, after_term: int = 0) -> Iterator[Entry]:
    """Entries with these terms: the first of each is its leader's no-op, others are appends."""
    for index in range(1, len(log) + 1):
        term = term_at(log, index)
        if term != after_term:
            yield Entry(term, Kind.NOOP, b"")
        else:
            yield Entry(term, Kind.APPEND, f"{after + index}.{term}".encode())
        after_term = term
