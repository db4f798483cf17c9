"""Records of a trace in the model's words."""

from collections.abc import Iterable

from ....model.actor import Receive
from ....model.raft_types import (
    Append,
    AppendReply,
    Disk,
    Log,
    Message,
    PreVote,
    PreVoteReply,
    Snapshot,
    Vote,
    VoteReply,
)
from ...traces import (
    AppendRequest,
    AppendResponse,
    Compacted,
    Persist,
    Persisted,
    Proposed,
    Reads,
    Received,
    Record,
    SnapshotRequest,
    Timer,
    VoteRequest,
    VoteResponse,
)
from ...traces import Entry as Entry
from ...traces import Message as Told
from ..raft import refine
from ..raft.names import ROLES, Names
from ..raft.terms import Terms, log_of, log_of_runs

NO_ENTRIES = Terms()


class Words(Names):
    """Translates for members of these names."""

    def message(self, src: str, dst: str, m: Told) -> Message:
        """A message between two members; payloads are gone, terms stand for entries."""
        a, b = self.number(src), self.number(dst)
        f = m.fields
        if isinstance(m, AppendRequest):
            f = m.fields
            log = log_of(terms(f.entries))
            return Append(a, b, f.term, f.prev_index, f.prev_term, log, f.commit, f.round)
        if isinstance(m, AppendResponse):
            f = m.fields
            match = f.match if f.success else f.hint
            return AppendReply(a, b, f.term, f.success, match, f.round)
        if isinstance(m, VoteRequest):
            f = m.fields
            asks = PreVote if f.pre else Vote
            return asks(a, b, f.term, f.last_term, f.last_index)
        if isinstance(m, SnapshotRequest):
            return Snapshot(a, b, m.fields.term, log_of_runs(m.fields.terms))
        assert isinstance(m, VoteResponse)
        f = m.fields
        answers = PreVoteReply if f.pre else VoteReply
        return answers(a, b, f.term, f.granted)

    def sent(self, node: str, messages: Iterable[Told]) -> tuple[Message, ...]:
        """What a member sends, in order."""
        return tuple([self.message(node, m.dst, m) for m in messages])

    def did(self, record: Record, decisions: int) -> refine.Did:
        """A step; `decisions`: how many of the oldest a sync covers that ended with it."""
        post = record.post
        return refine.Did(
            self.cause(record, decisions),
            self.sent(record.node, record.out) if record.out else (),
            self.sent(record.node, record.held) if record.held else (),
            self.saved(record.persist),
            refine.Post(
                post.term, self.number(post.vote), ROLES[post.role], post.commit, *post.last
            ),
            tuple(dict.fromkeys([a[1] for a in record.answered])) if record.answered else (),
            None if record.lost is None else self.number(record.lost.member),
        )

    def cause(self, record: Record, decisions: int) -> refine.Cause:
        """What the core was given."""
        event = record.event
        if isinstance(event, Received):
            return Receive(self.message(event.uid[0], record.node, event.message))
        if isinstance(event, Persisted):
            return refine.Synced(decisions)
        if isinstance(event, Proposed):
            return refine.Proposed(len(event.entries))
        if isinstance(event, Timer):
            return refine.Timer(event.timer)
        if isinstance(event, Compacted):
            return refine.Compacted(event.index)
        assert isinstance(event, Reads)
        return refine.ReadsAsked()

    def saved(self, persist: Persist) -> refine.Saved | None:
        """What a step writes; None if that is nothing."""
        if persist.is_empty:
            return None
        told = persist.hard_state
        state = None if told is None else (told[0], self.number(told[1]))
        base = None if persist.base is None else log_of_runs(persist.base)
        entries = log_of(terms(persist.entries))
        return refine.Saved(state, persist.truncate_from, entries, base, persist.installs)

    def disk(self, record: Record) -> Disk:
        """What a member found on its disk; the record is its `boot`."""
        post, log = record.post, whole(record)
        snap = 0 if record.log is None else len(Terms.of_runs(record.log.base))
        return Disk(post.term, self.number(post.vote), log, snap)


def whole(record: Record) -> Log:
    """The log that a `boot` tells, from the first entry on."""
    if record.log is None:
        return log_of(())
    return log_of(Terms.of_runs(record.log.base) + terms(record.log.entries))


def terms(entries: Iterable[Entry]) -> Terms:
    """The terms of entries."""
    found = [entry[1] for entry in entries]
    return Terms(found) if found else NO_ENTRIES
