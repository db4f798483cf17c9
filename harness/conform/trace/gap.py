"""What a killed process did after its last line: the one search, in one member alone.

A kill takes the last lines of a trace. What they said is known in part: peers have received
messages that no line sends (orphans), and the next process found a disk. The search looks for
steps of the model, from the last known state on, that send every orphan in the order of their
numbers and leave what was found. Inputs are timers, syncs, clients' proposals, and messages that
peers sent and no line receives; where peers have lost lines as well, also messages that they may
have sent. Whatever is found is a way in which all of it may have happened.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ....model.actor import Receive
from ....model.raft_built import BuiltMember, images
from ....model.raft_types import (
    Append,
    AppendReply,
    Ask,
    Compact,
    Disk,
    Event,
    Fsync,
    Member,
    Message,
    Offer,
    Own,
    Role,
    Send,
    Snapshot,
)
from .guess import Orphan, brings, helpful

STEPS_MAX = 60_000
"""So many steps are tried; then the answer is that nobody knows."""


@dataclass(frozen=True)
class Gap:
    """What is known of a stretch without lines.

    `release`: how many of the oldest writes of `state` must have become durable. `found`: what the
    next process found on the disk; None if there was none. `lives`: how many processes may have
    come and gone without a line. `peers_lost`: peers that have lost lines as well. `inputs`: what
    may have arrived, the likeliest first; `is_cut`: there are more.
    """

    actor: BuiltMember
    state: Member
    inc: int
    number: int
    release: int
    orphans: tuple[Orphan, ...]
    inputs: tuple[Message, ...]
    found: Disk | None
    lives: int
    peers_lost: frozenset[int]
    is_cut: bool = False


class Spot(NamedTuple):
    """A place in the search.

    Which messages were taken does not matter: each may come again. When a sync ends matters to a
    leader alone, which commits by it: it keeps its queue, and `due` says how many of the oldest
    writes must become durable. For others `hit` stands for the queue: whether what was found is one
    of the disks since the last sync that must have been.
    """

    state: Member
    inc: int
    number: int
    due: int
    orphans: int
    lives: int
    hit: bool = False


def bridge(gap: Gap, steps_max: int = STEPS_MAX) -> bool | None:
    """Whether the model explains it; None where the bound was hit, or inputs were left out."""
    found = _Search(gap, steps_max).run()
    return None if found is False and gap.is_cut else found


def leaves(s: Member, found: Disk) -> bool:
    """Whether a crash may leave this: one of `images(s)`, without making them all."""
    before = s.disk
    if before == found:
        return True
    size = len(found.log)
    for write in s.queue:
        after = write.disk
        if after.snap != before.snap:
            kept = before._replace(term=after.term, vote=after.vote)
            if found in (kept, after):
                return True
            before = after
            continue
        if found.snap != after.snap:
            before = after
            continue
        if (after.term, after.vote) == (found.term, found.vote):
            # Term and vote are written first; the log is cut then, no further than it has to be.
            if found.log == before.log:
                return True
            grown = size >= min(len(before.log), len(after.log))
            if after.log[:size] == found.log and (
                grown or before.log[: size + 1] != after.log[: size + 1]
            ):
                return True
        before = after
    return False


class _Search:
    """Depth first, the likeliest step first, no spot twice."""

    def __init__(self, gap: Gap, steps_max: int) -> None:
        self._gap = gap
        self._left = steps_max
        self._seen: set[Spot] = set()
        terms = [orphan.message.term for orphan in gap.orphans]
        terms += [gap.found.term] if gap.found is not None else []
        self._term_max = max((gap.state.term, *terms))

    def run(self) -> bool | None:
        gap = self._gap
        first = self._settled(Spot(gap.state, gap.inc, gap.number, gap.release, 0, gap.lives))
        stack = [iter(self._spoken(first))]
        while stack:
            if self._left <= 0:
                return None
            spot = next(stack[-1], None)
            if spot is None:
                stack.pop()
                continue
            target = self._target(spot)
            if target is None or target.inc > spot.inc:
                # Nobody saw more of this life: its numbers mean nothing any more.
                spot = spot._replace(number=0)
            if spot in self._seen:
                continue
            self._seen.add(spot)
            if self._is_end(spot):
                return True
            stack.append(self._next(spot))
        return False

    def _is_end(self, spot: Spot) -> bool:
        gap = self._gap
        if spot.orphans < len(gap.orphans):
            return False
        return gap.found is None or spot.hit or leaves(self._released(spot), gap.found)

    def _released(self, spot: Spot) -> Member:
        """With all that was released on the disk."""
        s = spot.state
        if spot.due:
            s = s._replace(disk=s.queue[spot.due - 1].disk, queue=s.queue[spot.due :])
        return s

    def _settled(self, spot: Spot) -> Spot:
        """Who does not lead needs no queue."""
        s, found = spot.state, self._gap.found
        if s.role is Role.LEADER or not s.queue:
            return spot
        hit = spot.hit and not spot.due
        if not hit and found is not None:
            hit = leaves(self._released(spot), found)
        settled = s._replace(disk=s.queue[-1].disk, queue=())
        return spot._replace(state=settled, due=0, hit=hit)

    # What may come next, the likeliest first.

    def _next(self, spot: Spot) -> Iterator[Spot]:
        s = spot.state
        target = self._target(spot)
        if target is not None and self._is_missed(spot, target):
            return
        if s.role is Role.LEADER:
            yield from self._proposed(spot, target)
        yield from self._compacted(spot, target)
        wanted, others = self._waiting(s, target)
        for message in (*wanted, *self._imagined(spot, target), *others):
            yield from self._step(spot, Receive(message))
        if s.queue and s.role is Role.LEADER:
            # To others it does not matter when a sync ends.
            yield from self._step(spot, Fsync(1))
        yield from self._timers(spot)
        if spot.lives and (target is None or target.inc > spot.inc):
            yield from self._restarted(spot)

    def _target(self, spot: Spot) -> Orphan | None:
        orphans = self._gap.orphans
        return orphans[spot.orphans] if spot.orphans < len(orphans) else None

    def _is_missed(self, spot: Spot, target: Orphan) -> bool:
        """Whether the next orphan cannot be sent any more."""
        s, m = spot.state, target.message
        if target.inc < spot.inc or (target.inc == spot.inc and target.number <= spot.number):
            return True
        if target.inc > spot.inc:
            return spot.lives == 0
        if isinstance(m, Append) and m.term == s.term and s.role is Role.LEADER:
            return m.commit < s.commit or m.round < s.rounds
        return m.term < s.term

    def _proposed(self, spot: Spot, target: Orphan | None) -> Iterator[Spot]:
        """Clients asked for as much as was sent, or found."""
        s, found = spot.state, self._gap.found
        wanted = 0
        if target is not None:
            m = target.message
            if isinstance(m, Append) and m.term == s.term:
                # Who is far behind is sent old entries, and told how much is committed.
                wanted = max(m.prev + len(m.entries), m.commit) - len(s.log)
        elif found is not None and found.term >= s.term:
            wanted = len(found.log) - len(s.log)
            if wanted > 0 and found.log[len(s.log)] != s.term:
                wanted = 0
        if wanted <= 0:
            return
        current = s
        for _ in range(wanted):
            step = self._gap.actor.step(current, Own.REQUEST)
            if step is None:
                return
            current = step.state  # type: ignore[assignment]
        yield from self._spoken(spot._replace(state=current))

    def _compacted(self, spot: Spot, target: Orphan | None) -> Iterator[Spot]:
        """The log began where a snapshot says that was sent, or the disk that was found."""
        ats: set[int] = set()
        if target is not None and isinstance(target.message, Snapshot):
            ats.add(len(target.message.prefix))
        if self._gap.found is not None:
            ats.add(self._gap.found.snap)
        for at in sorted(ats):
            if spot.state.snap < at <= spot.state.commit:
                yield from self._step(spot, Compact(at))

    def _waiting(self, s: Member, target: Orphan | None) -> tuple[list[Message], list[Message]]:
        """What may arrive: what brings the next orphan or the disk, and what else may matter."""
        wanted: list[Message] = []
        others: list[Message] = []
        for given in self._gap.inputs:
            if isinstance(given, AppendReply) and given.match > len(s.log):
                continue  # Nobody acknowledges what was not sent: it comes later.
            if brings(given, s, target, self._gap.found):
                wanted.append(given)
            elif given.term >= s.term:
                others.append(given)
        return wanted, others

    def _imagined(self, spot: Spot, target: Orphan | None) -> Iterator[Message]:
        """What peers that lost lines may have sent, as far as it would help."""
        for peer in sorted(self._gap.peers_lost):
            yield from helpful(spot.state, peer, target, self._gap.found)

    def _timers(self, spot: Spot) -> Iterator[Spot]:
        s = spot.state
        if s.role is Role.LEADER:
            yield from self._step(spot, Own.QUORUM)
            return
        lapsed = s._replace(fresh=False)
        yield from self._step(spot._replace(state=lapsed), Own.TIMEOUT)
        if s.fresh:
            yield spot._replace(state=lapsed)

    def _restarted(self, spot: Spot) -> Iterator[Spot]:
        """The process ended, and another one began that left no line either."""
        for image in dict.fromkeys(images(self._released(spot))):
            back = self._gap.actor.recover(spot.state.me, image)
            yield Spot(back, spot.inc + 1, 0, 0, spot.orphans, spot.lives - 1)

    # A step, and the orphans that it sends.

    def _step(self, spot: Spot, event: Event) -> Iterator[Spot]:
        """The spots after a step that changes anything."""
        s = spot.state
        self._left -= 1
        step = self._gap.actor.step(s, event)
        if step is None:
            return
        after = step.state
        assert isinstance(after, Member)
        if after.term > self._term_max:
            return
        if isinstance(event, Fsync):
            due = max(0, spot.due - 1)
            yield from self._spoken(spot._replace(state=after, due=due, hit=False))
            return
        new = after.queue[len(s.queue) :]
        held = sorted({m for write in new for m in write.replies}, key=lambda m: m.dst)
        sent = (*step.sends, *held)
        found = self._matching(spot, sent)
        # Who was heard, was sent it: it has been released.
        due = len(after.queue) if any(m in held for m in found) else spot.due
        after = _plain(after, len(s.queue), is_due=due != spot.due)
        if after == s and not found:
            return
        number, orphans = self._count(spot, len(sent), len(found))
        if number >= 0:
            due = min(due, len(after.queue))
            yield from self._spoken(
                self._settled(Spot(after, spot.inc, number, due, orphans, spot.lives, spot.hit))
            )

    def _matching(self, spot: Spot, sent: Sequence[Message]) -> list[Message]:
        rest, found = list(sent), []
        for orphan in self._gap.orphans[spot.orphans :]:
            if orphan.inc != spot.inc or orphan.message not in rest:
                break
            rest.remove(orphan.message)
            found.append(orphan.message)
        return found

    def _count(self, spot: Spot, sent: int, found: int) -> tuple[int, int]:
        """The last number after sending so many, and how many orphans are found; -1: too many."""
        number = spot.number + sent
        orphans = spot.orphans + found
        if found:
            number = max(number, self._gap.orphans[orphans - 1].number)
        following = self._gap.orphans[orphans : orphans + 1]
        if following and following[0].inc == spot.inc and following[0].number <= number:
            return -1, orphans
        return number, orphans

    def _spoken(self, spot: Spot) -> Iterable[Spot]:
        """With all orphans that a leader may send at this moment; it may send what it likes."""
        while True:
            target = self._target(spot)
            if target is None or target.inc != spot.inc or target.number <= spot.number:
                break
            state = self._sending(spot.state, target.message)
            if state is None:
                break
            spot = spot._replace(state=state, number=target.number, orphans=spot.orphans + 1)
        yield spot

    def _sending(self, s: Member, m: Message) -> Member | None:
        if not isinstance(m, Append | Snapshot) or s.role is not Role.LEADER:
            return None
        actor = self._gap.actor
        if isinstance(m, Snapshot):
            offered = actor.step(s, Offer(m.dst))
            return s if offered is not None and offered.sends == (m,) else None
        step = actor.step(s, Send(m.dst, m.prev, len(m.entries)))
        if step is not None and step.sends == (m,):
            return s
        if m.round == s.rounds + 1:
            asked = actor.step(s, Own.READ) or actor.step(s, Ask())
            if asked is not None:
                return self._sending(asked.state, m)  # type: ignore[arg-type]
        return None


def _plain(s: Member, before: int, *, is_due: bool) -> Member:
    """Without what waits for the disk: that was counted. A write of nothing new is none, unless
    it holds back what was seen.
    """
    queue = s.queue
    if len(queue) > before:
        kept = [write._replace(replies=frozenset()) for write in queue[before:]]
        written = queue[before - 1].disk if before else s.disk
        if not is_due and all(write.disk == written for write in kept):
            kept = []
        queue = (*queue[:before], *kept)
    return s._replace(queue=queue)
