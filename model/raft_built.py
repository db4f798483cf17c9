"""The Raft group as `impl/raft` builds it: the same rules, where the paper leaves a choice.

Each choice is a `Difference` from the plain model, with its reason; exploring the model with it
shows that no promise needs the plain way. Conformance holds the implementation against this model.
A sync covers a beginning of what was written (group commit), a crash leaves any beginning of what
no sync has covered, torn inside a write too, and a leader may send any stretch of its log at any
time: what it has sent is its own affair. So that all of this is explored, every message that a
leader may send is on the network as soon as it may be sent.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .actor import Model, Network, Note, Receive, Step
from .properties import raft as promises
from .raft import RaftMember
from .raft_group import event_name, raft_group
from .raft_rules import Rules
from .raft_types import (
    Append,
    AppendReply,
    Ask,
    Compact,
    Crash,
    Disk,
    Event,
    Fsync,
    Member,
    Message,
    Offer,
    Options,
    Own,
    PreVote,
    Role,
    Send,
    Snapshot,
    TakeBack,
    Write,
    last_term,
    term_at,
)


@dataclass(frozen=True)
class Difference:
    """Where the implementation chooses otherwise than the plain model, and why it may.

    `change` is the choice as rules of the model; None where it is not a rule but a capability of
    `BuiltMember`, which has all of these.
    """

    name: str
    reason: str
    change: Callable[[Rules], Rules] | None = None


def _with(**rules: Any) -> Callable[[Rules], Rules]:
    return lambda plain: replace(plain, **rules)


def _skips_terms(s: Member, m: Append) -> int:
    """§5.3: where the logs may agree, if all of a term is skipped that was seen to differ."""
    at = min(m.prev, len(s.log))
    while at and term_at(s.log, at) > m.prev_term:
        at -= 1
    if at == m.prev:
        differs = term_at(s.log, at)
        while at and term_at(s.log, at) == differs:
            at -= 1
    return max(at, s.commit)


def _snapped(s: Member, m: Snapshot) -> int:
    """Where a log begins after a snapshot."""
    index = len(m.prefix)
    return s.snap if s.log[:index] == m.prefix else index


DIFFERENCES = (
    Difference(
        "group-commit",
        "A sync covers what was written when it began; what comes meanwhile waits for the next "
        "(model: one fsync covers all).",
    ),
    Difference(
        "torn-write",
        "What a step writes is several records of the log, and a crash may keep the first of them "
        "(model: all or nothing).",
    ),
    Difference(
        "pipelining",
        "A leader sends entries before the earlier ones are acknowledged, again after a timeout, "
        "and empty requests from where it likes (model: what the peer is known to lack).",
    ),
    Difference(
        "checkpoint-any-time",
        "A checkpoint holds what is committed and durable up to any index, and the log begins "
        "behind it with a write like others (model: all that is committed, at once durable).",
    ),
    Difference(
        "snapshot-held-commits",
        "A snapshot whose last entry the log holds only tells that this is committed (model: the "
        "log begins behind it, too).",
        _with(snapped=_snapped),
    ),
    Difference(
        "replies-wait",
        "Every answer waits for all that was written before it, even if it promises nothing "
        "(model: answers to pre-votes, and refusals of old terms, do not).",
        _with(replies_wait=lambda s: True),
    ),
    Difference(
        "durable-at-once",
        "An answer about entries that the disk is known to hold in this term does not wait for "
        "later writes (model: all answers wait in line).",
    ),
    Difference(
        "tells-commit",
        "A request tells the leader's whole commit index (model: as far as the request goes).",
        _with(told=lambda s, sent: s.commit),
    ),
    Difference(
        "rounds-of-a-leader",
        "Rounds of reads are counted anew by every leader, and a request repeats the last round "
        "even when no read waits (model: over the member's life, and only while one waits).",
        _with(rounds_at_first=lambda s: 0, asked_round=lambda s: s.rounds),
    ),
    Difference(
        "hint-skips-terms",
        "A refusal skips all entries of terms that cannot agree (model: one entry).",
        _with(hint=_skips_terms),
    ),
    Difference(
        "no-vote-under-lease",
        "Who hears a leader of its term votes for nobody else in it (model: would, and in vain).",
        _with(may_vote=lambda s, m: s.vote in (-1, m.src) and not s.fresh),
    ),
    Difference(
        "lease-ends-with-term",
        "A newer term ends the lease of the older one's leader (model: it lapses by time).",
        _with(lease_in_newer_term=lambda s: False),
    ),
    Difference(
        "lost-entries-come-again",
        "A leader takes back what a peer had acknowledged once the peer, asked in a round of its "
        "own, says that it lacks that (model: no disk loses what was synced).",
    ),
    Difference(
        "refuses-old-prevote",
        "A pre-vote for a term that is over is refused under a lease, too, so that its sender "
        "learns the term (model: silence).",
        _with(answers_leased=lambda s, m: m.term <= s.term),
    ),
)


def built_rules(rules: Rules | None = None) -> Rules:
    """All differences that are rules."""
    rules = rules or Rules()
    for difference in DIFFERENCES:
        if difference.change is not None:
            rules = difference.change(rules)
    return rules


@dataclass(frozen=True)
class BuiltMember(RaftMember):
    """A member whose disk lags and whose leader sends what it likes.

    `Options.sync` bounds nothing here: `unsynced` bounds the queue of writes. If it `loses`, a
    crash may leave less of the log than was synced; if it `doubts`, it may take back, as a leader,
    what others have acknowledged.
    """

    unsynced: int = 1
    loses: bool = False
    doubts: bool = False

    def events(self, state: Member) -> Iterator[Event]:
        yield from (own for own in Own if own not in (Own.FSYNC, Own.CHECKPOINT))
        if self.options.checkpoints:
            yield from (Compact(at) for at in range(state.snap + 1, state.commit + 1))
        yield from (Fsync(n + 1) for n in range(len(state.queue)))
        yield from (Crash(found) for found in dict.fromkeys(images(state)))
        if self.loses:
            yield from (Crash(found) for found in shorter(state.disk))
        if self.doubts:
            yield Ask()
            yield from (TakeBack(peer) for peer in self._peers(state))

    def step(self, state: Member, event: Event) -> Step | None:
        match event:
            case Receive():
                step = super().step(state, event)
            case Fsync(writes):
                step = self._synced(state, writes)
            case Crash(found):
                back = self.recover(state.me, found)
                cost = "losses" if self.loses and found in shorter(state.disk) else "crashes"
                return Step(back, cost=cost) if back != state else None
            case Ask():
                return self._ask(state)
            case TakeBack(peer):
                return self._take_back(state, peer)
            case Send(peer, prev, count):
                return self.send(state, peer, prev, count)
            case Offer(peer):
                return self.offer(state, peer)
            case Compact(at):
                step = self._compacted(state, at)
            case _:
                step = super().step(state, event)
        if step is None:
            return None
        after = step.state
        assert isinstance(after, Member)
        if len(after.queue) > self.unsynced:
            return None
        normal = _normal(after)
        return step if normal is after else Step(normal, step.sends, step.notes, step.cost)

    def send(self, s: Member, peer: int, prev: int, count: int) -> Step | None:
        """Any stretch of the log; None where the leader's log has no such stretch."""
        if s.role is not Role.LEADER or peer == s.me or not s.snap <= prev <= len(s.log) - count:
            return None
        return self._send(s, peer, prev, s.log[prev : prev + count])

    def offer(self, s: Member, peer: int) -> Step | None:
        """The snapshot that the leader's log begins behind, if there is one."""
        if s.role is not Role.LEADER or peer == s.me or not s.snap:
            return None
        return Step(s, (Snapshot(s.me, peer, s.term, s.log[: s.snap]),))

    def _ask(self, s: Member) -> Step | None:
        """A round for its own sake; one at a time is asked."""
        if s.role is not Role.LEADER or s.read is not None:
            return None
        return Step(s._replace(rounds=s.rounds + 1), cost="doubts")

    def _take_back(self, s: Member, peer: int) -> Step | None:
        """Whatever the reason: to know less is never wrong, for what is committed stays so."""
        if s.role is not Role.LEADER or not s.match[peer]:
            return None
        match = (*s.match[:peer], 0, *s.match[peer + 1 :])
        return Step(_normal(s._replace(match=match)), cost="doubts")

    def _compacted(self, s: Member, at: int) -> Step | None:
        """§7, HS-10: only what is committed, and durable as it is, leaves the log."""
        if not s.snap < at <= s.commit or s.disk.log[:at] != s.log[:at]:
            return None
        return replace(self._out(s._replace(snap=at), ()), cost="checkpoint")

    def _out(self, s: Member, replies: tuple[Message, ...], notes: tuple[Note, ...] = ()) -> Step:
        """Queue what is to be written, and the replies that wait for it."""
        written = s.queue[-1].disk if s.queue else s.disk
        saved = self.rules.saved(s)
        waits = tuple([m for m in replies if self.rules.replies_wait(s) and not at_once(s, m)])
        if waits or saved != written:
            s = s._replace(queue=(*s.queue, Write(saved, frozenset(waits))))
        return Step(s, tuple([m for m in replies if m not in waits]) if waits else replies, notes)

    def _reply(self, s: Member, reply: Message) -> Step:
        return self._out(s, (reply,))

    def _synced(self, s: Member, writes: int) -> Step | None:
        if not 1 <= writes <= len(s.queue):
            return None
        done = s.queue[:writes]
        after = s._replace(disk=done[-1].disk, queue=s.queue[writes:])
        if after.role is Role.LEADER:
            after = self._advance(after)
        replies = tuple([m for write in done for m in _in_order(write.replies)])
        return Step(after, replies, self._committed(s, after))


@dataclass(frozen=True)
class EagerMember(BuiltMember):
    """Sends whatever it may send as soon as it may: on a network that keeps messages for ever and
    delivers them in any order or never, this reaches what sending at any later time would.
    """

    def step(self, state: Member, event: Event) -> Step | None:
        step = super().step(state, event)
        if step is None or step.state == state:
            return step
        after = step.state
        assert isinstance(after, Member)
        old = set(self._stretches(state)) if after.role is state.role else set()
        new = (m for m in self._stretches(after) if m not in old)
        return replace(step, sends=(*step.sends, *new))

    def _stretches(self, s: Member) -> Iterator[Message]:
        if s.role is not Role.LEADER:
            return
        for peer in self._peers(s):
            if s.snap:
                yield Snapshot(s.me, peer, s.term, s.log[: s.snap])
            for prev in range(s.snap, len(s.log) + 1):
                for count in range(min(self.options.batch, len(s.log) - prev) + 1):
                    yield from self._send(s, peer, prev, s.log[prev : prev + count]).sends


def at_once(s: Member, m: Message) -> bool:
    """Whether a message waits for no disk: a question that promises nothing, or an answer about
    entries that are known to be durable, behind which nothing can be cut off in this term.
    """
    if isinstance(m, PreVote):
        return True
    durable = last_term(s.disk.log) == s.term
    return durable and isinstance(m, AppendReply) and m.success and m.match <= len(s.disk.log)


def images(s: Member) -> Iterator[Disk]:
    """What a crash may leave: all that is durable, and a beginning of the records after it.

    A write keeps term and vote first, cuts the log then, and adds its entries one by one. Where a
    log begins is one record, which in the case of a snapshot says what there is before it, too.
    """
    before = s.disk
    yield before
    for write in s.queue:
        after = write.disk
        if after.snap != before.snap:
            yield before._replace(term=after.term, vote=after.vote)
            yield after
            before = after
            continue
        common = _common(before, after)
        for length in range(common, len(after.log) + 1):
            yield after._replace(log=after.log[:length])
        if common < len(before.log):
            yield after._replace(log=before.log)
        before = after


def shorter(disk: Disk) -> Iterator[Disk]:
    """What a disk may hold that has lost the end of its log, and forgets nothing else."""
    return (disk._replace(log=disk.log[:size]) for size in range(disk.snap, len(disk.log)))


def _common(a: Disk, b: Disk) -> int:
    shorter = min(len(a.log), len(b.log))
    while a.log[:shorter] != b.log[:shorter]:
        shorter -= 1
    return shorter


def _in_order(replies: frozenset[Message]) -> Iterable[Message]:
    return sorted(replies, key=repr) if len(replies) > 1 else replies


def _normal(s: Member) -> Member:
    """`next` says only what is certain, and rounds are those of a leader."""
    leads = s.role is Role.LEADER
    lowest = tuple([m + 1 for m in s.match]) if leads else (0,) * len(s.match)
    rounds = s.rounds if leads else 0
    return s if (lowest, rounds) == (s.next, s.rounds) else s._replace(next=lowest, rounds=rounds)


def built_group(
    options: Options,
    *,
    unsynced: int = 1,
    crashes: int = 0,
    losses: int = 0,
    doubts: int = 0,
    network: Network | None = None,
    rules: Rules | None = None,
) -> Model:
    """A group of members as they are built, with pre-vote and check-quorum as always there.

    `losses`: so often a disk loses the end of its log, on which no promise of Raft's is proof;
    `doubts`: so often a leader asks for its own sake, or takes back what it was told.
    """
    options = replace(options, prevote=True, quorum=True, sync=True)
    rules = built_rules(rules)
    plain = raft_group(options, network=network, rules=rules)
    extra = tuple((name, n) for name, n in (("losses", losses), ("doubts", doubts)) if n)
    member = EagerMember(options, rules, unsynced, loses=losses > 0, doubts=doubts > 0)
    otherwise = {"replicate": (), "heartbeat": (), "checkpoint": ("compact",)}
    expected = [a for name in plain.expected_events for a in otherwise.get(name, (name,))]
    expected += ["crash"] if crashes or losses else []
    expected += ["ask", "take back"] if doubts else []
    return replace(
        plain,
        name="raft-built",
        actors=(member,) * options.members,
        budgets=(("crashes", crashes), ("checkpoint", options.checkpoints), *extra),
        properties=tuple(p for p in plain.properties if p is not promises.CONVERGED),
        event_names=event_name,
        expected_events=tuple(expected),
        good=(),
        parameters=(*plain.parameters, ("unsynced", unsynced), ("crashes", crashes), *extra),
    )
