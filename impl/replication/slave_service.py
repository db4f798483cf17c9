"""What a slave's controllers do: the leader pulls from the master and has data nodes execute."""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from ..client.errors import BAD_ANSWER, DISCONNECTED, INDETERMINATE, RequestError
from ..client.session import Session
from ..cluster.commands import Command, Replicate
from ..cluster.group import CatalogGroup
from ..config import NodeConfig
from ..runtime import ClientRuntime
from ..service.forwarding import Ask
from .driver import Driver, PullReply
from .effects import Pull, Wait
from .events import SlaveEntry
from .executor import EXECUTE
from .master_service import PULL
from .seats import Learned, SlaveSeat, encode_entry
from .slave import Slave
from .tasks import Task
from .tracing import ReplicationTrace

PULL_S = 5.0
PULL_ATTEMPT_S = 2.0

ASK_S = 2.0
ASKS_MAX = 5
"""A data node that says nothing for so long is asked again: it may have been started anew. Whoever
still executes the task lets both wait for the same end. After so often the attempt has failed."""

log = logging.getLogger("delphic.replication")

Answer = Callable[[Any], None]


class SlaveService:
    """Of one controller. A `Follower` of the catalog, and the `Means` of the driver."""

    def __init__(
        self,
        config: NodeConfig,
        runtime: ClientRuntime,
        ask: Ask,
        group: CatalogGroup,
        trace: ReplicationTrace | None,
    ) -> None:
        """`runtime` reaches the other cluster."""
        options = config.replication
        assert options.master_site is not None
        self._config = config
        self._runtime = runtime
        self._ask = ask
        self._group = group
        self._first = "{}:{}".format(*options.master_site)
        self._session: Session | None = None
        self._sites: list[str] = []
        delays_s = {
            Wait.PULL: options.pull_interval_s,
            Wait.RETRY: options.retry_delay_s,
            Wait.PERSIST: options.persist_delay_s,
        }
        nodes = tuple(site.alias for site in config.data_nodes)
        limit = options.failure_limit
        self.driver = Driver(runtime.clock, nodes, delays_s, limit, self, trace)

    @property
    def slave(self) -> Slave:
        """The tasks, as far as applied here."""
        return self._seat.slave

    @property
    def _seat(self) -> SlaveSeat:
        seat = self._group.catalog.seat
        assert isinstance(seat, SlaveSeat)
        return seat

    def led(self) -> None:
        seat = self._seat
        seat.heard = self.driver.heard
        self.driver.lead(seat.slave)

    def stood_down(self) -> None:
        self.driver.stand_down()

    def applied(self, command: Command, outcome: Any) -> None:
        """The seat tells by itself, entry by entry."""

    async def run(self) -> None:
        """Pull while this controller leads, until cancelled."""
        try:
            await self.driver.run()
        finally:
            if self._session is not None:
                self._session.close()

    def close(self) -> None:
        """Forget everything."""
        self.driver.close()

    # What the driver needs.

    def propose(self, entry: SlaveEntry, answer: Answer) -> None:
        self._group.propose(Replicate(encode_entry(entry)), answer)

    def execute(self, node: str, task: Task, answer: Answer) -> None:
        self._ask_for(node, task, answer, ASKS_MAX)

    def _ask_for(self, node: str, task: Task, answer: Answer, asks: int) -> None:
        def told(found: Any) -> None:
            is_unknown = isinstance(found, RequestError) and found.name == INDETERMINATE
            if is_unknown and asks > 1 and self._group.raft.is_leader:
                self._ask_for(node, task, answer, asks - 1)
            else:
                answer(found)

        lost = RequestError(DISCONNECTED, True, f"{node} cannot be reached")
        self._ask(node, EXECUTE, (task,), told, lost, ASK_S)

    async def pull(self, wanted: Pull) -> PullReply:
        site = self._config.site
        here = f"{site.host}:{site.port}"
        controllers = [f"{other.host}:{other.port}" for other in self._config.controllers]
        args = (here, controllers, wanted.offset, wanted.finished, wanted.room)
        found = await self._opened().call(PULL, args, timeout_s=PULL_S)
        try:
            reply = msgspec.convert(found, PullReply)
        except msgspec.ValidationError as error:
            raise RequestError(BAD_ANSWER, True, f"a pull: {error}") from None
        self._learn(reply.controllers)
        return reply

    def _learn(self, masters: tuple[str, ...]) -> None:
        """Whoever leads here next may find the configured controller of the master down."""
        if self._group.raft.is_leader and masters != self._seat.masters:
            self._group.propose(Replicate(encode_entry(Learned(masters))), _nobody)

    def _opened(self) -> Session:
        """A session with the master's controllers, whoever of them leads."""
        sites = [self._first, *(site for site in self._seat.masters if site != self._first)]
        if self._session is not None and sites == self._sites:
            return self._session
        if self._session is not None:
            self._session.close()
        options = self._config.replication
        self._sites = sites
        self._session = Session(
            sites,
            attempt_s=PULL_ATTEMPT_S,
            frame_bytes_max=self._config.frame_bytes_max,
            runtime=self._runtime,
            user=options.execution_user,
            password=options.execution_password,
            tls=self._config.tls,
        )
        return self._session


def _nobody(_: Any) -> None:
    """It is said again with the next pull."""
