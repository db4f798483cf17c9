"""What a leader does in its term: replicate, commit, confirm that it still leads (§5.3, §5.4.2).

It is made when an election is won and dropped with the term, so that nothing of it can outlive the
one for which it is true. Of what it decides only the commit index stays, in the log.
"""

from collections.abc import Iterable, Sequence

from ..bugs import (
    ACK_BEFORE_QUORUM,
    BATCH_LEAVES_GAP,
    COMMIT_OLD_TERM,
    COUNTS_ITSELF_EARLY,
    READ_BEFORE_NOOP,
    READ_ON_LEASE,
    STALE_READ,
)
from .log import Log
from .messages import AppendRequest, AppendResponse, Entry, Message, SnapshotRequest
from .progress import Progress, Window
from .reads import Reads
from .ready import Lost


class Leadership:
    """A term from the view of the member that leads it.

    `messages`, `confirmed` (token, index) and `lost` collect what it has to say until the core
    takes them.
    """

    def __init__(
        self,
        member: str,
        members: Sequence[str],
        term: int,
        log: Log,
        *,
        window: Window,
        bugs: frozenset[str],
    ) -> None:
        self._member = member
        self._majority = len(members) // 2 + 1
        self._term = term
        self._log = log
        self._window = window
        self._bugs = bugs
        peers = (other for other in members if other != member)
        self.progress = {peer: Progress(next=log.last_index + 1) for peer in peers}
        self.heard: set[str] = set()
        self._heard_before: frozenset[str] = frozenset()
        self.reads = Reads()
        self.messages: list[Message] = []
        self.confirmed: list[tuple[int, int]] = []
        self.lost: Lost | None = None

    def begin(self, noop: Entry) -> None:
        """Offer the term's first entry, which the log has got, and find out where peers are."""
        assert self._log.entry(self._log.last_index) is noop
        for peer in self.progress:
            self._ask(peer, self._log.last_index - 1, (noop,))

    def replicate(self) -> None:
        """Send new entries as far as the windows allow; the rest follows upon answers."""
        for peer in self.progress:
            self._replicate(peer)

    def beat(self) -> None:
        """Say that the leader lives, and again whatever may have been lost on the way."""
        doubts = any(progress.doubt == self.reads.round for progress in self.progress.values())
        if doubts and not self.reads.asked:
            self.reads.skip()
        for peer, progress in self.progress.items():
            progress.beat()
            if not self._replicate(peer):
                self._ask(peer, progress.beat_prev())

    def answered(self, m: AppendResponse) -> None:
        """Take a peer's answer of this term."""
        assert m.term == self._term
        progress = self.progress[m.src]
        self.heard.add(m.src)
        progress.round = max(progress.round, m.round)
        advanced = False
        if m.success:
            assert m.match <= self._log.last_index
            advanced = progress.accepted(m.match) and self._advance()
        elif progress.has_lost(m.hint, m.round):
            self.lost = Lost(m.src, progress.match, m.hint)
            progress.lost(m.hint)
            self._ask(m.src, progress.beat_prev())
        elif progress.refused(m.hint, self.reads.round):
            self._ask(m.src, progress.beat_prev())
        self._confirm()
        self._replicate(m.src)
        self._tell(self.progress if advanced else (m.src,))

    def has_quorum(self) -> bool:
        """Whether a majority was heard since the last time of asking."""
        quorum = len(self.heard) + 1 >= self._majority
        self._heard_before = frozenset(self.heard)
        self.heard.clear()
        return quorum

    def feeds(self, index: int) -> bool:
        """Whether a peer that answers gets entries from the log, and lacks one up to `index`.

        If the log began behind that, the peer would need a snapshot for a moment's delay.
        """
        return any(
            self._log.base_index <= progress.match < index
            for peer, progress in self.progress.items()
            if peer in self.heard or peer in self._heard_before
        )

    def reported(self) -> None:
        """This member's disk holds more of the log."""
        if self._advance():
            self._tell(self.progress)

    def _advance(self) -> bool:
        """Commit what a majority holds durably, by counting entries of the own term only.

        This member counts, too: as far as its own disk has reported, like everybody else.
        """
        own = self._log.durable if COUNTS_ITSELF_EARLY not in self._bugs else self._log.last_index
        held = sorted((own, *(p.match for p in self.progress.values())))
        index = held[-self._majority]
        if ACK_BEFORE_QUORUM in self._bugs:
            index = max(index, self._log.durable)
        if index <= self._log.commit:
            return False
        if self._log.term_at(index) != self._term and COMMIT_OLD_TERM not in self._bugs:
            return False
        self._log.commit_to(index)
        self._ask_round()
        return True

    def read(self, tokens: tuple[int, ...]) -> None:
        """Confirm reads as soon as it is certain that nobody else leads (thesis §6.4)."""
        is_trusted = READ_ON_LEASE in self._bugs and len(self.heard) + 1 >= self._majority
        if STALE_READ in self._bugs or is_trusted:
            self.confirmed.extend((token, self._log.commit) for token in tokens)
            return
        self.reads.wait(tokens)
        self._ask_round()

    def _ask_round(self) -> None:
        """Ask everybody who leads, for the reads that wait, unless a round is under way.

        Before an entry of the own term is committed, the commit index may lie behind what older
        leaders committed (§8): the reads wait.
        """
        if not self.reads.waiting or self.reads.asked:
            return
        is_known = self._log.term_at(self._log.commit) == self._term
        if not is_known and READ_BEFORE_NOOP not in self._bugs:
            return
        self.reads.ask(self._log.commit)
        for peer, progress in self.progress.items():
            self._ask(peer, progress.beat_prev())
        self._confirm()

    def _confirm(self) -> None:
        """Let the round's reads go once a majority has answered it; then ask the next one."""
        if not self.reads.asked:
            return
        answered = sum(p.round >= self.reads.round for p in self.progress.values())
        if answered + 1 >= self._majority:
            self.confirmed.extend(self.reads.confirm())
            self._ask_round()

    def _tell(self, peers: Iterable[str]) -> None:
        """Let peers that wait for nothing else know what is committed; others learn it anyway."""
        for peer in peers:
            progress = self.progress[peer]
            if not progress.probing and not progress.in_flight and progress.told < self._log.commit:
                self._ask(peer, progress.match)

    def _replicate(self, peer: str) -> bool:
        """Send what the peer lacks, as far as the window allows; false if that is nothing."""
        progress, window = self.progress[peer], self._window
        if progress.next <= self._log.base_index:
            self._offer(peer)
            return True
        sent = False
        while progress.next <= self._log.last_index and progress.has_room(window):
            prev = progress.next - 1
            leaves_gap = BATCH_LEAVES_GAP in self._bugs
            entries = (self._log.batch_with_gaps if leaves_gap else self._log.batch)(
                progress.next,
                count_max=window.request_entries_max,
                bytes_max=window.request_bytes_max,
            )
            self._ask(peer, prev, entries)
            progress.sent(prev + len(entries), sum(len(entry.payload) for entry in entries))
            sent = True
        return sent

    def _offer(self, peer: str) -> None:
        """What the peer lacks is no longer in the log: it gets a snapshot of the tables (§7)."""
        base = self._log.base
        self.progress[peer].offered(self._log.base_index)
        self.messages.append(SnapshotRequest(self._member, peer, self._term, base))

    def _ask(self, peer: str, prev: int, entries: tuple[Entry, ...] = ()) -> None:
        progress = self.progress[peer]
        prev = max(prev, self._log.base_index)
        progress.told = max(progress.told, min(self._log.commit, prev + len(entries)))
        request = AppendRequest(
            src=self._member,
            dst=peer,
            term=self._term,
            prev_index=prev,
            prev_term=self._log.term_at(prev),
            entries=entries,
            commit=self._log.commit,
            round=self.reads.round,
        )
        self.messages.append(request)
