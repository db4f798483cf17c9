"""Describes the steps of replication's cores, one line each; see docs/traces.md."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET

from ..trace import TraceFile
from .dispatcher import Dispatcher
from .effects import Effect
from .events import MasterEntry, News, SlaveEntry
from .master import Master, MasterEffects
from .slave import Slave, SlaveEffects

MASTER = "master"
SLAVE = "slave"
DISPATCHER = "dispatcher"


class ReplicationTrace:
    """Of one node. `index`: which entry of the log a core has just applied; equal on all nodes."""

    def __init__(self, file: TraceFile) -> None:
        self._file = file

    def master_boot(self, index: int, master: Master) -> None:
        """What a checkpoint held, or a snapshot from another node."""
        event = {"kind": "boot", "state": fields(master.dump())}
        self._file.write_core(MASTER, event, master_post(master), index=index)

    def master_step(
        self, index: int, entry: MasterEntry, effects: MasterEffects, master: Master
    ) -> None:
        """An entry that was applied, and what it came to."""
        post = master_post(master)
        self._file.write_core(MASTER, told(entry), post, out=fields(effects), index=index)

    def slave_boot(self, index: int, slave: Slave) -> None:
        """What a checkpoint held, or a snapshot from another node."""
        event = {"kind": "boot", "state": fields(slave.dump())}
        self._file.write_core(SLAVE, event, slave_post(slave, slave.records), index=index)

    def slave_step(
        self, index: int, entry: SlaveEntry, effects: SlaveEffects, slave: Slave
    ) -> None:
        """An entry that was applied, and what it came to."""
        post = slave_post(slave, effects.changed)
        out = {"refusal": effects.refusal} if effects.refusal else UNSET
        self._file.write_core(SLAVE, told(entry), post, out=out, index=index)

    def news(self, news: News, effects: Iterable[Effect], dispatcher: Dispatcher) -> None:
        """A step of the leader."""
        out = [told(effect) for effect in effects]
        self._file.write_core(DISPATCHER, told(news), fields(dispatcher.dump()), out=out)


def told(event: msgspec.Struct) -> dict[str, Any]:
    """What happened, or is asked for, with its fields by name. An entry in it is told alike."""
    found = {"kind": type(event).__name__.lower()} | fields(event)
    if isinstance(entry := found.get("entry"), msgspec.Struct):
        found["entry"] = told(entry)
    return found


def fields(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields of a struct by name; structs in it stay as they are written on the wire."""
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def master_post(master: Master) -> dict[str, Any]:
    """The state after a step, but for the tasks: those are in `out` of the step that made them."""
    return {
        "status": master.status,
        "flagged": sorted(master.flagged),
        "head": master.head,
        "next": master.next,
        "group": master.group,
        "slaves": {name: slave.finished for name, slave in sorted(master.slaves.items())},
    }


def slave_post(slave: Slave, changed: Iterable[int]) -> dict[str, Any]:
    """The state after a step; of the tasks those that it changed: id, state, failures."""
    records = [slave.records[task_id] for task_id in changed if task_id in slave.records]
    return {
        "status": slave.status,
        "offset": slave.offset,
        "finished": slave.finished,
        "tasks": [[record.task.id, record.state, record.failures] for record in records],
    }
