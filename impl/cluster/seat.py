"""The place in the catalog for the part that replicates: a master's, a slave's, or nobody's."""

from typing import Any, Protocol

from ..client.errors import BAD_REQUEST, RequestError
from ..replication.tasks import TaskMeta

NOT_CONFIGURED = "Replication is not enabled. Specify the configuration parameters first."
"""E1, to the letter."""


class Seat(Protocol):
    """A deterministic machine of its own; every controller calls it in the order of the log."""

    def step(self, entry: bytes) -> Any:
        """An entry of its own; gives what its proposer is told."""

    def refusal(self, database: str, applied: int | None) -> RequestError | None:
        """Why nobody may change this database now: clients (`applied` None), or for a task."""

    def replicates(self, database: str) -> bool:
        """Whether transactions of this database become tasks, if replication is on."""

    def is_on(self) -> bool:
        """On a master: whether it is, so that slaves hear of what completes now."""

    def set_flag(self, database: str, on: bool) -> None:
        """On a master: switch the replication of a database."""

    def completed(self, meta: TaskMeta, flagged: bool) -> int:
        """On a master: a transaction is complete; gives the id of its task, 0 if it is none."""

    def recorded(self, task: int) -> RequestError | None:
        """On a slave: the transaction that executes this task commits, unless it must not."""

    def finished(self, task: int, node: str, at_ns: int) -> None:
        """On a slave: that transaction is complete."""

    def dump(self) -> bytes:
        """All of it, for a checkpoint; who makes the catalog knows how to load it."""


class Nobody:
    """A cluster that takes no part in replication; a `Seat`."""

    def step(self, entry: bytes) -> Any:
        return RequestError(BAD_REQUEST, True, NOT_CONFIGURED)

    def refusal(self, database: str, applied: int | None) -> RequestError | None:
        return None if applied is None else RequestError(BAD_REQUEST, True, NOT_CONFIGURED)

    def replicates(self, database: str) -> bool:
        return False

    def is_on(self) -> bool:
        return False

    def set_flag(self, database: str, on: bool) -> None:
        """There is none."""

    def completed(self, meta: TaskMeta, flagged: bool) -> int:
        return 0

    def recorded(self, task: int) -> RequestError | None:
        return RequestError(BAD_REQUEST, True, NOT_CONFIGURED)

    def finished(self, task: int, node: str, at_ns: int) -> None:
        """There are no tasks."""

    def dump(self) -> bytes:
        return b""
