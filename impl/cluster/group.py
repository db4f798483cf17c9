"""A controller's member of the group that keeps the catalog: commands in, answers out."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..client.errors import BAD_REQUEST, FRAME_TOO_LARGE, RequestError
from ..config import GroupConfig
from ..raft.core import Core
from ..raft.debts import Answer, Proposal
from ..raft.group import Group
from ..raft.messages import Entry, Kind
from ..raft.surroundings import Surroundings
from ..raft.wal import Wal
from .catalog import Catalog
from .catalog_machine import CatalogMachine
from .commands import Command, CommandError, decode, encode

FRAME_SLACK_BYTES = 4096
"""What surrounds a command in a frame, generously."""


class Follower(Protocol):
    """Who acts for the leader, and hears what is applied."""

    def led(self) -> None:
        """This controller leads, and has applied all that its predecessors committed."""

    def stood_down(self) -> None:
        """It leads no more; `led` may have been said before, or not."""

    def applied(self, command: Command, outcome: Any) -> None:
        """On every controller: the catalog has executed this."""


class CatalogGroup:
    """The `Owner` of the controllers' Raft group. All in the node's event loop."""

    def __init__(
        self,
        config: GroupConfig,
        core: Core,
        wal: Wal,
        machine: CatalogMachine,
        around: Surroundings,
    ) -> None:
        self._machine = machine
        self._room = around.frame_bytes_max - FRAME_SLACK_BYTES
        self._followers: list[Follower] = []
        machine.heard = self._heard
        self.raft = Group(config, core, wal, machine, around, self)

    @property
    def catalog(self) -> Catalog:
        """As far as applied here; a snapshot puts another one in its place."""
        return self._machine.catalog

    def follow(self, follower: Follower) -> None:
        """Let somebody hear what happens."""
        self._followers.append(follower)

    def propose(self, command: Command, answer: Answer) -> None:
        """Log a command; answers with what the catalog says, or NotLeader."""
        payload = encode(command)

        def go() -> None:
            if len(payload) > self._room:
                message = f"a command of {len(payload)} bytes does not fit into a frame"
                raise RequestError(FRAME_TOO_LARGE, True, message)
            try:
                # Once in the log, it must be understood for ever.
                decode(payload)
            except CommandError as error:
                raise RequestError(BAD_REQUEST, True, str(error)) from None
            self.raft.propose(Kind.CATALOG, payload, answer)

        self.raft.as_leader(go, answer, len(payload))

    def look(self, view: Callable[[Catalog], Any], answer: Answer) -> None:
        """Answer with what `view` finds, linearizably, or with the RequestError that it raises."""

        def ready(error: RequestError | None) -> None:
            answer(error or _seen(view, self.catalog))

        self.raft.as_leader(lambda: self.raft.read(ready), answer)

    def glance(self, view: Callable[[Catalog], Any], answer: Answer) -> None:
        """As `look`, of what this leader knows; perhaps another one leads already."""
        self.raft.as_leader(lambda: answer(_seen(view, self.catalog)), answer)

    # What the Raft group tells; see Owner.

    def status(self) -> dict[str, Any]:
        catalog = self.catalog
        return {
            "databases": len(catalog.metadata.databases),
            "chunks": len(catalog.placement.living),
            "transactions": len(catalog.transactions.open),
        }

    def logged(self, proposals: Sequence[Proposal]) -> None:
        """They wait for their commit."""

    def applying(self) -> None:
        """Nothing was done before its time."""

    def applied(self, entry: Entry) -> None:
        """The machine has told."""

    def level(self, index: int) -> None:
        """Nothing is done before its time."""

    def advanced(self) -> None:
        """Whoever waits is answered."""

    def changed_role(self) -> None:
        if self.raft.is_leader:
            self.raft.as_leader(self._led, _nobody)

    def stood_down(self, error: RequestError) -> None:
        for follower in self._followers:
            follower.stood_down()

    def closed(self) -> None:
        for follower in self._followers:
            follower.stood_down()

    def _led(self) -> None:
        for follower in self._followers:
            follower.led()

    def _heard(self, command: Command, outcome: Any) -> None:
        for follower in self._followers:
            follower.applied(command, outcome)


def _seen(view: Callable[[Catalog], Any], catalog: Catalog) -> Any:
    try:
        return view(catalog)
    except RequestError as refusal:
        return refusal


def _nobody(_: Any) -> None:
    """Who leads no more has nothing to begin."""
