"""Replication's cores in their place in the catalog: each a `Seat` (impl/cluster/seat.py).

Every controller steps them alike. A seat counts its steps, so that traces of controllers can be
compared; what it dumps begins with that number.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from ..bugs_of_replication import RECORDED_AT_BEGIN
from ..client.errors import ABORTED, ALREADY_APPLIED, BAD_REQUEST, READ_ONLY, RequestError
from ..cluster.seat import Nobody, Seat
from .events import (
    Completed,
    Failed,
    Finished,
    FlagSet,
    MasterEntry,
    Pulled,
    Queued,
    Recorded,
    Skipped,
    SlaveEntry,
    SlaveForgotten,
    Started,
    Stopped,
)
from .master import Master, MasterEffects, MasterState
from .options import ReplicationOptions
from .slave import Admission, Slave, SlaveState
from .tasks import TaskMeta
from .tracing import ReplicationTrace

T = TypeVar("T")


class Learned(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A slave was told where all controllers of its master are, as host:port."""

    masters: tuple[str, ...]


class SavedMaster(msgspec.Struct, frozen=True, array_like=True):
    """What a master's seat dumps."""

    steps: int = 0
    state: MasterState = MasterState()


class SavedSlave(msgspec.Struct, frozen=True, array_like=True):
    """What a slave's seat dumps."""

    steps: int = 0
    masters: tuple[str, ...] = ()
    state: SlaveState = SlaveState()


_encoder = msgspec.msgpack.Encoder()
_of_master: msgspec.msgpack.Decoder[Started | Stopped | Pulled | SlaveForgotten] = (
    msgspec.msgpack.Decoder(Started | Stopped | Pulled | SlaveForgotten)
)
_of_slave: msgspec.msgpack.Decoder[Started | Stopped | Queued | Failed | Skipped | Learned] = (
    msgspec.msgpack.Decoder(Started | Stopped | Queued | Failed | Skipped | Learned)
)
_saved_master = msgspec.msgpack.Decoder(SavedMaster)
_saved_slave = msgspec.msgpack.Decoder(SavedSlave)


def encode_entry(entry: MasterEntry | SlaveEntry | Learned) -> bytes:
    """As the log holds it."""
    return _encoder.encode(entry)


def _decoded(decoder: msgspec.msgpack.Decoder[T], entry: bytes) -> T | RequestError:
    try:
        return decoder.decode(entry)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return RequestError(BAD_REQUEST, True, f"no entry of this side: {error}")


class MasterSeat:
    """The queue of a master."""

    def __init__(
        self,
        data: bytes,
        bugs: frozenset[str] = frozenset(),
        trace: ReplicationTrace | None = None,
    ) -> None:
        """From what was dumped; raises msgspec.DecodeError."""
        saved = _saved_master.decode(data) if data else SavedMaster()
        self._steps = saved.steps
        self.master = Master(saved.state, bugs)
        self._trace = trace
        if trace is not None:
            trace.master_boot(self._steps, self.master)

    def dump(self) -> bytes:
        return _encoder.encode(SavedMaster(self._steps, self.master.dump()))

    def step(self, entry: bytes) -> Any:
        found = _decoded(_of_master, entry)
        if isinstance(found, RequestError):
            return found
        effects = self._apply(found)
        return RequestError(BAD_REQUEST, True, effects.refusal) if effects.refusal else None

    def refusal(self, database: str, applied: int | None) -> RequestError | None:
        if applied is None:
            return None
        return RequestError(BAD_REQUEST, True, "a master executes no tasks")

    def replicates(self, database: str) -> bool:
        return self.master.replicates(database)

    def is_on(self) -> bool:
        return self.master.is_on

    def set_flag(self, database: str, on: bool) -> None:
        self._apply(FlagSet(database, on))

    def completed(self, meta: TaskMeta, flagged: bool) -> int:
        enqueued = self._apply(Completed(meta, flagged)).enqueued
        return 0 if enqueued is None else enqueued.id

    def recorded(self, task: int) -> RequestError | None:
        return self.refusal("", task)

    def finished(self, task: int, node: str, at_ns: int) -> None:
        """A master executes no tasks."""

    def _apply(self, entry: MasterEntry) -> MasterEffects:
        self._steps += 1
        effects = self.master.step(entry)
        if self._trace is not None:
            self._trace.master_step(self._steps, entry, effects, self.master)
        return effects


class SlaveSeat:
    """The tasks of a slave. `heard` is called after each step, and may be replaced."""

    def __init__(
        self,
        data: bytes,
        bugs: frozenset[str] = frozenset(),
        trace: ReplicationTrace | None = None,
    ) -> None:
        """From what was dumped; raises msgspec.DecodeError."""
        saved = _saved_slave.decode(data) if data else SavedSlave()
        self._steps = saved.steps
        self.masters = saved.masters
        self.slave = Slave(saved.state, bugs)
        self.heard: Callable[[SlaveEntry], None] = _ignore
        self._is_hasty = RECORDED_AT_BEGIN in bugs
        self._trace = trace
        if trace is not None:
            trace.slave_boot(self._steps, self.slave)

    def dump(self) -> bytes:
        return _encoder.encode(SavedSlave(self._steps, self.masters, self.slave.dump()))

    def step(self, entry: bytes) -> Any:
        found = _decoded(_of_slave, entry)
        if isinstance(found, RequestError):
            return found
        if isinstance(found, Learned):
            self.masters = found.masters
            return None
        refusal = self._apply(found)
        return RequestError(BAD_REQUEST, True, refusal) if refusal else None

    def refusal(self, database: str, applied: int | None) -> RequestError | None:
        if applied is not None:
            refusal = self._admitted(applied)
            if refusal is None and self._is_hasty:
                self._apply(Recorded(applied))
                self._apply(Finished(applied, "", self.slave.records[applied].created_ns))
            return refusal
        if not self.slave.guards(database):
            return None
        message = (
            f"The chunk <{database}> is being replicated in the slave cluster for cluster "
            "replication. Please stop cluster replication first. RefId: S01023"
        )
        return RequestError(READ_ONLY, True, message)

    def replicates(self, database: str) -> bool:
        return False

    def is_on(self) -> bool:
        return False

    def set_flag(self, database: str, on: bool) -> None:
        """Databases are switched on the master."""

    def completed(self, meta: TaskMeta, flagged: bool) -> int:
        return 0

    def recorded(self, task: int) -> RequestError | None:
        if self._is_hasty:
            return None
        refusal = self._admitted(task)
        if refusal is None:
            self._apply(Recorded(task))
        return refusal

    def finished(self, task: int, node: str, at_ns: int) -> None:
        self._apply(Finished(task, node, at_ns))

    def _admitted(self, task: int) -> RequestError | None:
        match self.slave.admits(task):
            case Admission.WELCOME:
                return None
            case Admission.DONE:
                return RequestError(ALREADY_APPLIED, True, f"task {task} is done: S01039")
            case Admission.NOT_NOW:
                return RequestError(ABORTED, True, f"task {task} does not wait")

    def _apply(self, entry: SlaveEntry) -> str:
        self._steps += 1
        effects = self.slave.step(entry)
        if self._trace is not None:
            self._trace.slave_step(self._steps, entry, effects, self.slave)
        self.heard(entry)
        return effects.refusal


def seat(
    options: ReplicationOptions,
    data: bytes,
    bugs: frozenset[str] = frozenset(),
    trace: ReplicationTrace | None = None,
) -> Seat:
    """What the configuration makes of this cluster, as it was dumped; from nothing at first.

    Raises msgspec.DecodeError: also where a master has become a slave.
    """
    if options.slave_count_max is not None:
        return MasterSeat(data, bugs, trace)
    if options.master_site is not None:
        return SlaveSeat(data, bugs, trace)
    return Nobody()


def _ignore(_: SlaveEntry) -> None:
    """Who does not lead has nothing to do."""
