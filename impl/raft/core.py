"""Raft without I/O: events in, Ready out.

Rule 1: everything that changes Raft state is here, or in the parts that a core owns alone: its log
and, while it leads, its leadership. Rule 2: no clock, disk, socket or randomness is known here;
time arrives as TimerFired, and the driver draws the election timeout. Rule 3: what is said is
durable. Answers and candidacies wait in `after_persist` for the disk; only what promises nothing
new (`messages`) overtakes it: a leader's disk is one voice of many and works in parallel with the
others (thesis §10.2.1). The driver owes what `Ready` lists, in that order.

Sections (§) are those of Ongaro and Ousterhout, 2014; "thesis" is Ongaro's of the same year.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from ..bugs import FOLLOWER_ACK_BEFORE_FSYNC, OLD_SNAPSHOT_INSTALLED, VOTE_TWICE
from .following import Taken, add, take_entries, take_snapshot
from .leadership import Leadership
from .log import Log
from .messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    HardState,
    Kind,
    Message,
    SnapshotRequest,
    VoteRequest,
    VoteResponse,
)
from .poll import Poll
from .progress import Progress, Window
from .ready import (
    Compacted,
    Event,
    Persisted,
    Proposed,
    ReadRequested,
    Ready,
    Received,
    Role,
    Timer,
    TimerFired,
)
from .terms import Runs

ELECTION = frozenset({Timer.ELECTION})
LEASE = frozenset({Timer.LEASE})
HEARTBEAT = frozenset({Timer.HEARTBEAT})
QUORUM = frozenset({Timer.QUORUM})
FOLLOWING = ELECTION | LEASE
LEADING = HEARTBEAT | QUORUM


class Core:
    """One member of one group. Attributes are for reading: traces and conformance look at them.

    # Invariant: no term in the log is above `term`; in a term `vote` changes from None only.
    # Invariant: `leading` is there exactly while this member leads.
    """

    def __init__(
        self,
        member: str,
        members: Sequence[str],
        hard_state: HardState,
        log: Log,
        *,
        bugs: frozenset[str],
        window: Window,
    ) -> None:
        assert member in members
        assert len(set(members)) == len(members)
        assert hard_state.term >= log.last_term, "the log knows a term that the member forgot"
        self.member = member
        self.members = tuple(sorted(members))
        self.peers = tuple(m for m in self.members if m != member)
        self.majority = len(self.members) // 2 + 1
        self.bugs = bugs
        self.window = window
        self.term = hard_state.term
        self.vote = hard_state.vote
        self.role = Role.FOLLOWER
        self.leader: str | None = None
        self.lease = False
        self.log = log
        self.poll: Poll | None = None
        self.leading: Leadership | None = None
        self._saved = hard_state
        self._ready = Ready()

    @classmethod
    def recover(
        cls,
        member: str,
        members: Sequence[str],
        hard_state: HardState,
        entries: Iterable[Entry],
        bugs: frozenset[str] = frozenset(),
        window: Window | None = None,
        base: Runs = (),
    ) -> "Core":
        """A follower as its disk remembers it; what is committed behind `base` it learns anew.

        The driver arms ELECTION. `bugs` are names from `bugs.BUGS`.
        """
        log = Log(entries, base)
        return cls(member, members, hard_state, log, bugs=bugs, window=window or Window())

    @property
    def commit(self) -> int:
        """How far the log is known to be committed."""
        return self.log.commit

    @property
    def durable(self) -> int:
        """How far this member's disk has reported to hold the log."""
        return self.log.durable

    @property
    def votes(self) -> set[str]:
        """Who has granted what this member asks for; empty if it asks for nothing."""
        return self.poll.voters if self.poll is not None else set()

    @property
    def progress(self) -> Mapping[str, Progress]:
        """What a leader knows of its peers; empty for all others."""
        return self.leading.progress if self.leading is not None else {}

    def step(self, event: Event) -> Ready:
        """Take one event; the answer must be carried out before that of the next step."""
        ready = self._ready = Ready()
        log, commit = self.log, self.log.commit
        role, term, leader = self.role, self.term, self.leader
        match event:
            case Received(message):
                self._on_message(message)
            case Persisted(index, its_term):
                if self.log.persisted(index, its_term) and self.leading is not None:
                    self.leading.reported()
            case Proposed(entries):
                self._propose(entries)
            case ReadRequested(tokens):
                self._request_read(tokens)
            case Compacted(index):
                self._compact(index)
            case TimerFired(timer):
                self._on_timer(timer)
            case _:
                assert_never(event)
        assert self.term >= term
        assert log.commit >= commit or OLD_SNAPSHOT_INSTALLED in self.bugs
        ready.commit = log.commit
        ready.commit_advanced = log.commit > commit
        ready.role_changed = self.role is not role or self.term != term or self.leader != leader
        if self.leading is not None:
            assert not ready.messages
            ready.messages, self.leading.messages = self.leading.messages, []
            ready.reads, self.leading.confirmed = self.leading.confirmed, []
            ready.lost, self.leading.lost = self.leading.lost, None
        self._keep_hard_state()
        self._assert_invariants()
        return ready

    # Time.

    def _on_timer(self, timer: Timer) -> None:
        match timer:
            case Timer.LEASE:
                self.lease = False
            case Timer.ELECTION:
                if self.leading is None:
                    self._ask_around()
            case Timer.HEARTBEAT:
                if self.leading is not None:
                    self._ready.start(HEARTBEAT)
                    self.leading.beat()
            case Timer.QUORUM:
                # V6: a leader that a majority does not answer must not go on believing.
                if self.leading is not None and self.leading.has_quorum():
                    self._ready.start(QUORUM)
                elif self.leading is not None:
                    self._follow(None)

    # Elections: §5.2, §5.4.1; pre-vote: thesis §9.6; live leaders: thesis §4.2.3; quorum: §6.2.

    def _ask_around(self) -> None:
        """Would a majority vote for me? Only then is a new term worth its disturbance."""
        self.role = Role.PRECANDIDATE
        self.leader = None
        self.lease = False
        self.poll = Poll(self.member, self.term + 1, pre=True, bugs=self.bugs)
        self._ready.stop(LEASE)
        self._ready.start(ELECTION)
        if len(self.votes) >= self.majority:
            self._campaign()
            return
        # Nothing is promised by asking, so that the disk is not waited for.
        self._ready.messages.extend(self._vote_request(p, pre=True) for p in self.peers)

    def _campaign(self) -> None:
        assert self.role is Role.PRECANDIDATE
        self._enter_term(self.term + 1)
        self.vote = self.member
        self.role = Role.CANDIDATE
        self.poll = Poll(self.member, self.term, pre=False, bugs=self.bugs)
        self._ready.start(ELECTION)
        if len(self.votes) >= self.majority:
            self._lead()
            return
        # The own vote must be durable before anybody hears of the candidacy.
        self._ready.after_persist.extend(self._vote_request(p, pre=False) for p in self.peers)

    def _vote_request(self, peer: str, *, pre: bool) -> VoteRequest:
        term = self.term + 1 if pre else self.term
        return VoteRequest(self.member, peer, term, self.log.last_index, self.log.last_term, pre)

    def _lead(self) -> None:
        assert self.role is Role.CANDIDATE
        assert self.vote == self.member
        self.role = Role.LEADER
        self.leader = self.member
        self.poll = None
        self._ready.stop(FOLLOWING)
        self._ready.start(LEADING)
        self.leading = Leadership(
            self.member, self.members, self.term, self.log, window=self.window, bugs=self.bugs
        )
        # §8: what older terms left is committed by committing something of the own term.
        noop = Entry(self.term, Kind.NOOP, b"")
        add(self.log, (noop,), self._ready)
        self.leading.begin(noop)

    def _enter_term(self, term: int) -> None:
        assert term > self.term
        self.term = term
        self.vote = None
        self.leader = None

    def _follow(self, leader: str | None) -> None:
        """Become, or stay, a follower; who led until now cannot confirm reads any more."""
        if self.leading is not None:
            self._ready.reads_refused.extend(self.leading.reads.refuse())
            self.leading = None
            self._ready.stop(LEADING)
            self._ready.start(ELECTION)
        self.role = Role.FOLLOWER
        self.leader = leader
        self.lease = leader is not None
        self.poll = None

    def _on_vote_request(self, m: VoteRequest) -> None:
        if m.term > self.term:
            if self.lease or self.leading is not None:
                # Whoever does not hear a leader that others hear must not depose it. Silence, for
                # a refusal in the old term would tell the candidate nothing.
                return
            if not m.pre:
                self._enter_term(m.term)
                self._follow(None)
        up_to_date = (m.last_term, m.last_index) >= (self.log.last_term, self.log.last_index)
        if m.pre:
            granted = m.term > self.term
        else:
            granted = m.term == self.term and self.vote in (None, m.src) and not self.lease
        granted = granted and up_to_date
        if granted and not m.pre:
            assert self.role in (Role.FOLLOWER, Role.PRECANDIDATE)
            self.vote = m.src
            self._ready.start(ELECTION)
        # A granted pre-vote speaks of the term asked about, which nobody has entered.
        term = m.term if granted else self.term
        self._ready.after_persist.append(VoteResponse(self.member, m.src, term, granted, m.pre))

    def _on_vote_response(self, m: VoteResponse) -> None:
        if self.poll is None or not self.poll.count(m) or len(self.votes) < self.majority:
            return
        if self.poll.pre:
            self._campaign()
        else:
            self._lead()

    # Messages: a newer term makes a follower (§5.1), unless it is only talked about.

    def _on_message(self, message: Message) -> None:
        assert message.dst == self.member
        if message.src not in self.peers:
            return
        match message:
            case AppendResponse():
                self._enter_newer_term(message.term)
                if self.leading is not None and message.term == self.term:
                    self.leading.answered(message)
            case AppendRequest() | SnapshotRequest():
                self._enter_newer_term(message.term)
                self._on_leaders_request(message)
            case VoteRequest():
                self._on_vote_request(message)
            case VoteResponse():
                if not (message.pre and message.granted):
                    self._enter_newer_term(message.term)
                self._on_vote_response(message)
            case _:
                assert_never(message)

    def _enter_newer_term(self, term: int) -> None:
        if term > self.term:
            self._enter_term(term)
            self._follow(None)

    # Replication, follower's side: §5.3, §7.

    def _on_leaders_request(self, m: AppendRequest | SnapshotRequest) -> None:
        asked = m.round if isinstance(m, AppendRequest) else 0
        if m.term < self.term:
            # Nothing but the term: the sender leads no more, or anew, with rounds of its own.
            self._answer(m.src, Taken(False, 0, 0), 0)
            return
        if self.leading is not None:
            # Two leaders in one term: somebody voted twice, and neither can tell who is right.
            return
        if self.role is not Role.FOLLOWER or self.leader != m.src:
            self._follow(m.src)
        self.lease = True
        self._ready.start(FOLLOWING)
        if isinstance(m, AppendRequest):
            taken = take_entries(self.log, m, self._ready, self.bugs)
        else:
            taken = take_snapshot(self.log, m, self._ready, self.bugs)
        self._answer(m.src, taken, asked)

    def _answer(self, leader: str, taken: Taken, asked: int) -> None:
        log = self.log
        answer = AppendResponse(self.member, leader, self.term, *taken, asked)
        # Waits for the disk, unless that has told already that it holds all this and the term.
        known = taken.match <= log.durable and log.term_at(log.durable) == self.term
        at_once = taken.success and (known or FOLLOWER_ACK_BEFORE_FSYNC in self.bugs)
        (self._ready.messages if at_once else self._ready.after_persist).append(answer)

    # A leader's clients.

    def _propose(self, entries: tuple[tuple[Kind, bytes], ...]) -> None:
        assert entries
        if self.leading is None:
            self._ready.refused = True
            return
        first = self.log.last_index + 1
        made = tuple([Entry(self.term, kind, payload) for kind, payload in entries])
        add(self.log, made, self._ready)
        self._ready.proposed = (first, self.log.last_index)
        self.leading.replicate()

    def _request_read(self, tokens: tuple[int, ...]) -> None:
        if self.leading is None:
            self._ready.reads_refused.extend(tokens)
        else:
            self.leading.read(tokens)

    # Persistence.

    def _compact(self, index: int) -> None:
        """Forget the beginning of the log (§7); peers that lack it will get a snapshot."""
        if index > self.log.base_index:
            self.log.compact(index)
            self._ready.base = self.log.base

    def _keep_hard_state(self) -> None:
        if self.term == self._saved.term and self.vote == self._saved.vote:
            return
        if VOTE_TWICE in self.bugs and not self._ready.entries:
            return
        self._saved = self._ready.hard_state = HardState(self.term, self.vote)

    def _assert_invariants(self) -> None:
        log, is_leader = self.log, self.role is Role.LEADER
        assert log.base_index <= log.commit <= log.last_index
        assert 0 <= log.durable <= log.last_index
        assert log.last_term <= self.term
        assert is_leader == (self.leader == self.member)
        assert is_leader == (self.leading is not None)
        for progress in self.progress.values():
            assert progress.match < progress.next <= log.last_index + 1
