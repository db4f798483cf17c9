"""The states that people see: of a cluster's replication, and of a task on a slave."""

from enum import StrEnum


class Status(StrEnum):
    """Of one side; each master and each slave has its own (semantics §1.2)."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    STOPPED = "STOPPED"
    """A slave's only: a task has failed too often."""


class TaskState(StrEnum):
    """Of a task on a slave (§1.7).

    EXECUTING in the durable state: its transaction is committed, and some participant has still to
    be told. What else is under way only the leader knows.
    """

    WAITING = "WAITING"
    EXECUTING = "EXECUTING"
    FINISH = "FINISH"
    FAILED = "FAILED"
