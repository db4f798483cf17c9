"""What a node is for: a data node or a controller, as the node that hosts it sees it."""

from typing import Protocol

from .client.errors import RequestError
from .visitor import Visitor
from .wire import Credit


class NodeFailedError(Exception):
    """The node cannot go on: its disk fails, or holds what the log contradicts."""


class Door(Protocol):
    """Who lets clients in."""

    def refusal(self, visitor: Visitor, function: str) -> RequestError | None:
        """Why this visitor may not call that; None if it may."""


class Role(Protocol):
    """What a node is for."""

    @property
    def door(self) -> Door: ...
    @property
    def folder(self) -> str:
        """Where it keeps how often it was started."""

    def open(self) -> None:
        """Recover what the disk holds; raises OSError, NodeFailedError or ConfigError."""

    async def run(self) -> None:
        """What it does by itself, until cancelled; nothing, perhaps."""

    def left(self, visitor: Visitor) -> None:
        """A connection has ended."""

    def credit(self, visitor: Visitor, credit: Credit) -> None:
        """A subscriber has room for more; raises FrameError."""

    def writable(self, visitor: Visitor) -> None:
        """A client reads again."""

    def sync_count(self) -> int:
        """How often it synced to disk, without its groups' logs."""

    def close(self) -> None:
        """Give back what `open` took; no thread uses it any more."""
