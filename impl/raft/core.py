"""Raft without I/O: events in, Ready out.

Rule 1: everything that changes Raft state is here. Rule 2: this file knows no clock, disk, socket
or randomness; time arrives as TimerFired, and the driver draws the election timeout.

The caller owes what `Ready` lists, in that order. Sections cited (§) are those of Ongaro and
Ousterhout, 2014; "thesis" is Ongaro's of the same year.
"""

from collections.abc import Iterable, Sequence

from .log import Log
from .messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    HardState,
    Kind,
    Message,
    VoteRequest,
    VoteResponse,
)
from .progress import BATCH_BYTES_MAX, BATCH_COUNT_MAX, Progress
from .ready import (
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

LEADER_TIMERS = frozenset({Timer.HEARTBEAT, Timer.QUORUM})


class Core:
    """One member of one group.

    # Invariant: 0 <= commit <= log.last_index; terms in the log never exceed `term`.
    # Invariant: `progress` and `reading` are empty unless this member leads.
    """

    def __init__(
        self, member: str, members: Sequence[str], hard_state: HardState, log: Log
    ) -> None:
        assert member in members
        self.member = member
        self.members = tuple(sorted(members))
        self.peers = tuple(m for m in self.members if m != member)
        self.majority = len(self.members) // 2 + 1
        self.term = max(hard_state.term, log.last_term)
        self.vote = hard_state.vote if hard_state.term == self.term else None
        self.role = Role.FOLLOWER
        self.leader: str | None = None
        self.log = log
        self.commit = 0
        self.durable = log.last_index
        self.term_start = 0
        self.votes: frozenset[str] = frozenset()
        self.fresh = False
        self.heard: frozenset[str] = frozenset()
        self.progress: dict[str, Progress] = {}
        self.round = 0
        self.reading: list[tuple[int, int, tuple[int, ...]]] = []
        self.bugs: frozenset[str] = frozenset()
        self._ready = Ready()
        self._saved = HardState(self.term, self.vote)

    @classmethod
    def recover(
        cls,
        member: str,
        members: Sequence[str],
        hard_state: HardState,
        entries: Iterable[Entry],
        bugs: frozenset[str] = frozenset(),
    ) -> "Core":
        """A member as its disk remembers it. The driver arms ELECTION."""
        core = cls(member, members, hard_state, Log(list(entries)))
        core.bugs = bugs
        return core

    def step(self, event: Event) -> Ready:
        """Take one event; the answer must be carried out before the next step's answer."""
        ready = self._ready = Ready()
        role, commit = self.role, self.commit
        match event:
            case TimerFired(timer):
                self._on_timer(timer)
            case Received(message):
                self._on_message(message)
            case Proposed(entries):
                self._propose(entries)
            case ReadRequested(tokens):
                self._request_read(tokens)
            case Persisted(index, term):
                self._on_persisted(index, term)
        ready.commit = self.commit
        ready.commit_advanced = self.commit > commit
        ready.role_changed = self.role is not role
        self._keep_hard_state()
        self._assert_invariants()
        return ready

    # Time.

    def _on_timer(self, timer: Timer) -> None:
        match timer:
            case Timer.LEASE:
                self.fresh = False
            case Timer.ELECTION:
                if self.role is not Role.LEADER:
                    self._ask_around()
            case Timer.HEARTBEAT:
                if self.role is Role.LEADER:
                    self._arm(Timer.HEARTBEAT)
                    self._heartbeat(retry=True)
            case Timer.QUORUM:
                if self.role is Role.LEADER:
                    self._check_quorum()

    def _arm(self, *timers: Timer) -> None:
        self._ready.arm |= frozenset(timers)
        self._ready.disarm -= frozenset(timers)

    def _disarm(self, *timers: Timer) -> None:
        self._ready.disarm |= frozenset(timers)
        self._ready.arm -= frozenset(timers)

    # Elections: §5.2, §5.4.1; pre-vote: thesis §9.6; check-quorum: thesis §6.2.

    def _ask_around(self) -> None:
        """Would a majority vote for me? Only then is a new term worth its disturbance."""
        self.role = Role.PRECANDIDATE
        self.leader = None
        self.fresh = False
        self.votes = frozenset({self.member})
        self._arm(Timer.ELECTION)
        if len(self.votes) >= self.majority:
            self._campaign()
            return
        self._ready.messages.extend(self._vote_request(p, pre=True) for p in self.peers)

    def _campaign(self) -> None:
        self._enter_term(self.term + 1, vote=self.member)
        self.role = Role.CANDIDATE
        self.votes = frozenset({self.member})
        self._arm(Timer.ELECTION)
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
        self.role = Role.LEADER
        self.leader = self.member
        self.votes = frozenset()
        self.heard = frozenset()
        self.progress = {p: Progress(next=self.log.last_index + 1) for p in self.peers}
        self._disarm(Timer.ELECTION, Timer.LEASE)
        self._arm(*LEADER_TIMERS)
        self.term_start = self.log.last_index + 1
        # §8: what older terms left is committed by committing something of the own term.
        self._append([Entry(self.term, Kind.NOOP, b"")])
        self._heartbeat(retry=False)

    def _enter_term(self, term: int, vote: str | None = None) -> None:
        assert term > self.term
        self.term = term
        self.vote = vote
        self.leader = None

    def _follow(self, leader: str | None) -> None:
        """Stop doing whatever it was; known reads fail, for nobody can confirm them now."""
        if self.role is Role.LEADER:
            self._ready.reads_refused.extend(t for _, _, tokens in self.reading for t in tokens)
            self._disarm(*LEADER_TIMERS)
            self._arm(Timer.ELECTION)
        self.role = Role.FOLLOWER
        self.leader = leader
        self.votes = frozenset()
        self.heard = frozenset()
        self.progress = {}
        self.reading = []

    def _check_quorum(self) -> None:
        """V6: a leader that a majority does not answer must not go on believing."""
        if len(self.heard) + 1 < self.majority:
            self._follow(None)
            return
        self.heard = frozenset()
        self._arm(Timer.QUORUM)

    def _on_vote_request(self, m: VoteRequest) -> None:
        up_to_date = (m.last_term, m.last_index) >= (self.log.last_term, self.log.last_index)
        if m.pre:
            granted = m.term > self.term and up_to_date
            term = m.term if granted else self.term
            self._ready.messages.append(VoteResponse(self.member, m.src, term, granted, pre=True))
            return
        granted = m.term == self.term and self.vote in (None, m.src) and up_to_date
        if granted:
            assert self.role in (Role.FOLLOWER, Role.PRECANDIDATE) or self.vote == m.src
            self.vote = m.src
            self._arm(Timer.ELECTION)
        self._ready.after_persist.append(
            VoteResponse(self.member, m.src, self.term, granted, pre=False)
        )

    def _on_vote_response(self, m: VoteResponse) -> None:
        if not m.granted:
            return
        if m.pre:
            if self.role is Role.PRECANDIDATE and m.term == self.term + 1:
                self.votes |= {m.src}
                if len(self.votes) >= self.majority:
                    self._campaign()
        elif self.role is Role.CANDIDATE and m.term == self.term:
            self.votes |= {m.src}
            if len(self.votes) >= self.majority:
                self._lead()

    # Messages: a newer term makes a follower (§5.1).

    def _on_message(self, message: Message) -> None:
        assert message.dst == self.member
        if message.src not in self.peers:
            return
        if isinstance(message, VoteRequest) and (self.fresh or self.role is Role.LEADER):
            # A leader is alive: a member that does not hear it must not depose it.
            if message.term > self.term:
                return
        elif message.term > self.term and not self._is_prevote(message):
            self._enter_term(message.term)
            self._follow(None)
        match message:
            case VoteRequest():
                self._on_vote_request(message)
            case VoteResponse():
                self._on_vote_response(message)
            case AppendRequest():
                self._on_append_request(message)
            case AppendResponse():
                self._on_append_response(message)

    @staticmethod
    def _is_prevote(message: Message) -> bool:
        """Pre-votes speak of a term that nobody is in yet."""
        if isinstance(message, VoteRequest):
            return message.pre
        return isinstance(message, VoteResponse) and message.pre and message.granted

    # Replication, follower's side: §5.3.

    def _on_append_request(self, m: AppendRequest) -> None:
        if m.term < self.term:
            self._refuse_append(m, hint=0)
            return
        assert self.role is not Role.LEADER, "two leaders in one term"
        self._follow(m.src)
        self.fresh = True
        self._arm(Timer.ELECTION, Timer.LEASE)
        log = self.log
        if m.prev_index > log.last_index:
            self._refuse_append(m, hint=log.last_index)
            return
        if log.term_at(m.prev_index) != m.prev_term:
            # Nothing of the conflicting term can be trusted: skip all of it at once.
            first = log.first_of_term(m.prev_index, above=self.commit)
            self._refuse_append(m, hint=first - 1)
            return
        self._take(m.prev_index + 1, m.entries)
        match = m.prev_index + len(m.entries)
        self.commit = max(self.commit, min(m.commit, match))
        self._ready.after_persist.append(
            AppendResponse(self.member, m.src, self.term, True, match, 0, m.round)
        )

    def _refuse_append(self, m: AppendRequest, *, hint: int) -> None:
        self._ready.after_persist.append(
            AppendResponse(self.member, m.src, self.term, False, 0, hint, m.round)
        )

    def _take(self, first: int, entries: tuple[Entry, ...]) -> None:
        """Add what is missing; only a real conflict removes entries, never a committed one."""
        log = self.log
        at = 0
        while at < len(entries) and first + at <= log.last_index:
            if log.term_at(first + at) != entries[at].term:
                assert first + at > self.commit, "a committed entry would be overwritten"
                log.truncate_from(first + at)
                self.durable = min(self.durable, log.last_index)
                self._ready.truncate_from = first + at
                break
            at += 1
        if at < len(entries):
            self._append(entries[at:])

    def _append(self, entries: Sequence[Entry]) -> None:
        assert not self._ready.entries
        self._ready.first_index = self.log.last_index + 1
        self._ready.entries = tuple(entries)
        self.log.append(entries)

    # Replication, leader's side: §5.3, §5.4.2.

    def _propose(self, entries: tuple[tuple[Kind, bytes], ...]) -> None:
        if self.role is not Role.LEADER:
            self._ready.refused = True
            return
        first = self.log.last_index + 1
        self._append([Entry(self.term, kind, payload) for kind, payload in entries])
        self._ready.proposed = (first, self.log.last_index)
        for peer in self.peers:
            self._replicate(peer)

    def _replicate(self, peer: str, *, always: bool = False) -> None:
        """Send what the peer lacks as far as the window allows; `always` at least a heartbeat."""
        progress = self.progress[peer]
        sent = False
        while progress.next <= self.log.last_index and progress.may_send():
            entries = self.log.batch(
                progress.next, count_max=BATCH_COUNT_MAX, bytes_max=BATCH_BYTES_MAX
            )
            prev = progress.next - 1
            self._send_append(peer, prev, entries)
            progress.sent(prev + len(entries), sum(len(e.payload) for e in entries))
            sent = True
        if always and not sent:
            # While requests are in flight, a heartbeat must not ask about entries not yet there.
            prev = progress.match if progress.in_flight or progress.probing else progress.next - 1
            self._send_append(peer, prev, ())

    def _send_append(self, peer: str, prev: int, entries: tuple[Entry, ...]) -> None:
        self._ready.messages.append(
            AppendRequest(
                self.member, peer, self.term, prev, self.log.term_at(prev), entries,
                self.commit, self.round,
            )
        )  # fmt: skip

    def _heartbeat(self, *, retry: bool) -> None:
        for peer in self.peers:
            if retry:
                self.progress[peer].heartbeat()
            self._replicate(peer, always=True)

    def _on_append_response(self, m: AppendResponse) -> None:
        if self.role is not Role.LEADER or m.term != self.term:
            return
        self.heard |= {m.src}
        progress = self.progress[m.src]
        progress.round = max(progress.round, m.round)
        self._confirm_reads()
        if m.success:
            assert m.match <= self.log.last_index
            if progress.accepted(m.match):
                self._advance_commit()
        elif m.hint < progress.next - 1:
            progress.refused(m.hint)
        self._replicate(m.src)

    def _on_persisted(self, index: int, term: int) -> None:
        # The pair tells an entry from one that took its place while the disk was busy.
        if index <= self.log.last_index and self.log.term_at(index) == term:
            self.durable = max(self.durable, index)
            if self.role is Role.LEADER:
                self._advance_commit()

    def _advance_commit(self) -> None:
        """Commit what a majority holds durably, by counting entries of the own term only."""
        held = sorted((self.durable, *(p.match for p in self.progress.values())), reverse=True)
        index = held[self.majority - 1]
        if "ack-before-quorum" in self.bugs:
            index = max(index, self.durable)
        if index <= self.commit:
            return
        if self.log.term_at(index) == self.term or "commit-old-term" in self.bugs:
            self.commit = index
            self._confirm_reads()
            # Followers apply, and read, without waiting for the next heartbeat.
            for peer in self.peers:
                self._replicate(peer, always=not self.progress[peer].in_flight)

    # Reads: ReadIndex, thesis §6.4.

    def _request_read(self, tokens: tuple[int, ...]) -> None:
        if self.role is not Role.LEADER:
            self._ready.reads_refused.extend(tokens)
            self._ready.refused = True
            return
        if "stale-read" in self.bugs:
            self._ready.reads.extend((token, self.commit) for token in tokens)
            return
        self.round += 1
        self.reading.append((self.round, self.commit, tokens))
        self._heartbeat(retry=False)
        self._confirm_reads()

    def _confirm_reads(self) -> None:
        """Answer reads whose round a majority confirmed, once the term has a committed entry."""
        if not self.reading or self.log.term_at(self.commit) != self.term:
            return
        rounds = sorted((self.round, *(p.round for p in self.progress.values())), reverse=True)
        confirmed = rounds[self.majority - 1]
        while self.reading and self.reading[0][0] <= confirmed:
            _, index, tokens = self.reading.pop(0)
            # Asked before the no-op was committed, the index may be behind an older term's commits.
            safe = max(index, self.term_start)
            self._ready.reads.extend((token, safe) for token in tokens)

    # Persistence.

    def _keep_hard_state(self) -> None:
        now = HardState(self.term, self.vote)
        if now == self._saved:
            return
        if "vote-twice" in self.bugs and not self._ready.entries:
            return
        self._saved = now
        self._ready.hard_state = now

    def _assert_invariants(self) -> None:
        assert 0 <= self.commit <= self.log.last_index
        assert self.log.last_term <= self.term
        assert (self.role is Role.LEADER) == (self.leader == self.member)
        assert self.role is Role.LEADER or not self.reading
        assert self.durable <= self.log.last_index
