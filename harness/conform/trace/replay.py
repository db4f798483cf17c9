"""One member of one group, record by record: each is a step of the model, and says all of it."""

from collections import deque
from typing import Any, NamedTuple

from ....model.raft_types import Disk, Read
from ...traces import (
    AppendRequest,
    Boot,
    Persist,
    Persisted,
    Post,
    Proposed,
    Reads,
    Received,
    Record,
    SnapshotRequest,
    Stop,
    Uid,
    VoteRequest,
    VoteResponse,
)
from ..raft.refine import Diverged, Explained, Refiner
from ..raft.terms import log_of, log_of_runs
from .coverage import Counting
from .explain import step_rejected
from .finding import Place, Rejected, state_of
from .promises import Promises
from .wire import Wire
from .words import Words, terms, whole

EMPTY = log_of(())


class Waiting(NamedTuple):
    """A step that wrote or held: its number, what it holds, and the last entry that it wrote."""

    seq: int
    held: tuple[Uid | None, ...]
    last: tuple[int, int] | None


class Replay:
    """The life of a member over its restarts.

    `follow` may be asked as long as nothing was rejected; `observe` always.
    """

    # Invariant: `waiting` has one item for every decision of the refiner, oldest first.

    def __init__(
        self, words: Words, node: str, wire: Wire, promises: Promises, counting: Counting
    ) -> None:
        self.words = words
        self.node = node
        self.wire = wire
        self._promises = promises
        self._counting = counting
        self.refiner = Refiner(len(words.aliases), words.number(node))
        self.waiting: deque[Waiting] = deque()
        self.log = EMPTY
        self.last: Record | None = None
        self.is_stopped = False
        self.steps = 0
        self.explained: Explained | None = None
        """The model's steps for the last step that it explains."""
        self.began_ns = 0
        self._commit = 0
        self._asked: dict[int, int] = {}
        """Reads that wait: how many rounds had begun when each was asked for; oldest first."""

    # What everybody may know, whether or not the model explains it.

    def observe(self, record: Record) -> None:
        """Enter into the tables what the record shows. Raises Rejected."""
        promises, event, post = self._promises, record.event, record.post
        if isinstance(event, Boot):
            self.log, self._commit = whole(record), 0
            if record.log is not None:
                base = record.log.base
                promises.seen(record, record.log.entries, base[-1][0] if base else 0)
            if post.commit:
                self._commit = post.commit
                promises.commits(record, self.log, 0)
            return
        persist = record.persist
        if persist.entries or persist.truncate_from is not None or persist.installs:
            self._write(record, persist)
        for message in record.out:
            if isinstance(message, AppendRequest) and message.fields.entries:
                promises.seen(record, message.fields.entries, message.fields.prev_term)
        if isinstance(event, Received):
            self._heard(record, event)
        if post.role == "leader":
            led = promises.leaders.get(post.term)
            if led is None or led[0] != self.node:
                promises.led(record, self.log)
        if post.commit > self._commit:
            before, self._commit = self._commit, post.commit
            promises.commits(record, self.log, before)

    def _write(self, record: Record, persist: Persist) -> None:
        log = self.log
        if persist.truncate_from is not None:
            log = log[: persist.truncate_from - 1]
        if persist.installs and persist.base is not None:
            log = log_of_runs(persist.base)
        self.log = log_of(log + terms(persist.entries))
        self._promises.seen(record, persist.entries, log[-1] if len(log) else 0)

    def _heard(self, record: Record, event: Received) -> None:
        """What was sent is public; entries of a sender whose records are lost are seen here."""
        message = event.message
        if isinstance(message, VoteResponse):
            if message.fields.granted and not message.fields.pre:
                self._promises.voted(record, event.uid[0], message.fields.term, self.node)
        elif isinstance(message, VoteRequest):
            if not message.fields.pre:
                self._promises.voted(record, event.uid[0], message.fields.term, event.uid[0])
        elif isinstance(message, AppendRequest) and event.uid not in self.wire.sent:
            self._promises.seen(record, message.fields.entries, message.fields.prev_term)

    # What the model explains.

    def boot(self, record: Record, disk: Disk) -> None:
        """Begin a life with this on the disk. Raises Rejected."""
        post, size = record.post, len(disk.log)
        last = (size, disk.log[-1] if size else 0)
        expected = Post(post.term, post.vote, "follower", None, disk.snap, last)
        if post != expected:
            raise self._said(record, "recovery", "a member begins as a follower", expected)
        indices = [entry[0] for entry in record.log.entries] if record.log is not None else []
        if indices != list(range(disk.snap + 1, size + 1)):
            raise self._no(record, "recovery", "the log that was found has gaps", "log")
        self.refiner.boot(disk)
        self.waiting.clear()
        self._asked.clear()
        self.last, self.is_stopped = record, False
        self.began_ns = record.t_ns

    def follow(self, record: Record) -> None:
        """Explain the next record of a life that has begun. Raises Rejected."""
        event, before = record.event, self.last
        assert before is not None
        self.last = record
        if isinstance(event, Stop):
            self.is_stopped = True
            self._unchanged(record, before.post)
            return
        self.steps += 1
        decisions = 0
        if isinstance(event, Persisted):
            decisions = self._synced(record, event)
            if event.index is None:
                self._unchanged(record, before.post)
        elif isinstance(event, Proposed):
            self._taken(record, event)
        elif isinstance(event, Reads) and record.post.role == "leader":
            self._asked.update(dict.fromkeys(event.tokens, self.refiner.state.rounds))
        is_waiting = bool(record.held) or not record.persist.is_empty
        if record.synced is is_waiting:
            raise self._no(record, "step", "`synced` says the opposite of the record", "synced")
        under_way = self.refiner.state.read
        self._refine(record, decisions)
        if is_waiting:
            held = tuple([message.uid for message in record.held])
            self.waiting.append(Waiting(record.seq, held, record.persist.last))
        self._follows(record, before.post)
        if record.answered or record.post.role != "leader":
            self._answered(record, under_way)

    def _refine(self, record: Record, decisions: int) -> None:
        did = self.words.did(record, decisions)
        before = self.refiner.state
        try:
            explained = self.refiner.step(did)
        except Diverged as diverged:
            raise step_rejected(record, did, diverged, self.words) from None
        self.explained = explained
        self._counting.add(before, explained)
        entries = record.persist.entries
        if entries:
            # The model's log has the length after the step: the entries are its end.
            first = len(self.refiner.state.log) - len(entries) + 1
            if [entry[0] for entry in entries] != list(range(first, first + len(entries))):
                raise self._no(record, "step", f"entries do not begin at {first}", "entries")

    def _synced(self, record: Record, event: Persisted) -> int:
        """How many of the oldest decisions the sync covers: it releases exactly theirs."""
        batch: list[Waiting] = []
        while self.waiting and self.waiting[0].seq <= event.through:
            batch.append(self.waiting.popleft())
        if not batch or batch[-1].seq != event.through:
            reason = f"a sync ends that covers step {event.through}, which waits for none"
            raise self._no(record, "durability", reason, "through")
        released = tuple([uid for one in batch for uid in one.held])
        if event.released != released:
            reason = f"a sync up to step {event.through} releases what waited for it, no more"
            raise self._no(record, "durability", reason, "released", released, event.released)
        last = next((one.last for one in reversed(batch) if one.last is not None), None)
        told = None if event.index is None else (event.index, event.term)
        if told != last:
            reason = f"a sync up to step {event.through} covers another last entry"
            raise self._no(record, "durability", reason, "index", last, told)
        return len(batch)

    def _taken(self, record: Record, event: Proposed) -> None:
        digests = tuple([entry[2] for entry in record.persist.entries])
        if digests and digests != event.entries:
            reason = "what is logged is not what was proposed"
            raise self._no(record, "step", reason, "entries", event.entries, digests)

    def _unchanged(self, record: Record, before: Post) -> None:
        if record.post != before:
            raise self._said(record, "continuity", "nothing happened, and the state is new", before)

    def _follows(self, record: Record, before: Post) -> None:
        """Whom a member follows is not the model's affair, but no secret either."""
        post, event = record.post, record.event
        leader = before.leader
        if post.role == "leader":
            leader = self.node
        elif post.role != "follower":
            leader = None
        elif (
            isinstance(event, Received)
            and isinstance(event.message, AppendRequest | SnapshotRequest)
            and event.message.fields.term == post.term
        ):
            leader = event.uid[0]
        elif post.term != before.term or before.role != "follower":
            leader = None
        if post.leader != leader:
            raise self._no(record, "step", "follows somebody else", "leader", leader, post.leader)

    def _answered(self, record: Record, under_way: Read | None) -> None:
        """Each read is confirmed once, by the leader that it was asked of, in the first round
        that began after it: what an older round says of the leader is too old for it.
        """
        asked = self._asked
        # Who is alone begins a round and confirms it in one step.
        confirmed = self.refiner.state.rounds if under_way is None else under_way.round
        for token, _ in record.answered:
            since = asked.pop(token, None)
            if since is None:
                reason = f"read {token} is confirmed, and nobody waits for it"
                raise self._no(record, "step", reason, "answered")
            if since >= confirmed:
                reason = f"read {token} is confirmed by a round that had begun before it was asked"
                raise self._no(record, "step", reason, "answered")
        if record.post.role != "leader":
            asked.clear()
        elif asked:
            token, since = next(iter(asked.items()))
            if since < confirmed:
                reason = f"read {token} was asked before the round that is confirmed, and waits"
                raise self._no(record, "step", reason, "answered")

    def _said(self, record: Record, rule: str, reason: str, expected: Post) -> Rejected:
        fields = [f for f in Post.__struct_fields__ if getattr(expected, f) != _of(record, f)]
        field = fields[0] if fields else "post"
        model: dict[str, Any] = {f: getattr(expected, f) for f in Post.__struct_fields__}
        rejected = self._no(record, rule, reason, field)
        rejected.model, rejected.found = model, {f: _of(record, f) for f in model}
        return rejected

    def _no(
        self,
        record: Record,
        rule: str,
        reason: str,
        field: str,
        expected: Any = None,
        found: Any = None,
    ) -> Rejected:
        before = state_of(self.refiner.state, self.words)
        model = {} if expected is None and found is None else {field: expected}
        return Rejected(
            Place.of(record),
            rule,
            reason,
            field=field,
            before=before,
            model=model,
            found={field: found} if model else {},
            record=record,
        )


def _of(record: Record, field: str) -> Any:
    return getattr(record.post, field)
