"""A member's step with everything that has no bound left out: where it stood, what it was given.

Many steps are the same local step; a schedule that leads to one that no other did is new.
"""

from typing import Any

from ....model.actor import Receive
from ....model.raft_group import event_name
from ....model.raft_types import (
    NOBODY,
    Append,
    AppendReply,
    Compact,
    Event,
    Fsync,
    Log,
    Member,
    Message,
    PreVote,
    Role,
    Send,
    Snapshot,
    Vote,
    last_term,
    majority,
    term_at,
)

LocalStep = tuple[Any, ...]
"""Words and small numbers: equal for steps that are the same but for their size."""

LAG_MAX = 2
"""So many writes that no sync has covered are told apart."""


def local_step(before: Member, event: Event) -> LocalStep:
    """The local step that this is."""
    return (*_where(before), event_name(event), *_what(before, event))


def told(step: LocalStep) -> str:
    """In words, for people and for JSON."""
    return ", ".join(str(word) for word in step)


def _where(s: Member) -> LocalStep:
    vote = "no vote" if s.vote == NOBODY else "own vote" if s.vote == s.me else "vote"
    end = last_term(s.log)
    log = "no log" if not end else "log of the term" if end == s.term else "older log"
    commit = "nothing committed" if not s.commit else _size("committed", s.commit, len(s.log))
    return (
        s.role.value,
        vote,
        log,
        commit,
        f"{min(len(s.queue), LAG_MAX)} unsynced",
        "whole log" if not s.snap else "log behind a snapshot",
        "term on disk" if s.disk.term == s.term else "term not on disk",
        "lease" if s.fresh else "no lease",
        *_leading(s),
    )


def _leading(s: Member) -> LocalStep:
    if s.role is not Role.LEADER:
        return (f"{len(s.votes)} votes",) if s.role is not Role.FOLLOWER else ()
    others = [match for peer, match in enumerate(s.match) if peer != s.me]
    abreast = sum(match == len(s.log) for match in others)
    most = majority(len(s.match)) - 1
    return (
        "all abreast" if abreast == len(others) else _size("abreast", abreast, most),
        "heard most" if len(s.heard) >= most else "heard few",
        "reads" if s.read is not None else "no read",
    )


def _size(name: str, found: int, whole: int) -> str:
    return f"{name}: all" if found >= whole else f"{name}: some" if found else f"{name}: none"


def _what(s: Member, event: Event) -> LocalStep:
    match event:
        case Receive(message):
            return (_order("term", message.term, s.term), *_message(s, message))
        case Fsync(writes):
            return ("all synced" if writes == len(s.queue) else "some synced",)
        case Compact(at):
            return (_size("log", at, len(s.log)),)
        case Send(peer, prev, count):
            return (
                _order("from", prev, s.match[peer]),
                "nothing" if not count else _size("log", prev + count, len(s.log)),
            )
    return ()


def _message(s: Member, m: Message) -> LocalStep:
    match m:
        case PreVote() | Vote():
            theirs, ours = (m.last_term, m.last_index), (last_term(s.log), len(s.log))
            return (_order("their log", theirs, ours), "voted for" if s.vote == m.src else "")
        case Append():
            return (
                _agreement(s.log, m.prev, m.prev_term),
                _entries(s.log, m),
                _order("their commit", m.commit, s.commit),
                "round" if m.round else "",
            )
        case Snapshot(prefix=prefix):
            return (
                _agreement(s.log, len(prefix), last_term(prefix)),
                _order("snapshot", len(prefix), s.commit),
            )
        case AppendReply() if s.role is Role.LEADER:
            return (
                _order("match", m.match, s.match[m.src]),
                "" if s.read is None else _order("round", m.round, s.read.round),
            )
    return ()


def _agreement(log: Log, index: int, term: int) -> str:
    if index > len(log):
        return "beyond the log"
    if term_at(log, index) != term:
        return "against the log"
    return "at the end" if index == len(log) else "inside the log"


def _entries(log: Log, m: Append) -> str:
    if not m.entries:
        return "no entries"
    known = log[m.prev : m.prev + len(m.entries)]
    if known != m.entries[: len(known)]:
        return "entries against the log"
    if len(known) == len(m.entries):
        return "known entries"
    return "new entries" if not known else "known and new entries"


def _order(name: str, theirs: Any, ours: Any) -> str:
    sign = "=" if theirs == ours else "<" if theirs < ours else ">"
    return f"{name} {sign}"
