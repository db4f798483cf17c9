"""What is known of one Raft group: messages, promises, members, and how their processes end."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....model.raft_built import images
from ....model.raft_types import NOBODY, Disk, Message
from ...clocks import Clocks
from ...traces import Record
from ..raft.refine import unbounded
from ..raft.terms import log_of
from . import gap
from .coverage import Counting
from .finding import Rejected, Undecided, place_of, state_of
from .guess import Orphan
from .promises import Promises
from .replay import Replay
from .wire import Arrival, Sent, Wire
from .words import Words

NEW = Disk(0, NOBODY, log_of(()))
"""What a member finds that has never been."""

INPUTS_MAX = 400
"""Different messages that a search in a gap looks at."""

LONG_AGO_NS = 1_000_000_000
"""What was sent so long before a process's last line is looked at last."""

SHOWN_MAX = 4


@dataclass(frozen=True, slots=True)
class Bridged:
    """That an end of a process is explained, or why nobody knows."""

    was_searched: bool = False
    undecided: Undecided | None = None


class Group:
    """What is known of one group."""

    def __init__(self, words: Words, clocks: Clocks) -> None:
        """`words` know the group's members, which need not be all members that there are."""
        self._clocks = clocks
        self.wire = Wire()
        self.counting = Counting()
        self.words = words
        promises = Promises()
        self.replays = {
            node: Replay(words, node, self.wire, promises, self.counting) for node in words.aliases
        }

    def bridge(self, node: str, record: Record | None, disk: Disk | None) -> "Bridged":
        """From the last record of a process to what is known to come of it. Raises Rejected.

        `record` is the `boot` of the next one, which found `disk`; both None if there was none.
        """
        replay = self.replays[node]
        last = replay.last
        inc = last.inc if last is not None else 0
        until = record.inc if record is not None else max(inc, self.wire.last_heard(node)) + 1
        orphans = self.wire.orphans(node, range(max(inc, 1), until))
        if last is None:
            replay.refiner.boot(NEW)
        if not orphans and (disk is None or gap.leaves(replay.refiner.state, disk)):
            return Bridged()
        unknown = self._gap(replay, last, orphans, disk, lives=max(0, until - inc - 1))
        is_complete = replay.is_stopped and until == inc + 1
        answer = False if is_complete else gap.bridge(unknown)
        if answer:
            return Bridged(was_searched=True)
        about = record or last
        if answer is False:
            raise self._unbridged(node, about, unknown)
        tried = (
            f"{INPUTS_MAX:,} of the messages that may have arrived"
            if unknown.is_cut
            else f"{gap.STEPS_MAX:,} steps that were tried"
        )
        told = (
            f"the end of incarnation {inc} of {node} is lost: {len(unknown.orphans)} messages of "
            f"it arrived, and {tried} did not explain them"
            f"{' and the disk that was found' if disk is not None else ''}"
        )
        return Bridged(was_searched=True, undecided=Undecided(place_of(node, about), told))

    def may_lack_the_end(self, node: str, disk: Disk) -> bool:
        """Whether this may be the log that is known of a member, without its end."""
        log = self.replays[node].refiner.state.log
        size = min(len(log), len(disk.log))
        return log[:size] == disk.log[:size]

    def _gap(
        self,
        replay: Replay,
        last: Record | None,
        orphans: Sequence[Arrival],
        disk: Disk | None,
        *,
        lives: int,
    ) -> gap.Gap:
        words, node = self.words, replay.node
        waits = {a.uid for a in orphans if a.uid in self.wire.sent}
        behind = [
            n for n, one in enumerate(replay.waiting, start=1) if waits.intersection(one.held)
        ]
        inc = last.inc if last is not None else 0
        life = self.wire.lives.get((node, inc))
        inputs, is_cut = self._inputs(replay, inc)
        return gap.Gap(
            actor=unbounded(len(words.aliases)),
            state=replay.refiner.state,
            inc=inc,
            number=life.numbers if life is not None else 0,
            release=replay.refiner.writes(max(behind, default=0)),
            orphans=tuple(
                Orphan(a.uid[1], a.uid[2], words.message(node, a.place.node, a.message))
                for a in orphans
                if a.uid not in waits
            ),
            inputs=inputs,
            found=disk,
            lives=lives,
            peers_lost=frozenset(
                words.number(peer) for peer in words.aliases if peer != node and self._lost(peer)
            ),
            is_cut=is_cut,
        )

    def _unbridged(self, node: str, record: Record | None, unknown: gap.Gap) -> Rejected:
        found = unknown.found
        told: dict[str, Any] = {}
        if found is not None:
            told = {
                "term": found.term,
                "vote": self.words.alias(found.vote),
                "log": f"{len(found.log)} entries {found.log}",
            }
        reason = (
            "the disk holds what the process before cannot have left: all that was durable, and "
            "a beginning of what was written after"
            if not unknown.orphans
            else f"{len(unknown.orphans)} messages arrived that the process before cannot have sent"
        )
        before = state_of(unknown.state, self.words)
        disks = dict.fromkeys(images(unknown.state))
        model = {
            "possible": [
                f"term {d.term}, vote {self.words.alias(d.vote) or 'none'}, "
                f"{len(d.log)} entries {d.log}"
                for d in list(disks)[:SHOWN_MAX]
            ]
        }
        return Rejected(
            place_of(node, record),
            "recovery",
            reason,
            field="disk",
            before=before,
            model=model,
            found=told,
            record=record,
        )

    def _lost(self, node: str) -> bool:
        """Whether lines of this member may be missing."""
        lives = [life for (name, _), life in self.wire.lives.items() if name == node]
        return not lives or not all(life.is_stopped for life in lives)

    def _inputs(self, replay: Replay, inc: int) -> tuple[tuple[Message, ...], bool]:
        """Different messages that were sent to a member and that it never took in, the likeliest
        to have arrived at the end of this incarnation first; whether there are more.
        """
        wire, node = self.wire, replay.node
        open_ = [
            sent
            for uid, sent in wire.sent.items()
            if sent.message.dst == node and uid not in wire.arrived
        ]
        found: dict[Message, None] = {}
        for sent in self._by_time(replay, open_) or self._by_sender(node, inc, open_):
            found[self.words.message(sent.node, node, sent.message)] = None
            if len(found) > INPUTS_MAX:
                break
        return tuple(found)[:INPUTS_MAX], len(found) > INPUTS_MAX

    def _by_time(self, replay: Replay, open_: Sequence[Sent]) -> list[Sent] | None:
        """What was sent before the process began hardly arrived, what was sent long before its
        last line neither. None where nobody knows what a clock says.
        """
        last, at_ns = replay.last, self._clocks.at_ns
        began = at_ns(replay.node, replay.began_ns)
        since = at_ns(replay.node, last.t_ns if last is not None else 0)
        times = [at_ns(sent.node, sent.t_ns) for sent in open_]
        if began is None or since is None or None in times:
            return None
        # Two clocks are as near to each other as they are known, which is no order of steps.
        keyed = [
            (t < began, t < since - LONG_AGO_NS, t, n) for n, t in enumerate(times) if t is not None
        ]
        return [open_[n] for *_, n in sorted(keyed)]

    def _by_sender(self, node: str, inc: int, open_: Sequence[Sent]) -> list[Sent]:
        """Of each sender first what it sent after the last message of it that is known to have
        arrived in this incarnation or before, in its order; senders take turns.
        """
        heard: dict[str, tuple[int, int]] = {}
        for (source, life, number), arrival in self.wire.arrived.items():
            if arrival.record.node == node and arrival.record.inc <= inc:
                heard[source] = max(heard.get(source, (0, 0)), (life, number))
        ranks: Counter[tuple[bool, str]] = Counter()
        keyed = []
        for n, sent in enumerate(open_):
            uid = sent.message.uid
            assert uid is not None
            is_past = uid[1:] < heard.get(sent.node, (0, 0))
            ranks[is_past, sent.node] += 1
            keyed.append((is_past, ranks[is_past, sent.node], sent.node, n))
        return [open_[n] for *_, n in sorted(keyed)]
