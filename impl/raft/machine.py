"""What a group's log is applied to: a state machine that can be saved, sent and replaced.

Everything happens in the node's event loop but for jobs, which a worker runs, one at a time.
Failures are OSError, or MachineError where `apply` meets what makes no sense.
"""

from collections.abc import Callable
from typing import Any, Protocol

from ..runtime import Worker
from .messages import Entry
from .terms import Position, Runs

Job = Callable[[], None]


class MachineError(Exception):
    """What the machine holds or is told makes no sense: this member must stop."""


class Export(Protocol):
    """The bytes of a checkpoint, for a member that needs it. Others go on changing the machine."""

    @property
    def position(self) -> Position:
        """The last entry that it stands for."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def read(self, at: int, size: int) -> bytes:
        """Some of them: fewer than `size` only at the end. Raises OSError."""

    def close(self) -> None:
        """Nothing more is wanted."""


class Staging(Protocol):
    """Where the bytes of a snapshot are put that arrives."""

    complaint: str
    """What `seal` found wrong; empty if nothing."""

    def size(self) -> int:
        """How many bytes there are."""

    def append(self, data: bytes | memoryview) -> None:
        """More of them. Raises OSError."""

    def clear(self) -> None:
        """Begin anew. Raises OSError."""

    def seal(self) -> None:
        """A job: make them durable, and see whether they are a whole snapshot."""


class Machine(Protocol):
    """Entries are applied in order, from the one behind the newest checkpoint on."""

    @property
    def what(self) -> str:
        """What is wrong where it fails, for the log."""

    @property
    def applied(self) -> Position:
        """The last entry that was applied."""

    @property
    def checkpointed(self) -> Position:
        """The newest checkpoint holds durably what all entries up to this one did."""

    def apply(self, index: int, entry: Entry) -> Any:
        """Execute a committed entry; gives what its proposer is told. Then call `flush`."""

    def flush(self) -> None:
        """Hand what was applied to the operating system."""

    def checkpoint(self, worker: Worker, done: Callable[[OSError | None], None]) -> bool:
        """Begin to make durable what is applied; false if that is under way already."""

    def export(self) -> Export | None:
        """The newest checkpoint; None if there is none."""

    @property
    def staging(self) -> Staging:
        """Where an arriving snapshot is collected."""

    def install(self, terms: Runs) -> Job:
        """Put the snapshot that was staged, and is durable, in the place of all there is.

        If the process dies in it, the next one does it again. When the job is done, call
        `install_done`.
        """

    def install_done(self) -> None:
        """The job has ended well: from now on the machine is what the snapshot says."""

    def close(self) -> None:
        """Give the files back, once no thread uses them."""
