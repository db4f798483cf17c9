"""The decisions of Raft, each a pure function: what a mutant changes in one line."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .raft_types import (
    NOBODY,
    Append,
    AppendReply,
    Disk,
    Log,
    Member,
    PreVote,
    Role,
    Snapshot,
    Vote,
    VoteReply,
    last_term,
    majority,
    term_at,
    with_vote,
)


def merged(log: Log, prev: int, entries: Log) -> Log:
    """§5.3: an existing entry gives way only to one of another term, and then all after it."""
    for at, term in enumerate(entries, start=prev + 1):
        if at > len(log) or term_at(log, at) != term:
            return log[: at - 1] + entries[at - 1 - prev :]
    return log


@dataclass(frozen=True)
class Rules:
    """The decisions of Raft, each a pure function, so that a mutant is one line."""

    may_vote: Callable[[Member, Vote], bool] = lambda s, m: s.vote in (NOBODY, m.src)
    answers_leased: Callable[[Member, PreVote], bool] = lambda s, m: False
    lease_in_newer_term: Callable[[Member], bool] = lambda s: s.fresh
    up_to_date: Callable[[Log, int, int], bool] = lambda log, term, index: (
        (term, index) >= (last_term(log), len(log))
    )
    counts_vote: Callable[[Member, VoteReply], bool] = lambda s, m: m.term == s.term
    voters: Callable[[Member, VoteReply], tuple[int, ...]] = lambda s, m: with_vote(s, m.src)
    wins: Callable[[int, int], bool] = lambda votes, members: votes >= majority(members)
    opening: Callable[[Member], Log] = lambda s: (s.term,)
    requested: Callable[[Member], Log] = lambda s: (*s.log, s.term)
    is_stale: Callable[[Member, int], bool] = lambda s, term: term < s.term
    fits: Callable[[Member, Append], bool] = lambda s, m: (
        m.prev <= s.snap or (m.prev <= len(s.log) and term_at(s.log, m.prev) == m.prev_term)
    )
    merged: Callable[[Member, Append], Log] = lambda s, m: merged(s.log, m.prev, m.entries)
    hint: Callable[[Member, Append], int] = lambda s, m: min(len(s.log), m.prev - 1)
    told: Callable[[Member, int], int] = lambda s, sent: min(s.commit, sent)
    acknowledged: Callable[[Member, Append], int] = lambda s, m: m.prev + len(m.entries)
    follower_commit: Callable[[Member, Append], int] = lambda s, m: max(
        s.commit, min(m.commit, m.prev + len(m.entries))
    )
    new_match: Callable[[int, AppendReply], int] = lambda old, m: max(old, m.match)
    backed_off: Callable[[Member, AppendReply], int] = lambda s, m: max(
        s.match[m.src] + 1, min(s.next[m.src] - 1, m.match + 1)
    )
    replicates: Callable[[Member, int], bool] = lambda s, peer: True
    committable: Callable[[Member, int], bool] = lambda s, n: term_at(s.log, n) == s.term
    scanned: Callable[[Member], Iterable[int]] = lambda s: range(len(s.log), s.commit, -1)
    own_match: Callable[[Member], int] = lambda s: len(s.disk.log)
    commit_quorum: Callable[[int, int], bool] = lambda have, members: have >= majority(members)
    may_read: Callable[[Member], bool] = lambda s: s.log[s.commit - 1 : s.commit] == (s.term,)
    rounds_at_first: Callable[[Member], int] = lambda s: s.rounds
    asked_round: Callable[[Member], int] = lambda s: s.read.round if s.read else 0
    read_quorum: Callable[[Member, int], bool] = lambda s, have: have >= majority(len(s.next))
    accepts_request: Callable[[Member], bool] = lambda s: s.role is Role.LEADER
    saved: Callable[[Member], Disk] = lambda s: Disk(s.term, s.vote, s.log, s.snap)
    survives: Callable[[Disk], Disk] = lambda disk: disk
    replies_wait: Callable[[Member], bool] = lambda s: s.disk != Disk(s.term, s.vote, s.log, s.snap)
    installs: Callable[[Member, Snapshot], bool] = lambda s, m: len(m.prefix) > s.commit
    installed_log: Callable[[Member, Snapshot], Log] = lambda s, m: (
        s.log if s.log[: len(m.prefix)] == m.prefix else m.prefix
    )
    snapped: Callable[[Member, Snapshot], int] = lambda s, m: len(m.prefix)
    checkpoint_at: Callable[[Member], int] = lambda s: s.commit
