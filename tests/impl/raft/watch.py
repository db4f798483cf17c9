"""Watches a group step by step for broken promises, from outside and, if asked to, from inside."""

from collections.abc import Iterable, Mapping

from delphic.impl.raft.messages import AppendResponse, Entry, Message, VoteRequest, VoteResponse
from delphic.impl.raft.ready import Event, ReadRequested, Ready, Received, Role
from member import Member


class Violation(Exception):
    """A promise is broken."""

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(f"{promise}: {what}")
        self.promise = promise


OUTSIDE = frozenset({"HS-1", "HS-2", "HS-4"})
"""What clients and operators could notice in the end."""

INSIDE = frozenset({"S2", "S4", "S9", "S10", "S11", "S13", "LOSS"})
"""What must hold on the way there: one vote a term, also across crashes (S2); log matching (S4); no
counting of older terms (S9); what is committed is on a majority of disks (S10); what is said is
durable (S11); what a leader takes for a match is one (S13); nobody is said to have lost what it
has (LOSS)."""


class Watch:
    """What a group has done so far, and what it may therefore not do."""

    def __init__(self, members: Mapping[str, Member], promises: frozenset[str]) -> None:
        """Broken promises other than these are passed over."""
        self._members = members
        self._majority = len(members) // 2 + 1
        self._promises = promises
        self.leaders: dict[int, str] = {}
        self.committed: list[tuple[Entry, int]] = []
        self.confirmed_count = 0
        self._reads: dict[int, int] = {}
        self._votes: dict[tuple[str, int], str] = {}
        self._entries: dict[tuple[int, int], tuple[Entry, int]] = {}

    def stepped(self, member: Member, event: Event, ready: Ready) -> None:
        """A member took a step."""
        core = member.core
        if ready.role_changed and core.role is Role.LEADER:
            self._leads(member)
        if ready.commit_advanced:
            self._commits(member)
        if isinstance(event, ReadRequested):
            self._reads |= dict.fromkeys(event.tokens, len(self.committed))
        for token, index in ready.reads:
            self._answers(token, index)
        for token in ready.reads_refused:
            asked = self._reads.pop(token, None) is not None
            self._check("HS-4", asked, f"read {token} is refused after its answer")
        if ready.lost is not None:
            alone = f"{ready.lost.member} is said to have lost entries, which no disk here does"
            self._check("LOSS", False, alone)
        self._compares_logs(member, ready)
        if isinstance(event, Received) and isinstance(event.message, AppendResponse):
            self._compares_matches(member)
        self.says(member, ready.messages)

    def says(self, member: Member, messages: Iterable[Message]) -> None:
        """A member sends messages: nothing that it could forget again, and no second vote."""
        for m in messages:
            saved = member.hard_state
            said = saved.term >= m.term
            match m:
                case VoteRequest(pre=False):
                    self._votes_for(m.src, m.term, m.src)
                    said = said and (saved.term > m.term or saved.vote == m.src)
                case VoteResponse(pre=False, granted=True):
                    self._votes_for(m.src, m.term, m.dst)
                    said = said and (saved.term > m.term or saved.vote == m.dst)
                case AppendResponse(success=True):
                    said = said and (saved.term > m.term or len(member.disk) >= m.match)
                case VoteRequest() | VoteResponse():
                    said = True
            self._check("S11", said, f"{m} is not durable")

    def rests(self) -> None:
        """S10: what is committed stays on the disks of a majority; look after crashes."""
        if not self.committed:
            return
        index, (entry, _) = len(self.committed), self.committed[-1]
        holders = [m for m in self._members.values() if m.disk[index - 1 : index] == [entry]]
        self._check("S10", len(holders) >= self._majority, f"entry {index} is on too few disks")

    def _leads(self, member: Member) -> None:
        core = member.core
        first = self.leaders.setdefault(core.term, member.alias)
        both = f"{first} and {member.alias} lead in term {core.term}"
        self._check("HS-1", first == member.alias, both)
        for index, (entry, term) in enumerate(self.committed, start=1):
            has_it = index <= core.log.last_index and core.log.entry(index) == entry
            lacks = f"{member.alias} leads in term {core.term} without committed entry {index}"
            self._check("HS-2", has_it or term >= core.term, lacks)

    def _commits(self, member: Member) -> None:
        log = member.core.log
        for index in range(1, log.commit + 1):
            entry = log.entry(index)
            if index > len(self.committed):
                self.committed.append((entry, member.core.term))
            same = self.committed[index - 1][0] == entry
            self._check("HS-2", same, f"{member.alias} has another committed entry {index}")
        if member.core.role is Role.LEADER:
            own = log.term_at(log.commit) == member.core.term
            self._check("S9", own, f"{member.alias} counts replicas of an older term")
        self.rests()

    def _answers(self, token: int, index: int) -> None:
        floor = self._reads.pop(token, None)
        self._check("HS-4", floor is not None, f"read {token} is answered twice")
        self.confirmed_count += 1
        self._check("HS-4", (floor or 0) <= index, f"read {token} misses {index + 1} to {floor}")
        self._check("HS-4", index <= len(self.committed), f"read {token} sees what is uncommitted")

    def _compares_logs(self, member: Member, ready: Ready) -> None:
        for index, entry in enumerate(ready.entries, start=ready.first_index):
            mine = (entry, member.core.log.term_at(index - 1))
            theirs = self._entries.setdefault((index, entry.term), mine)
            self._check("S4", mine == theirs, f"entry {index} of term {entry.term} exists twice")

    def _compares_matches(self, leader: Member) -> None:
        for peer, progress in leader.core.progress.items():
            match = progress.match
            if self._members[peer].core.term > leader.core.term:
                # A newer leader may have replaced what this one had been told.
                continue
            held = self._members[peer].disk[match - 1 : match] if match else []
            true = held == ([leader.core.log.entry(match)] if match else [])
            self._check("S13", true, f"{peer} does not hold entry {match} durably")

    def _votes_for(self, voter: str, term: int, candidate: str) -> None:
        first = self._votes.setdefault((voter, term), candidate)
        twice = f"{voter} votes for {first} and {candidate} in term {term}"
        self._check("S2", first == candidate, twice)

    def _check(self, promise: str, holds: bool, what: str) -> None:
        if not holds and promise in self._promises:
            raise Violation(promise, what)
