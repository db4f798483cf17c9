"""Whom a group works for: it makes something of what the machine holds, and hears what happens."""

from collections.abc import Sequence
from typing import Any, Protocol

from ..client.errors import RequestError
from .debts import Proposal
from .messages import Entry


class Owner(Protocol):
    """Called by the group, in the node's event loop."""

    def status(self) -> dict[str, Any]:
        """What `raftStatus` tells besides the group's own."""

    def logged(self, proposals: Sequence[Proposal]) -> None:
        """This member leads, and its log has these now."""

    def applying(self) -> None:
        """What is committed is applied next. Raises OSError."""

    def applied(self, entry: Entry) -> None:
        """The machine has executed this one."""

    def level(self, index: int) -> None:
        """All is applied that is committed and durable here, up to `index`. Raises OSError."""

    def advanced(self) -> None:
        """In this turn entries were applied, and who waited for them has been answered."""

    def changed_role(self) -> None:
        """This member's role is another one, or its term is."""

    def stood_down(self, error: RequestError) -> None:
        """It was the leader; with this error all who waited were answered."""

    def closed(self) -> None:
        """The member takes part no more."""
