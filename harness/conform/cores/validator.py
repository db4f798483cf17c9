"""All traces of one cluster's cores against the model, and against each other.

Every controller applies the same entries and traces them, so there are three things to ask: is each
step the model's; is what stands at one index of the log the same on all; and does a process begin
with what the log had made of it, and lead when it has applied all that it knew (recovery).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ...traces import CoreRecord
from .finding import Followed, Unlike
from .master import MasterReplay
from .names import Names
from .queue import Queue
from .slave import SlaveReplay

CORES = ("master", "slave")
LEADER = "dispatcher"


def follow(
    traces: Mapping[str, Sequence[CoreRecord]],
    limit: int | None = None,
    nodes: Sequence[str] = (),
    queue: Queue | None = None,
) -> Followed:
    """The traces of all controllers of a cluster, by alias; so many failures stop a slave.

    `nodes`: its data nodes in configured order; none: whichever they name is believed. `queue`: the
    master's tasks, which a slave's must be; None: they are not compared.
    """
    names = Names((record for records in traces.values() for record in records), limit)
    found = Followed()
    agreed = Agreed(traces)
    for node in sorted(traces):
        try:
            _Node(names, agreed, found, nodes, queue).follow(traces[node])
        except Unlike as unlike:
            found.unlike.append(unlike)
    found.unlike.sort(key=lambda unlike: unlike.record.t_ns)
    return found


class Agreed:
    """What stands at each index: alike on all nodes, in all lives.

    Equal entries make equal states, so states are compared only where a process begins.
    """

    def __init__(self, traces: Mapping[str, Sequence[CoreRecord]]) -> None:
        self._begins = {
            (record.group, record.index)
            for records in traces.values()
            for record in records
            if record.event["kind"] == "boot"
        }
        self._entries: dict[tuple[str, int], Any] = {}
        self._states: dict[tuple[str, int], Any] = {}

    def entry(self, record: CoreRecord) -> None:
        """Raises Unlike."""
        known = self._entries.setdefault((record.group, record.index), record.event)
        if known != record.event:
            raise Unlike(record, "agreement", "entry at this index", known, record.event)

    def state(self, record: CoreRecord, replay: MasterReplay | SlaveReplay) -> None:
        """After the record. Raises Unlike."""
        at = (record.group, record.index)
        if at not in self._begins:
            return
        found = replay.summary()
        known = self._states.setdefault(at, found)
        if known != found:
            raise Unlike(record, "recovery", "state at this index", known, found)


class _Node:
    """One controller, from its first process to its last."""

    def __init__(
        self,
        names: Names,
        agreed: "Agreed",
        found: Followed,
        nodes: Sequence[str],
        queue: Queue | None,
    ) -> None:
        self._nodes = nodes
        self._queue = queue
        self._names = names
        self._agreed = agreed
        self._found = found
        self._replays: dict[str, MasterReplay | SlaveReplay] = {}
        self._at: dict[str, int] = {}
        self._known = 0
        """The last entry that any life has applied: the log of the next one has it, too."""
        self._last: CoreRecord | None = None

    def follow(self, records: Sequence[CoreRecord]) -> None:
        """All of it. Raises Unlike."""
        for record in records:
            self._continue(record)
            self._found.count(record)
            if record.group == LEADER:
                self._lead(record)
            elif record.event["kind"] == "boot":
                self._boot(record)
            else:
                self._entry(record)

    def _continue(self, record: CoreRecord) -> None:
        """Numbers have no gap in a life."""
        last, self._last = self._last, record
        if last is None or record.inc > last.inc:
            self._found.lives += 1
            self._replays.clear()
            expected = (record.inc, 0)
        else:
            expected = (last.inc, last.seq + 1)
        if (record.inc, record.seq) != expected:
            raise Unlike(record, "continuity", "number", expected, (record.inc, record.seq))

    def _boot(self, record: CoreRecord) -> None:
        """A checkpoint, or a snapshot from another node, has what the log had at its index."""
        known = record.group == "master"
        replay = MasterReplay(self._names) if known else SlaveReplay(self._names, self._nodes)
        replay.boot(record)
        self._replays[record.group] = replay
        self._at[record.group] = record.index
        self._agreed.state(record, replay)

    def _entry(self, record: CoreRecord) -> None:
        replay = self._replays.get(record.group)
        if replay is None:
            raise Unlike(record, "continuity", "first record", "boot", record.event["kind"])
        self._at[record.group] += 1
        if record.index != self._at[record.group]:
            raise Unlike(record, "continuity", "index", self._at[record.group], record.index)
        replay.follow(record)
        if record.group == "slave":
            self._known = max(self._known, record.index)
            if record.event["kind"] == "queued" and not record.out:
                self._queued(record)
        self._agreed.entry(record)
        self._agreed.state(record, replay)

    def _queued(self, record: CoreRecord) -> None:
        """G3, PR-6: id, group and transaction are the master's. Raises Unlike."""
        if self._queue is None:
            return
        for task in record.event["tasks"]:
            known = self._queue.get(task[0])
            if known is None:
                self._found.unknown.add(task[0])
            elif known != task:
                raise Unlike(record, "queue", "task of the master", known, task)

    def _lead(self, record: CoreRecord) -> None:
        replay = self._replays.get("slave")
        if not isinstance(replay, SlaveReplay):
            raise Unlike(record, "continuity", "first record", "boot", record.event["kind"])
        if record.event["kind"] == "led" and self._at["slave"] < self._known:
            what = "entries applied by who leads"
            raise Unlike(record, "recovery", what, self._known, self._at["slave"])
        replay.lead(record)
