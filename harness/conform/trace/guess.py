"""Which message would help: what a search in a gap tries first, or has to imagine."""

from collections.abc import Iterator
from typing import NamedTuple

from ....model.raft_types import (
    NOBODY,
    Append,
    AppendReply,
    Disk,
    Member,
    Message,
    PreVote,
    PreVoteReply,
    Role,
    Snapshot,
    Vote,
    VoteReply,
)
from ..raft.terms import log_of

FAR = 1 << 40
"""A log so long that whoever has it gets any vote."""


class Orphan(NamedTuple):
    """A message that a peer has received, and no line sends: its incarnation and number."""

    inc: int
    number: int
    message: Message


def brings(m: Message, s: Member, target: Orphan | None, found: Disk | None) -> bool:
    """Whether this is what makes a member send the target, or leave what was found."""
    if target is None:
        if found is None:
            return False
        if isinstance(m, Append):
            return s.term <= m.term <= found.term and m.prev + len(m.entries) > len(s.log)
        if isinstance(m, Snapshot):
            return s.term <= m.term <= found.term and s.commit < len(m.prefix)
        if isinstance(m, PreVoteReply):
            return m.granted and s.role is Role.PRECANDIDATE and m.term == s.term + 1 <= found.term
        return s.term < m.term <= found.term and not isinstance(m, PreVote)
    answer = target.message
    if isinstance(m, Snapshot) and isinstance(answer, AppendReply) and answer.dst == m.src:
        return m.term <= answer.term and answer.round == 0
    if isinstance(m, Append) and isinstance(answer, AppendReply) and answer.dst == m.src:
        ends = not answer.success or m.prev + len(m.entries) == answer.match
        return ends and m.term <= answer.term and answer.round in (0, m.round)
    if isinstance(m, Vote | PreVote) and isinstance(answer, VoteReply | PreVoteReply):
        return answer.dst == m.src and isinstance(m, PreVote) is isinstance(answer, PreVoteReply)
    if isinstance(m, AppendReply) and isinstance(answer, Append):
        return s.commit < answer.commit <= m.match or (s.read is not None and m.round >= s.rounds)
    if isinstance(m, VoteReply):
        return s.role is Role.CANDIDATE and m.granted and m.term == s.term
    return isinstance(m, PreVoteReply) and s.role is Role.PRECANDIDATE and m.granted


def helpful(s: Member, peer: int, target: Orphan | None, found: Disk | None) -> Iterator[Message]:
    """Messages from a peer that would bring the member closer to what is known of it."""
    terms = {s.term, *(m.term for m in _of(target)), *([found.term] if found else [])}
    for term in sorted(t for t in terms if t >= s.term):
        if found is not None and found.term >= term and found.log != s.log:
            if found.snap > s.commit:
                yield Snapshot(peer, s.me, term, found.log[: found.snap])
            yield _append(s, peer, term, found)
        if target is not None and isinstance(target.message, AppendReply):
            yield from _asked(s, peer, term, target.message)
    if found is not None and found.term >= s.term:
        if found.vote == peer:
            yield Vote(peer, s.me, found.term, FAR, FAR)
        if found.term > s.term and found.vote == NOBODY:
            yield VoteReply(peer, s.me, found.term, False)
    if target is not None and isinstance(target.message, VoteReply) and target.message.dst == peer:
        granted = target.message.granted
        yield Vote(peer, s.me, target.message.term, FAR if granted else 0, FAR if granted else 0)
    if s.role is Role.PRECANDIDATE:
        yield PreVoteReply(peer, s.me, s.term + 1, True)
    if s.role is Role.CANDIDATE:
        yield VoteReply(peer, s.me, s.term, True)
    if s.role is Role.LEADER and target is not None and isinstance(target.message, Append):
        wanted = target.message.commit
        if s.commit < wanted <= len(s.log):
            yield AppendReply(peer, s.me, s.term, True, wanted, 0)
        if s.read is not None:
            yield AppendReply(peer, s.me, s.term, True, s.match[peer], s.read.round)


def _of(target: Orphan | None) -> tuple[Message, ...]:
    return () if target is None else (target.message,)


def _append(s: Member, peer: int, term: int, found: Disk) -> Append:
    """A request that makes the member's log the one that was found, if its leader has that."""
    shared = min(len(s.log), len(found.log))
    while shared and s.log[:shared] != found.log[:shared]:
        shared -= 1
    prev_term = s.log[shared - 1] if shared else 0
    rest = log_of(found.log[shared:])
    return Append(peer, s.me, term, shared, prev_term, rest, 0, 0)


def _asked(s: Member, peer: int, term: int, answer: AppendReply) -> Iterator[Append]:
    """The request that has this answer."""
    if answer.dst != peer:
        return
    if not answer.success:
        yield Append(peer, s.me, min(term, s.term - 1), 0, 0, log_of(()), 0, answer.round)
        yield Append(peer, s.me, term, len(s.log) + 1, term, log_of(()), 0, answer.round)
    elif answer.match <= len(s.log):
        prev_term = s.log[answer.match - 1] if answer.match else 0
        yield Append(peer, s.me, term, answer.match, prev_term, log_of(()), 0, answer.round)
    else:
        prev_term = s.log[-1] if len(s.log) else 0
        rest = log_of((term,) * (answer.match - len(s.log)))
        yield Append(peer, s.me, term, len(s.log), prev_term, rest, 0, answer.round)
