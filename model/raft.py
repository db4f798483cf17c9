"""One member of a Raft group: election, replication, reads, snapshots, and what its disk keeps.

The rules are those of Ongaro and Ousterhout 2014 (sections cited as §n) and of Ongaro's thesis
(pre-vote §9.6, check-quorum §6.2, ReadIndex §6.4), as semantics.md §4 settles them for stream
tables. A log is a tuple of terms: the first entry of a term is its no-op, and (index, term)
identifies an entry.
Index 0 lies before the log; entry i is `log[i - 1]`. Entries up to `snap` are in the snapshot: the
tuple keeps them so that content can be compared, no rule reads them but through the snapshot.

Time is abstracted: a timeout may fire whenever it is armed, and `fresh` (a leader was heard from
within the least election timeout) may lapse at any moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .actor import Note, Receive, Step
from .raft_rules import Rules
from .raft_types import (
    NOBODY,
    Append,
    AppendReply,
    Ask,
    Compact,
    Crash,
    Disk,
    Event,
    Fsync,
    Heartbeat,
    Log,
    Member,
    Message,
    Offer,
    Options,
    Own,
    PreVote,
    PreVoteReply,
    Read,
    Replicate,
    Role,
    Send,
    Snapshot,
    TakeBack,
    Vote,
    VoteReply,
    last_term,
    majority,
    term_at,
    with_vote,
)


@dataclass(frozen=True)
class RaftMember:
    """The actor: `Options` bound it, `Rules` decide."""

    options: Options
    rules: Rules = field(default_factory=Rules)

    def initial(self, node: int) -> Member:
        return self.recover(node, Disk())

    def durable(self, state: Member) -> Disk:
        return state.disk

    def recover(self, node: int, durable: Disk) -> Member:
        """A restart knows the disk and nothing else (Figure 2)."""
        disk = self.rules.survives(durable)
        n = self.options.members
        return Member(
            node, disk.term, disk.vote, Role.FOLLOWER, disk.log, disk.snap, disk.snap,
            (), (0,) * n, (0,) * n, False, frozenset(), 0, None, disk, frozenset(),
        )  # fmt: skip

    def events(self, state: Member) -> Iterator[Event]:
        yield from Own
        yield from (Replicate(peer) for peer in self._peers(state))
        if self.options.heartbeats:
            yield from (Heartbeat(peer) for peer in self._peers(state))

    def step(self, state: Member, event: Event) -> Step | None:
        match event:
            case Receive(message):
                return self._receive(state, message)
            case Replicate(peer):
                return self._replicate(state, peer)
            case Heartbeat(peer):
                return self._heartbeat(state, peer)
            case Own.TIMEOUT:
                return self._timeout(state)
            case Own.LAPSE:
                return Step(state._replace(fresh=False)) if state.fresh else None
            case Own.REQUEST:
                return self._request(state)
            case Own.READ:
                return self._read(state)
            case Own.QUORUM:
                return self._check_quorum(state)
            case Own.FSYNC:
                return self._fsync(state)
            case Own.CHECKPOINT:
                return self._checkpoint(state)
            case Send() | Compact() | Offer() | Fsync() | Crash() | Ask() | TakeBack():
                return None  # Events of members as they are built.

    # Elections (§5.2, §9.6).

    def _timeout(self, s: Member) -> Step | None:
        if s.role is Role.LEADER or s.term >= self.options.terms or s.fresh:
            return None
        if not self.options.prevote or self.options.members == 1:
            return self._campaign(s)
        asks = tuple(
            PreVote(s.me, peer, s.term + 1, last_term(s.log), len(s.log)) for peer in self._peers(s)
        )
        return self._out(s._replace(role=Role.PRECANDIDATE, votes=(s.me,)), asks)

    def _campaign(self, s: Member, notes: tuple[Note, ...] = ()) -> Step:
        s = s._replace(term=s.term + 1, vote=s.me, role=Role.CANDIDATE, votes=(s.me,), fresh=False)
        if self.options.members == 1:
            return self._lead(s)  # its own vote is a majority
        asks = tuple(
            Vote(s.me, peer, s.term, last_term(s.log), len(s.log)) for peer in self._peers(s)
        )
        return self._out(s, asks, notes)

    def _lead(self, s: Member) -> Step:
        """§8: a new leader appends a no-op, to learn what is committed."""
        n = self.options.members
        s = s._replace(
            role=Role.LEADER, votes=(), next=(len(s.log) + 1,) * n, match=(0,) * n,
            heard=frozenset(), rounds=self.rules.rounds_at_first(s), read=None, fresh=False,
        )  # fmt: skip
        opened = s._replace(log=s.log + self.rules.opening(s))
        return self._out(opened, (), (("elected", s.me, s.term, s.log),))

    def _follow(self, s: Member, term: int) -> Member:
        """Become a follower, in a newer term without a vote."""
        if s.role is Role.FOLLOWER and term == s.term:
            return s  # as the last time: what it resets, only other roles set
        n = self.options.members
        vote = s.vote if term == s.term else NOBODY
        return s._replace(
            term=term, vote=vote, role=Role.FOLLOWER, votes=(), next=(0,) * n,
            match=(0,) * n, heard=frozenset(), read=None,
        )  # fmt: skip

    def _on_prevote(self, s: Member, m: PreVote) -> Step | None:
        if (s.fresh or s.role is Role.LEADER) and not self.rules.answers_leased(s, m):
            return None
        granted = m.term > s.term and self.rules.up_to_date(s.log, m.last_term, m.last_index)
        return self._reply(s, PreVoteReply(s.me, m.src, m.term if granted else s.term, granted))

    def _on_prevote_reply(self, s: Member, m: PreVoteReply) -> Step | None:
        if s.role is not Role.PRECANDIDATE or not m.granted or m.term != s.term + 1:
            return None
        votes = with_vote(s, m.src)
        if len(votes) >= majority(self.options.members):
            return self._campaign(s)
        return Step(s._replace(votes=votes))

    def _on_vote(self, s: Member, m: Vote) -> Step | None:
        rules = self.rules
        granted = (
            m.term == s.term
            and rules.may_vote(s, m)
            and rules.up_to_date(s.log, m.last_term, m.last_index)
        )
        if granted:
            s = s._replace(vote=m.src)
        return self._out(s, (VoteReply(s.me, m.src, s.term, granted),))

    def _on_vote_reply(self, s: Member, m: VoteReply) -> Step | None:
        if s.role is not Role.CANDIDATE or not m.granted or not self.rules.counts_vote(s, m):
            return None
        votes = self.rules.voters(s, m)
        if self.rules.wins(len(votes), self.options.members):
            return self._lead(s._replace(votes=votes))
        return Step(s._replace(votes=votes)) if votes != s.votes else None

    # Replication (§5.3, §5.4).

    def _request(self, s: Member) -> Step | None:
        if not self.rules.accepts_request(s) or not self._has_room(s):
            return None
        return self._out(s._replace(log=self.rules.requested(s)), ())

    def _has_room(self, s: Member) -> bool:
        """A bound of the exploration: so many requests are in the log at once."""
        return len(s.log) - len(set(s.log)) < self.options.entries

    def _replicate(self, s: Member, peer: int) -> Step | None:
        if s.role is not Role.LEADER or not self.rules.replicates(s, peer):
            return None
        prev = s.next[peer] - 1
        if prev < s.snap:
            return Step(s, (Snapshot(s.me, peer, s.term, s.log[: s.snap]),))
        return self._send(s, peer, prev, s.log[prev : prev + self.options.batch])

    def _heartbeat(self, s: Member, peer: int) -> Step | None:
        if s.role is not Role.LEADER or s.match[peer] < s.snap:
            return None
        return self._send(s, peer, s.match[peer], ())

    def _send(self, s: Member, peer: int, prev: int, entries: Log) -> Step:
        commit = self.rules.told(s, prev + len(entries))
        round_ = self.rules.asked_round(s)
        message = Append(s.me, peer, s.term, prev, term_at(s.log, prev), entries, commit, round_)
        return Step(s, (message,))

    def _on_append(self, s: Member, m: Append) -> Step | None:
        if self.rules.is_stale(s, m.term):
            return self._reply(s, AppendReply(s.me, m.src, s.term, False, 0, 0))
        if s.role is Role.LEADER:
            return None
        s = self._follow(s, s.term)
        if s.fresh is not self._leased():
            s = s._replace(fresh=self._leased())
        if not self.rules.fits(s, m):
            hint = self.rules.hint(s, m)
            return self._out(s, (AppendReply(s.me, m.src, s.term, False, hint, m.round),))
        log = self.rules.merged(s, m)
        commit = self.rules.follower_commit(s, m)
        is_news = log is not s.log or commit != s.commit
        after = s._replace(log=log, commit=commit) if is_news else s
        reply = AppendReply(s.me, m.src, s.term, True, self.rules.acknowledged(after, m), m.round)
        return self._out(after, (reply,), self._committed(s, after))

    def _on_append_reply(self, s: Member, m: AppendReply) -> Step | None:
        if s.role is not Role.LEADER or m.term != s.term:
            return None
        j = m.src
        heard = s.heard | {j} if self.options.quorum else s.heard
        match = s.match
        if m.success:
            match = _with(match, j, self.rules.new_match(match[j], m))
            following = max(s.next[j], match[j] + 1)
        else:
            following = self.rules.backed_off(s, m)
        after = s._replace(heard=heard, match=match, next=_with(s.next, j, following))
        return self._confirm(self._advance(after), s, m)

    def _advance(self, s: Member) -> Member:
        """§5.4.2: commit by counting, and only entries of the leader's own term."""
        for n in self.rules.scanned(s):
            have = sum(
                (self.rules.own_match(s) if j == s.me else s.match[j]) >= n
                for j in range(self.options.members)
            )
            if self.rules.commit_quorum(have, self.options.members) and self.rules.committable(
                s, n
            ):
                return s._replace(commit=n)
        return s

    @staticmethod
    def _committed(before: Member, after: Member) -> tuple[Note, ...]:
        if after.commit == before.commit:
            return ()
        return (("commit", after.me, after.term, after.log[: after.commit]),)

    # Reads (§6.4).

    def _read(self, s: Member) -> Step | None:
        if s.role is not Role.LEADER or s.read is not None or not self.rules.may_read(s):
            return None
        if s.rounds >= self.options.reads:
            return None
        read = Read(s.commit, s.rounds + 1, frozenset({s.me}))
        begun = s._replace(read=read, rounds=s.rounds + 1)
        begin: Note = ("read", s.me, s.term)
        if self.rules.read_quorum(begun, 1):
            return Step(begun._replace(read=None), (), (begin, ("answer", s.me, s.term, s.commit)))
        return Step(begun, (), (begin,))

    def _confirm(self, s: Member, before: Member, m: AppendReply) -> Step:
        notes = self._committed(before, s)
        read = s.read
        if read is not None and m.round == read.round:
            acks = read.acks | {m.src}
            s = s._replace(read=read._replace(acks=acks))
            if self.rules.read_quorum(s, len(acks)):
                s = s._replace(read=None)
                notes += (("answer", s.me, s.term, read.at),)
        return Step(s, (), notes)

    def _check_quorum(self, s: Member) -> Step | None:
        """§6.2: a leader that a majority does not answer steps down."""
        if not self.options.quorum or s.role is not Role.LEADER:
            return None
        if len(s.heard) + 1 >= majority(self.options.members):
            return Step(s._replace(heard=frozenset()))
        return Step(self._follow(s, s.term))

    # The disk.

    def _reply(self, s: Member, reply: Message) -> Step:
        """Answer without a change of state: nothing needs the disk."""
        return Step(s, (reply,))

    def _out(self, s: Member, replies: tuple[Message, ...], notes: tuple[Note, ...] = ()) -> Step:
        """Persist before replying: at once, or (`sync`) when the disk says so."""
        if not self.options.sync:
            s = s._replace(disk=self.rules.saved(s))
            if s.role is Role.LEADER:
                after = self._advance(s)
                return Step(after, replies, notes + self._committed(s, after))
            return Step(s, replies, notes)
        if s.pending or self.rules.replies_wait(s):
            return Step(s._replace(pending=s.pending | set(replies)), (), notes)
        return Step(s, replies, notes)

    def _fsync(self, s: Member) -> Step | None:
        if not self.options.sync or (self.rules.saved(s) == s.disk and not s.pending):
            return None
        after = s._replace(disk=self.rules.saved(s), pending=frozenset())
        if after.role is Role.LEADER:
            after = self._advance(after)
        return Step(after, tuple(sorted(s.pending, key=repr)), self._committed(s, after))

    def _checkpoint(self, s: Member) -> Step | None:
        """§7, HS-10: only what is committed, and durable, leaves the log."""
        at = self.rules.checkpoint_at(s)
        if not self.options.checkpoints or at <= s.snap or at > len(s.disk.log):
            return None
        after = s._replace(snap=at)
        return Step(after._replace(disk=after.disk._replace(snap=at)), cost="checkpoint")

    def _on_snapshot(self, s: Member, m: Snapshot) -> Step | None:
        if self.rules.is_stale(s, m.term):
            return self._reply(s, AppendReply(s.me, m.src, s.term, False, 0, 0))
        if s.role is Role.LEADER:
            return None
        s = self._follow(s, s.term)._replace(fresh=self._leased())
        index = len(m.prefix)
        if not self.rules.installs(s, m):
            return self._out(s, (AppendReply(s.me, m.src, s.term, True, s.commit, 0),))
        log, snap = self.rules.installed_log(s, m), self.rules.snapped(s, m)
        after = s._replace(log=log, snap=snap, commit=index)
        reply = AppendReply(s.me, m.src, s.term, True, index, 0)
        committed: Note = ("commit", s.me, s.term, m.prefix)
        installed = (("installed", s.me),) if snap > s.snap else ()
        return self._out(after, (reply,), (committed, *installed))

    # Every message: a newer term makes a follower (§5.1).

    def _receive(self, s: Member, m: Message) -> Step | None:
        if isinstance(m, PreVote):
            return self._on_prevote(s, m)
        if isinstance(m, PreVoteReply) and m.granted:
            return self._on_prevote_reply(s, m)
        if m.term <= s.term:
            return self._handle(s, m)
        if isinstance(m, Vote) and (s.fresh or (s.role is Role.LEADER and self._leased())):
            return None
        s = self._follow(s, m.term)._replace(fresh=self.rules.lease_in_newer_term(s))
        return self._handle(s, m) or self._out(s, ())

    def _handle(self, s: Member, m: Message) -> Step | None:
        match m:
            case Vote():
                return self._on_vote(s, m)
            case VoteReply():
                return self._on_vote_reply(s, m)
            case Append():
                return self._on_append(s, m)
            case AppendReply():
                return self._on_append_reply(s, m)
            case Snapshot():
                return self._on_snapshot(s, m)
        return None

    def _leased(self) -> bool:
        """Whether members refuse votes while they hear from a leader."""
        return self.options.prevote or self.options.quorum

    def _peers(self, s: Member) -> tuple[int, ...]:
        return tuple(j for j in range(self.options.members) if j != s.me)


def _with(values: tuple[int, ...], at: int, value: int) -> tuple[int, ...]:
    return (*values[:at], value, *values[at + 1 :])
