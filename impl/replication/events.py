"""What happens to the cores of replication: entries of the controllers' log, and a leader's news.

Entries are applied by every controller, in the order of the log; they carry the time of day of
whoever proposed them, so that all come to the same state. News are the leader's alone.
"""

from enum import StrEnum

import msgspec

from .tasks import Task, TaskMeta


class Started(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An operator called startClusterReplication."""


class Stopped(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An operator called stopClusterReplication."""


class FlagSet(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An operator switched a database's replication on or off."""

    database: str
    on: bool


class Completed(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """On a master, a transaction is complete: of whatever database, replicated or not.

    `flagged`: its database's switch was on when it began.
    """

    meta: TaskMeta
    flagged: bool


class Pulled(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A slave asks for what comes behind task `offset`, and has done all up to `finished`.

    `site` is the controller that asks, `controllers` are all of that cluster, as host:port; they
    are what a slave is known by, so that it stays the same one when another of them leads.
    `slaves_max`: so many slaves the master's leader allows; its file may say otherwise later.
    """

    site: str
    controllers: tuple[str, ...]
    offset: int
    finished: int
    at_ns: int
    slaves_max: int

    @property
    def slave(self) -> str:
        """Who asks, whichever controller it is that does."""
        return ",".join(sorted(self.controllers))


class SlaveForgotten(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An operator called forgetReplicationSlave: this slave is no more. `slave`: as in `Pulled`."""

    slave: str


class Queued(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A slave takes what it pulled."""

    tasks: tuple[Task, ...]
    at_ns: int


class Recorded(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The commit of the transaction that executes this task."""

    task: int


class Finished(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The transaction that executes this task is complete; `node` coordinated it."""

    task: int
    node: str
    at_ns: int


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An attempt to execute this task failed.

    `limit`: so many in a row stop the slave, as its leader is configured; its file may say
    otherwise when the entry is replayed.
    """

    task: int
    node: str
    reason: str
    at_ns: int
    limit: int


class Skipped(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An operator called skipClusterReplicationTask."""

    tasks: tuple[int, ...]
    at_ns: int


MasterEntry = Started | Stopped | FlagSet | Completed | Pulled | SlaveForgotten
SlaveEntry = Started | Stopped | Queued | Recorded | Finished | Failed | Skipped


class Led(msgspec.Struct, frozen=True):
    """This controller leads, and has applied all that its predecessors committed."""


class StoodDown(msgspec.Struct, frozen=True):
    """It leads no more. Alarms, attempts and pulls of its time are never heard of again."""


class PullDue(msgspec.Struct, frozen=True):
    """The alarm of the next pull went off."""


class PullAnswered(msgspec.Struct, frozen=True):
    """The master answered, or could not (`refusal`). `more`: it has more than fitted."""

    tasks: tuple[Task, ...]
    more: bool
    at_ns: int
    refusal: str = ""


class Ending(StrEnum):
    """Of an attempt."""

    DONE = "done"
    FAILED = "failed"
    NOT_PERSISTED = "not persisted"
    """The master has not written the task's data yet: a wait, no failure (F5)."""


class AttemptEnded(msgspec.Struct, frozen=True):
    """Once for each Dispatch, unless this controller stood down meanwhile."""

    task: int
    ending: Ending
    at_ns: int
    reason: str = ""


class RetryDue(msgspec.Struct, frozen=True):
    """The alarm of a task that waited went off."""

    task: int


class Applied(msgspec.Struct, frozen=True):
    """The slave's core has just stepped."""

    entry: SlaveEntry


News = Led | StoodDown | PullDue | PullAnswered | AttemptEnded | RetryDue | Applied
