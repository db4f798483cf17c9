"""The cores of replication as parts of the catalog: what transactions and operators come to."""

from collections.abc import Callable
from typing import Any

import msgspec

from ..client.errors import ABORTED, ALREADY_APPLIED, BAD_REQUEST, READ_ONLY, RequestError
from ..cluster.seat import NOT_CONFIGURED, Nobody, Seat
from .events import Completed, Finished, FlagSet, MasterEntry, Recorded, SlaveEntry
from .master import Master, MasterEffects, MasterState
from .options import ReplicationOptions
from .slave import Admission, Slave, SlaveEffects, SlaveState
from .tasks import TaskMeta

Heard = Callable[[Any, Any], None]
"""Hears each entry when it is applied, and its effects: the trace, and the leader's driver."""

_encoder = msgspec.msgpack.Encoder()
_master_entries: msgspec.msgpack.Decoder[MasterEntry] = msgspec.msgpack.Decoder(MasterEntry)
_slave_entries: msgspec.msgpack.Decoder[SlaveEntry] = msgspec.msgpack.Decoder(SlaveEntry)


def encode_entry(entry: MasterEntry | SlaveEntry) -> bytes:
    """As a Replicate command carries it."""
    return _encoder.encode(entry)


class MasterSeat:
    """A `Seat`."""

    def __init__(self, master: Master, heard: Heard) -> None:
        self.master = master
        self._heard = heard

    def step(self, entry: bytes) -> Any:
        try:
            effects = self._apply(_master_entries.decode(entry))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return RequestError(BAD_REQUEST, True, f"no entry of a master: {error}")
        return RequestError(BAD_REQUEST, True, effects.refusal) if effects.refusal else None

    def refusal(self, database: str, applied: int | None) -> RequestError | None:
        return None if applied is None else _not_a_slave()

    def replicates(self, database: str) -> bool:
        return self.master.replicates(database)

    def set_flag(self, database: str, on: bool) -> None:
        self._apply(FlagSet(database, on))

    def completed(self, meta: TaskMeta, flagged: bool) -> int:
        task = self._apply(Completed(meta, flagged)).enqueued
        return 0 if task is None else task.id

    def recorded(self, task: int) -> RequestError | None:
        return _not_a_slave()

    def finished(self, task: int, node: str, at_ns: int) -> None:
        raise AssertionError("a master executes no tasks")

    def dump(self) -> bytes:
        return _encoder.encode(self.master.dump())

    def _apply(self, entry: MasterEntry) -> MasterEffects:
        effects = self.master.step(entry)
        self._heard(entry, effects)
        return effects


class SlaveSeat:
    """A `Seat`."""

    def __init__(self, slave: Slave, heard: Heard) -> None:
        self.slave = slave
        self._heard = heard

    def step(self, entry: bytes) -> Any:
        try:
            effects = self._apply(_slave_entries.decode(entry))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return RequestError(BAD_REQUEST, True, f"no entry of a slave: {error}")
        return RequestError(BAD_REQUEST, True, effects.refusal) if effects.refusal else None

    def refusal(self, database: str, applied: int | None) -> RequestError | None:
        if applied is not None:
            return self._unwelcome(applied)
        if not self.slave.guards(database):
            return None
        message = (
            f"The chunk <{database}> is being replicated in the slave cluster for cluster "
            "replication. Please stop cluster replication first. RefId: S01023"
        )
        return RequestError(READ_ONLY, True, message)

    def replicates(self, database: str) -> bool:
        return False

    def set_flag(self, database: str, on: bool) -> None:
        """Only a master has flags."""

    def completed(self, meta: TaskMeta, flagged: bool) -> int:
        return 0

    def recorded(self, task: int) -> RequestError | None:
        unwelcome = self._unwelcome(task)
        if unwelcome is None:
            self._apply(Recorded(task))
        return unwelcome

    def finished(self, task: int, node: str, at_ns: int) -> None:
        self._apply(Finished(task, node, at_ns))

    def dump(self) -> bytes:
        return _encoder.encode(self.slave.dump())

    def _unwelcome(self, task: int) -> RequestError | None:
        match self.slave.admits(task):
            case Admission.WELCOME:
                return None
            case Admission.DONE:
                return RequestError(ALREADY_APPLIED, True, f"task {task} is done. RefId: S01039")
            case Admission.NOT_NOW:
                return RequestError(ABORTED, True, f"task {task} is not to be executed now")

    def _apply(self, entry: SlaveEntry) -> SlaveEffects:
        effects = self.slave.step(entry)
        self._heard(entry, effects)
        return effects


def seat(options: ReplicationOptions, state: bytes, bugs: frozenset[str], heard: Heard) -> Seat:
    """What the configuration makes of this cluster, as it was dumped; from nothing at first.

    Raises msgspec.DecodeError. A cluster that was a master or a slave, and is so no more, forgets.
    """
    if options.slave_count_max is not None:
        found = msgspec.msgpack.decode(state, type=MasterState) if state else None
        return MasterSeat(Master(options.slave_count_max, found, bugs), heard)
    if options.master_site is not None:
        kept = msgspec.msgpack.decode(state, type=SlaveState) if state else None
        return SlaveSeat(Slave(options.failure_limit, kept, bugs), heard)
    return Nobody()


def _not_a_slave() -> RequestError:
    return RequestError(BAD_REQUEST, True, NOT_CONFIGURED)
