"""One member of one Raft group: drives the core, makes it durable, applies, and answers.

The core decides and everything here obeys. A turn takes all that has arrived, steps the core,
sends at once what may be sent at once, and hands the rest to the persister; what commits meanwhile
is applied to the machine once it is durable here. Whoever proposed an entry is answered when it is
in this member's fsynced log, on a majority, and applied here (promise HS-3).
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from ..bugs import NAMES_ITSELF, READ_BEFORE_NOOP
from ..client.errors import RequestError, not_leader
from ..config import GroupConfig
from ..site import Site
from ..trace import GroupTrace, Uid, entry_digest
from .alarms import Alarms
from .applier import Applier
from .core import Core
from .debts import Answer, Debts, Proposal, Reader
from .machine import Machine, MachineError
from .messages import Kind, Message, SnapshotRequest
from .outbox import Outbox
from .owner import Owner
from .persister import Decision, Persister
from .ready import (
    Compacted,
    Event,
    Lost,
    Persisted,
    Proposed,
    ReadRequested,
    Ready,
    Received,
    Role,
    Timer,
    TimerFired,
    in_order,
)
from .snapshots import Snapshots
from .surroundings import Surroundings
from .wal import Wal

INSPECTED_ENTRIES = 8
"""How much of the end of a log `inspect` shows."""

NOTHING: Mapping[str, Any] = MappingProxyType({})

log = logging.getLogger("delphic.group")


class Group:
    """A member of a group. All calls and callbacks belong to the node's event loop."""

    # Invariant: what is owed is owed by a leader.

    def __init__(
        self,
        config: GroupConfig,
        core: Core,
        wal: Wal,
        machine: Machine,
        around: Surroundings,
        owner: Owner,
    ) -> None:
        self.id = config.id
        self._sites = {site.alias: site for site in config.sites}
        self._core = core
        self._machine = machine
        self._owner = owner
        self._around = around
        self._clock = around.runtime.clock
        self._alarms = Alarms(
            around.runtime.clock, around.runtime.randomness, around.tick_s, self._timer_fired
        )
        self._persister = Persister(
            wal,
            around.runtime.worker,
            durable=self._became_durable,
            failed=lambda error: self.fail(f"Raft log: {error}"),
            early=around.acks_early,
        )
        self._trace = GroupTrace(around.trace, config.id, core) if around.trace else None
        self._debts = Debts(core.bugs)
        self._is_scheduled = False
        self._is_closed = False
        self._inbox: list[tuple[Event, Uid | None]] = []
        self._lost: dict[str, int] = {}
        self._applier = Applier(core, machine, self._debts, owner)
        self.snapshots = Snapshots(
            config.id,
            core,
            machine,
            self._applier,
            around,
            wake=self._schedule,
            failed=lambda error: self.fail(f"{machine.what}: {error}"),
        )
        self._outbox = Outbox(config.id, around, self.snapshots.offer)

    # What the node asks.

    @property
    def leader(self) -> Site | None:
        """The leader as far as this member knows."""
        return self._sites[self._core.leader] if self._core.leader else None

    @property
    def core(self) -> Core:
        """For tools that look on, and do not touch."""
        return self._core

    @property
    def persister(self) -> Persister:
        """For tools that look on, as is the next."""
        return self._persister

    @property
    def is_leader(self) -> bool:
        return self._core.role is Role.LEADER

    @property
    def is_informed(self) -> bool:
        """Whether this member has applied all that older terms have committed."""
        log, applied = self._core.log, self._applier.applied
        return self.leader is not None and log.term_at(applied) == self._core.term

    @property
    def sites(self) -> list[str]:
        """All members."""
        return [str(site) for site in self._sites.values()]

    def not_leader(self) -> RequestError:
        """Promise HS-7: names the leader, or this member if it knows none."""
        knows = NAMES_ITSELF not in self._core.bugs
        return not_leader((knows and self.leader) or self._around.site)

    @property
    def applied(self) -> int:
        """The last entry that is applied here."""
        return self._applier.applied

    def propose(self, kind: Kind, payload: bytes, answer: Answer) -> None:
        """Log an entry; answers with what the machine says. Within `as_leader`.

        Raises RequestError when too much is owed.
        """
        self._debts.propose(Proposal(kind, payload, answer))

    def read(self, ready: Reader) -> None:
        """Let `ready` look at the machine, linearizably. Within `as_leader`, as is `propose`."""
        self._debts.read(ready)

    def deliver(self, message: Message, uid: Uid) -> None:
        """A peer's message arrived."""
        self._inbox.append((Received(message), uid))
        self._schedule()

    def status(self) -> dict[str, Any]:
        """What this member thinks and holds; not linearizable."""
        core = self._core
        return {
            "alias": self._around.site.alias,
            "role": core.role,
            "term": core.term,
            "leader": core.leader,
            "commit": core.commit,
            "applied": self._applier.applied,
            "last": core.log.last_index,
            "lost": dict(self._lost),
            **self._owner.status(),
            "snapshots": self.snapshots.status(),
        }

    def inspect(self) -> dict[str, Any]:
        """The status, the vote, and the end of the log."""
        core = self._core
        log, last = core.log, core.log.last_index
        shown = range(max(log.base_index, last - INSPECTED_ENTRIES) + 1, last + 1)
        entries = [entry_digest(index, log.entry(index)) for index in shown]
        return self.status() | {"vote": core.vote, "entries": entries}

    def start(self) -> None:
        """Begin to take part."""
        if self._trace is not None:
            self._trace.boot()
        self._alarms.arm(Timer.ELECTION)
        self.snapshots.start()

    def close(self) -> None:
        """Take part no more; calls under way are not answered, their connections end."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._trace is not None:
            self._trace.stop()
        self._alarms.close()
        self._outbox.close()
        self._owner.closed()
        self.snapshots.close()
        self._machine.close()

    # A turn: everything that arrived, then the disk, then what committed.

    def as_leader(self, go: Callable[[], None], answer: Answer, size: int = 0) -> None:
        """Do what only a leader does, once it has applied all that its predecessors committed.

        `size`: the bytes that are kept until then.
        """
        if not self.is_leader:
            answer(self.not_leader())
            return
        if not self._applier.serves:
            self._applier.wait(go, answer, size)
            return
        try:
            go()
        except RequestError as error:
            answer(error)
            return
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled and not self._is_closed:
            self._is_scheduled = True
            self._clock.call_soon(self._turn)

    def _timer_fired(self, timer: Timer) -> None:
        self._inbox.append((TimerFired(timer), None))
        self._schedule()

    def _turn(self) -> None:
        self._is_scheduled = False
        if self._is_closed:
            return
        inbox, self._inbox = self._inbox, []
        for event, uid in inbox:
            if isinstance(event, Received) and isinstance(event.message, SnapshotRequest):
                self.snapshots.heard(event.message, partial(self._step, event, uid))
            else:
                self._step(event, uid)
        if self._debts.has_news:
            self._propose(self._debts.take_proposals())
            tokens = self._debts.take_reads()
            if tokens:
                self._step(ReadRequested(tokens))
        self._persister.kick()
        if self._is_closed:
            return
        applied = self._applier.applied
        try:
            has_more = self._applier.apply()
            begins = self.snapshots.go_on()
        except (OSError, MachineError) as error:
            self.fail(f"{self._machine.what}: {error}")
            return
        if self._applier.applied > applied:
            self._owner.advanced()
        for go, answer in self._applier.take_waiting():
            self.as_leader(go, answer)
        if begins is not None:
            self._step(Compacted(begins))
        if has_more or begins is not None:
            self._schedule()

    def _propose(self, proposals: list[Proposal]) -> None:
        if not proposals:
            return
        ready = self._step(Proposed(tuple((p.kind, p.payload) for p in proposals)))
        if ready.refused:
            self._debts.refused(proposals, self.not_leader())
        else:
            assert ready.proposed is not None
            first, last = ready.proposed
            assert last - first + 1 == len(proposals)
            self._debts.logged(first, proposals)
            self._owner.logged(proposals)

    def _step(
        self, event: Event, uid: Uid | None = None, traced: Mapping[str, Any] = NOTHING
    ) -> Ready:
        was_leader = self.is_leader
        ready = self._core.step(event)
        for timer in in_order(ready.disarm):
            self._alarms.disarm(timer)
        for timer in in_order(ready.arm):
            self._alarms.arm(timer)
        out = self._outbox.framed(ready.messages)
        held = self._outbox.framed(ready.after_persist)
        step = 0
        if self._trace is not None:
            step = self._trace.step(event, uid, ready, out, held, traced)
        if held or ready.writes:
            self._persister.add(Decision(step, ready, held))
        self._outbox.send(out)
        for token, index in ready.reads:
            self._debts.confirm(token, index)
        for token in ready.reads_refused:
            self._debts.refuse_read(token, self.not_leader())
        if ready.role_changed:
            self._changed_role(was_leader=was_leader)
        if ready.lost is not None:
            self._noticed(ready.lost)
        return ready

    def _became_durable(self, batch: list[Decision]) -> None:
        """A sync ended: release what waited for it, and let the core count this member."""
        if self._is_closed:
            return
        released = [frame for decision in batch for frame in decision.held]
        through = batch[-1].step
        last = next((last for d in reversed(batch) if (last := d.ready.last) is not None), None)
        self._outbox.send(released)
        for decision in batch:
            if decision.ready.installs and decision.ready.base is not None:
                self.snapshots.install(decision.ready.base)
        if last is not None:
            index, term = last
            traced: dict[str, Any] = {}
            if self._trace is not None:
                traced = {"through": through, "released": self._trace.uids(released)}
            self._step(Persisted(index, term), traced=traced)
        elif self._trace is not None:
            self._trace.durable(through, released)
        self._schedule()

    def _noticed(self, lost: Lost) -> None:
        """A peer's disk lost entries: it gets them again, and people should look at the disk."""
        self._lost[lost.member] = lost.acknowledged
        log.error(
            "group %d: %s had acknowledged all entries up to %d and lacks that one now (it has no "
            "more than %d): its disk has lost them; they are sent once more",
            self.id,
            lost.member,
            lost.acknowledged,
            lost.left,
        )

    def _changed_role(self, *, was_leader: bool) -> None:
        core = self._core
        leader = core.leader or "unknown"
        log.info("group %d: %s in term %d, leader %s", self.id, core.role, core.term, leader)
        if self.is_leader:
            # The first entry of its own term is the last one now. Before the owner hears that it
            # leads: what it begins then waits for that entry, too.
            is_hasty = READ_BEFORE_NOOP in core.bugs
            self._applier.serve_from(0 if is_hasty else core.log.last_index)
        self._owner.changed_role()
        if was_leader and not self.is_leader:
            self.snapshots.follow()
            error = self.not_leader()
            self._debts.default(error)
            self._applier.refuse_waiting(error)
            self._owner.stood_down(error)

    def fail(self, reason: str) -> None:
        """The disk failed: nothing that this member says from now on could be true."""
        self.close()
        self._around.failed(f"group {self.id}: {reason}")
