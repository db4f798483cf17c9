"""What a data node's parts need of others: what controllers tell them, where task data is kept."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec

from ..client.errors import BAD_ANSWER, DISCONNECTED, RequestError
from ..stream.schema import from_bytes
from .operations import Scheme
from .writes import Layout

T = TypeVar("T")

Place = tuple[int, str]
"""A chunk, and the data node that has it."""

Answer = Callable[[Any], None]
"""Called once with the result, or with the RequestError that it ended in."""


class Controllers(Protocol):
    """The way to the controllers' leader (controllers.py)."""

    def ask(self, function: str, args: tuple[Any, ...], answer: Answer) -> None:
        """Have it do something; answers the result, or a RequestError: definite if not executed."""


class TaskData(Protocol):
    """Where the data of tasks is kept for slaves (replication/taskdata.py)."""

    @property
    def has_room(self) -> bool: ...

    def save(
        self, tid: int, data: bytes, done: Callable[[OSError | None], None], *, at_once: bool
    ) -> None: ...

    def announce(self, tid: int) -> None: ...

    def delete(self, tid: int) -> None: ...


class Begun(msgspec.Struct, frozen=True):
    """A transaction: its partitions by key, and how the table is made that it is about.

    `replicates`: slaves will ask for its data.
    """

    tid: int
    chunks: dict[str, Place]
    schema: bytes
    scheme: Scheme
    column: str
    replicates: bool

    @property
    def layout(self) -> Layout:
        """As `layout_of` tells it of a table."""
        return Layout(from_bytes(self.schema), self.scheme, self.column)


class Snapshot(msgspec.Struct, frozen=True):
    """A table at one moment: after all transactions up to `cid` but those that are `excluded`."""

    cid: int
    excluded: tuple[int, ...]
    schema: bytes
    scheme: Scheme
    column: str
    chunks: dict[str, Place]


class DescribedTable(msgspec.Struct, frozen=True):
    """A table as its database's description has it."""

    schema: bytes
    column: str
    chunks: dict[str, Place]


class Described(msgspec.Struct, frozen=True, rename={"replicated": "clusterReplicationEnabled"}):
    """A database with all its tables."""

    scheme: Scheme
    replicated: bool
    tables: dict[str, DescribedTable]


class _Made(msgspec.Struct, frozen=True):
    schema: bytes
    scheme: Scheme
    column: str


def understood(kind: type[T], told: Any) -> T | RequestError:
    """What was told, as what it must be, or the error that it is."""
    if isinstance(told, RequestError):
        return told
    try:
        return msgspec.convert(told, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        return RequestError(BAD_ANSWER, False, str(error))


def layout_of(told: Any) -> Layout | RequestError:
    """How the table is made that was asked for."""
    found = understood(_Made, told)
    if isinstance(found, RequestError):
        return found
    return Layout(from_bytes(found.schema), found.scheme, found.column)


def definite(error: RequestError) -> RequestError:
    """The same where it is known otherwise that nothing has happened, nor will."""
    return error if error.definite else RequestError(error.name, True, error.message)


def unreachable(node: str) -> RequestError:
    """The answer where there is no link."""
    return RequestError(DISCONNECTED, True, f"{node} cannot be reached")


def outcome_of(told: Any) -> int | None:
    """What became of a transaction: its cid, 0 if it was aborted, None if that is not known."""
    match told:
        case ["committed", int(cid)]:
            return cid
        case ["aborted"]:
            return 0
    return None


def is_forgotten(told: Any) -> bool:
    """Whether a transaction was decided too long ago (see Transactions.outcome)."""
    match told:
        case ["forgotten"]:
            return True
    return False
