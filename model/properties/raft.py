"""What a Raft group promises: the predicates of model-notes §4, each with its source.

Where a predicate can be read off one step of one member it is a step property: that costs nothing
and fires many steps before the damage is global.
"""

from typing import Any

from ..actor import Broken, Fault, Kind, Property, Receive, Scope, Step
from ..raft_types import (
    NOBODY,
    Append,
    AppendReply,
    Crash,
    Log,
    Member,
    Own,
    Role,
    Snapshot,
    TakeBack,
    Vote,
    VoteReply,
    last_term,
    majority,
    term_at,
)


def is_crash(event: Any) -> bool:
    """Whether the member forgets what its disk does not hold."""
    return event is Fault.CRASH or isinstance(event, Crash)


def is_prefix(short: Log, long: Log) -> bool:
    return long[: len(short)] == short


class Elections:
    """Ghost: who won which term (S1), and whether winners know what was committed before (S5).

    State: winners as (term, member); the committed log; for each of its entries the least term in
    which anybody knew it to be committed.
    """

    name = "elections"

    def initial(self) -> tuple[tuple[tuple[int, int], ...], Log, Log]:
        return ((), (), ())

    def observe(self, state: Any, note: Any) -> Any:
        winners, committed, since = state
        if note[0] == "elected":
            _, node, term, log = note
            before = dict(winners).get(term)
            if before not in (None, node):
                return Broken("election-safety", f"two members lead in term {term}")
            owed = tuple(e for e, t in zip(committed, since, strict=True) if t < term)
            if not is_prefix(owed, log):
                return Broken(
                    "leader-completeness", f"a leader of term {term} lacks entries of {owed}"
                )
            return (tuple(sorted({*winners, (term, node)})), committed, since)
        if note[0] == "commit":
            _, _, term, prefix = note
            if not is_prefix(committed, prefix) and not is_prefix(prefix, committed):
                return Broken(
                    "state-machine-safety", f"{prefix} is committed where {committed} was"
                )
            longest = max(committed, prefix, key=len)
            known = (*since, *(term,) * (len(longest) - len(since)))
            since = tuple(min(t, term) if at < len(prefix) else t for at, t in enumerate(known))
            return (winners, longest, since)
        return state


class Reads:
    """Ghost: a read answers with at least what was committed when it began (S18)."""

    name = "reads"

    def initial(self) -> tuple[int, tuple[tuple[int, int, int], ...]]:
        return (0, ())

    def observe(self, state: Any, note: Any) -> Any:
        committed, begun = state
        if note[0] == "commit":
            return (max(committed, len(note[3])), begun)
        if note[0] == "read":
            _, node, term = note
            others = tuple(b for b in begun if b[0] != node)
            return (committed, tuple(sorted((*others, (node, term, committed)))))
        if note[0] == "answer":
            _, node, term, index = note
            asked = next(b for b in begun if b[:2] == (node, term))
            if index < asked[2]:
                return Broken(
                    "linearizable-reads",
                    f"a read answers at index {index}, {asked[2]} was committed before",
                )
            return (committed, tuple(b for b in begun if b is not asked))
        return state


def _after(step: Step) -> Member:
    after = step.state
    assert isinstance(after, Member)
    return after


def term_never_falls(s: Member, event: Any, step: Step) -> bool:
    """S12: terms only grow, on disk as well."""
    after = _after(step)
    return after.disk.term >= s.disk.term and (is_crash(event) or after.term >= s.term)


def one_vote_per_term(s: Member, event: Any, step: Step) -> bool:
    """S2, §5.2: "Each server will vote for at most one candidate in a given term"."""
    after = _after(step).disk
    kept = after.term == s.disk.term and s.disk.vote != NOBODY
    return not kept or after.vote == s.disk.vote


def votes_for_the_up_to_date(s: Member, event: Any, step: Step) -> bool:
    """S15, §5.4.1: the voter denies its vote if its own log is more up-to-date."""
    if not (isinstance(event, Receive) and isinstance(event.message, Vote)):
        return True
    m, after = event.message, _after(step)
    granted = after.vote == m.src and (after.term, after.vote) != (s.term, s.vote)
    return not granted or (m.last_term, m.last_index) >= (last_term(s.log), len(s.log))


def leader_append_only(s: Member, event: Any, step: Step) -> bool:
    """S3, §5.3: "a leader never overwrites or deletes entries in its log"."""
    after = _after(step)
    stays = s.role is after.role is Role.LEADER and s.term == after.term
    return not stays or is_prefix(s.log, after.log)


def commit_never_falls(s: Member, event: Any, step: Step) -> bool:
    """S7: the commit index is monotone, inside the log, and at least the snapshot's."""
    after = _after(step)
    grows = is_crash(event) or after.commit >= s.commit
    return grows and after.snap <= after.commit <= len(after.log)


def committed_prefix_stays(s: Member, event: Any, step: Step) -> bool:
    """S8: no step touches what the member knows to be committed."""
    if is_crash(event):
        return True
    return is_prefix(s.log[: s.commit], _after(step).log)


def commits_own_term(s: Member, event: Any, step: Step) -> bool:
    """S9, §5.4.2: "only log entries from the leader's current term are committed by counting"."""
    after = _after(step)
    leads = s.role is after.role is Role.LEADER and after.commit > s.commit
    return not leads or term_at(after.log, after.commit) == after.term


def truncates_only_on_conflict(s: Member, event: Any, step: Step) -> bool:
    """S16, §5.3: entries go only where an existing entry conflicts with a new one."""
    after = _after(step).log
    if is_crash(event) or is_prefix(s.log, after):
        return True
    if not isinstance(event, Receive) or isinstance(event.message, Snapshot):
        return isinstance(event, Receive)
    assert isinstance(event.message, Append)
    m = event.message
    conflicts = (
        at
        for at, term in enumerate(m.entries, start=m.prev + 1)
        if at <= len(s.log) and term_at(s.log, at) != term
    )
    first = next(conflicts, None)
    return first is not None and first > s.commit and is_prefix(s.log[: first - 1], after)


def match_never_falls(s: Member, event: Any, step: Step) -> bool:
    """S13: within a term a leader's match indices grow, unless it takes one back, and next stays
    beyond them.
    """
    after = _after(step)
    if not (s.role is after.role is Role.LEADER and s.term == after.term):
        return True
    grown = isinstance(event, TakeBack) or all(
        b >= a for a, b in zip(s.match, after.match, strict=True)
    )
    return grown and all(
        match < nxt <= len(after.log) + 1
        for j, (match, nxt) in enumerate(zip(after.match, after.next, strict=True))
        if j != s.me
    )


def only_leaders_write(s: Member, event: Any, step: Step) -> bool:
    """HS-6: a follower never accepts a producer's write."""
    return event is not Own.REQUEST or s.role is Role.LEADER


def terms_in_order(s: Member, event: Any, step: Step) -> bool:
    """S14: terms in a log never fall and never exceed the member's own."""
    log, term = _after(step).log, _after(step).term
    return list(log) == sorted(log) and last_term(log) <= term


def snapshot_is_committed(s: Member, event: Any, step: Step) -> bool:
    """S17, HS-10: a snapshot covers committed, durable entries only, and never shrinks.

    A crash takes one back that was not yet on the disk; that of the disk stays.
    """
    after = _after(step)
    stays = s.disk.snap <= after.disk.snap if is_crash(event) else s.snap <= after.snap
    return stays and after.snap <= after.commit and after.disk.snap <= len(after.disk.log)


def persisted_before_reply(m: Any, s: Member, after: Member) -> bool:
    """S11: what a reply promises is on the disk when it is sent."""
    if isinstance(m, VoteReply) and m.granted:
        return after.disk.term > m.term or after.disk[:2] == (m.term, m.dst)
    if isinstance(m, Vote):
        return after.disk.term > m.term or after.disk[:2] == (m.term, m.src)
    if isinstance(m, AppendReply) and m.success:
        return len(after.disk.log) >= m.match and after.disk.term >= m.term
    return True


def one_leader_per_term(a: Member, b: Member) -> bool:
    """S1, HS-1: two leaders are leaders of different terms."""
    return not (a.role is b.role is Role.LEADER) or a.term != b.term


def log_matching(a: Member, b: Member) -> bool:
    """S4, §5.3: equal term at an index means equal logs up to there."""
    for k in range(min(len(a.log), len(b.log)), 0, -1):
        if a.log[k - 1] == b.log[k - 1]:
            return a.log[:k] == b.log[:k]
    return True


def committed_rows_agree(a: Member, b: Member) -> bool:
    """S6, HS-4, HS-5: two members never show different rows at one committed offset."""
    shared = min(a.commit, b.commit)
    return a.log[:shared] == b.log[:shared]


def matches_are_true(leader: Member, peer: Member) -> bool:
    """S13: what a leader believes a peer to hold is on that peer's disk."""
    if leader.role is not Role.LEADER or peer.term > leader.term:
        return True
    match = leader.match[peer.me]
    return leader.log[:match] == peer.disk.log[:match]


def committed_is_durable(members: tuple[Member, ...]) -> bool:
    """S10, HS-2: what anyone knows to be committed is on the disks of a majority."""
    needed = majority(len(members))
    return all(
        sum(is_prefix(s.log[: s.commit], peer.disk.log) for peer in members) >= needed
        for s in members
        if s.commit
    )


def overwrites(s: Member, event: Any, step: Step) -> bool:
    """An entry of an old term gives way."""
    return not is_crash(event) and not is_prefix(s.log, _after(step).log)


def commits_old_term_indirectly(s: Member, event: Any, step: Step) -> bool:
    """§5.4.2: an entry of an older term is committed together with one of the leader's own."""
    after = _after(step)
    leads = s.role is after.role is Role.LEADER and after.commit > s.commit
    return leads and any(t < after.term for t in after.log[s.commit : after.commit])


def everybody_agrees(members: tuple[Member, ...]) -> bool:
    """A leader leads, and every member that is up holds and has committed all that it has.

    HS-22, HS-23: so a leader was elected, and writes work. HS-20, HS-25: so whoever was behind has
    caught up.
    """
    leaders = [s for s in members if s.role is Role.LEADER]
    return any(
        leader.commit == len(leader.log)
        and all(
            s.term == leader.term and s.log == leader.log and s.commit == leader.commit
            for s in members
        )
        for leader in leaders
    )


def no_read_waits(members: tuple[Member, ...]) -> bool:
    """HS-22 for reads: each was answered, or its leader knows that it leads no more."""
    return all(s.read is None for s in members)


_A, _S, _E = Kind.ALWAYS, Kind.SOMETIMES, Kind.EVENTUALLY

ALWAYS = (
    Property("term-never-falls", _A, Scope.STEP, term_never_falls, ("HS-1",), "S12"),
    Property("one-vote-per-term", _A, Scope.STEP, one_vote_per_term, ("HS-1",), "S2, §5.2"),
    Property(
        "up-to-date-votes", _A, Scope.STEP, votes_for_the_up_to_date, ("HS-2",), "S15, §5.4.1"
    ),
    Property("leader-append-only", _A, Scope.STEP, leader_append_only, ("HS-4",), "S3, §5.3"),
    Property("commit-never-falls", _A, Scope.STEP, commit_never_falls, ("HS-4",), "S7"),
    Property("committed-prefix-stays", _A, Scope.STEP, committed_prefix_stays, ("HS-2",), "S8"),
    Property("commits-own-term", _A, Scope.STEP, commits_own_term, ("HS-2",), "S9, §5.4.2"),
    Property("truncates-on-conflict", _A, Scope.STEP, truncates_only_on_conflict, ("HS-2",), "S16"),
    Property("match-never-falls", _A, Scope.STEP, match_never_falls, ("HS-3",), "S13"),
    Property("only-leaders-write", _A, Scope.STEP, only_leaders_write, ("HS-6",), "S4 §3.1"),
    Property("terms-in-order", _A, Scope.STEP, terms_in_order, ("HS-4",), "S14"),
    Property("snapshot-is-committed", _A, Scope.STEP, snapshot_is_committed, ("HS-10",), "S17"),
    Property("persisted-before-reply", _A, Scope.MESSAGE, persisted_before_reply, ("HS-3",), "S11"),
    Property("one-leader-per-term", _A, Scope.PAIR, one_leader_per_term, ("HS-1",), "S1, §5.2"),
    Property("log-matching", _A, Scope.PAIR, log_matching, ("HS-4",), "S4, §5.3"),
    Property("committed-rows-agree", _A, Scope.PAIR, committed_rows_agree, ("HS-4", "HS-5"), "S6"),
    Property("matches-are-true", _A, Scope.PAIR, matches_are_true, ("HS-3",), "S13"),
    Property("committed-is-durable", _A, Scope.TUPLE, committed_is_durable, ("HS-2",), "S10"),
    Property("election-safety", _A, Scope.OBSERVER, None, ("HS-1",), "S1, §5.2"),
    Property("leader-completeness", _A, Scope.OBSERVER, None, ("HS-2",), "S5, §5.4"),
    Property("state-machine-safety", _A, Scope.OBSERVER, None, ("HS-4", "HS-5"), "S6, §5.4.3"),
)
"""Promises of every configuration."""

READ_SAFETY = Property("linearizable-reads", _A, Scope.OBSERVER, None, ("HS-4",), "S18, §6.4")

ELECTED = Property(
    "a leader is elected", _S, Scope.STEP, lambda s, e, t: _after(t).role is Role.LEADER
)
COMMITTED = Property("an entry is committed", _S, Scope.STEP, lambda s, e, t: _after(t).commit > 0)
OVERWRITTEN = Property("an entry of an old term is overwritten", _S, Scope.STEP, overwrites)
INDIRECT = Property(
    "an entry of an old term is committed indirectly", _S, Scope.STEP, commits_old_term_indirectly
)
INSTALLED = Property(
    "a snapshot is installed", _S, Scope.STEP, lambda s, e, t: ("installed", s.me) in t.notes
)
CONFIRMED = Property(
    "a read is confirmed", _S, Scope.STEP, lambda s, e, t: any(n[0] == "answer" for n in t.notes)
)
STEPPED_DOWN = Property(
    "a leader without a majority steps down",
    _S,
    Scope.STEP,
    lambda s, e, t: e is Own.QUORUM and _after(t).role is not Role.LEADER,
)
CONVERGED = Property(
    "the group converges", _E, Scope.TUPLE, everybody_agrees, ("HS-20", "HS-22", "HS-23", "HS-25")
)
READS_END = Property("every read ends", _E, Scope.TUPLE, no_read_waits, ("HS-22",))
