"""What a master's controllers do for slaves, and for data nodes that keep the data of tasks."""

from typing import Annotated, Any

import msgspec

from ..bugs_of_replication import SERVES_UNCOMMITTED
from ..client.errors import BAD_REQUEST, NOT_AUTHORIZED, RequestError
from ..cluster.catalog import Catalog
from ..cluster.commands import Command, Replicate, Right, decode
from ..cluster.group import CatalogGroup
from ..cluster.rights import EVERYTHING
from ..config import NodeConfig
from ..raft.messages import Kind
from ..runtime import Clock
from ..service.call import Call, Function
from .events import Pulled
from .master import Master
from .seats import MasterSeat, encode_entry

PULL = "pullClusterReplication"
NEEDED = "taskDataNeeded"
MAY_FETCH = "mayFetchTaskData"

CONTROLLERS_MAX = 16
ASKED_MAX = 10_000

Site = Annotated[str, msgspec.Meta(min_length=3, max_length=300)]
Sites = Annotated[tuple[Site, ...], msgspec.Meta(min_length=1, max_length=CONTROLLERS_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
Tids = Annotated[tuple[Count, ...], msgspec.Meta(max_length=ASKED_MAX)]


class MasterService:
    """Of one controller; only the leader does anything. A `Follower`."""

    def __init__(self, config: NodeConfig, clock: Clock, group: CatalogGroup) -> None:
        self._clock = clock
        self._group = group
        self._controllers = [f"{site.host}:{site.port}" for site in config.controllers]
        slaves_max = config.replication.slave_count_max
        assert slaves_max is not None
        self._slaves_max = slaves_max
        self._bugs = config.seeded_bugs
        self.newest: dict[str, Pulled] = {}
        """The last pull of each slave, logged or not."""

    def functions(self) -> dict[str, Function]:
        """What slaves call; Delphic's own."""
        return {PULL: (tuple[Site, Sites, Count, Count, Count], self._pull)}

    def for_peers(self) -> dict[str, Function]:
        """What data nodes ask."""
        return {
            NEEDED: (tuple[Tids], self._needed),
            MAY_FETCH: (tuple[str | None], self._may_fetch),
        }

    def led(self) -> None:
        self.newest.clear()

    def stood_down(self) -> None:
        self.newest.clear()

    def applied(self, command: Command, outcome: Any) -> None:
        """The queue is looked at when somebody pulls."""

    def _pull(
        self,
        call: Call,
        site: str,
        controllers: tuple[str, ...],
        offset: int,
        finished: int,
        room: int,
    ) -> None:
        """Answers the next tasks. What the slave tells that is new goes through the log first."""
        now_ns = self._clock.wall_ns()
        pull = Pulled(site, controllers, offset, finished, now_ns, self._slaves_max)

        def look(catalog: Catalog) -> Any:
            _refuse_stranger(catalog, call.user)
            master = master_of(catalog)
            refusal = master.refuses(pull)
            if refusal:
                raise RequestError(BAD_REQUEST, True, refusal)
            self.newest[pull.slave] = pull
            if not master.changes(pull):
                return self._reply(self._shown(catalog), offset, room)
            self._group.propose(Replicate(encode_entry(pull)), logged)
            return _LATER

        def looked(found: Any) -> None:
            if found is not _LATER:
                call.answer(found)

        def logged(outcome: Any) -> None:
            if isinstance(outcome, RequestError):
                call.answer(outcome)
            else:
                reply = self._reply(self._shown(self._group.catalog), offset, room)
                call.answer(reply)

        self._group.glance(look, looked)

    def _reply(self, master: Master, offset: int, room: int) -> dict[str, Any]:
        tasks, more = master.after(offset, room)
        return {"tasks": tasks, "more": more, "controllers": self._controllers}

    def _shown(self, catalog: Catalog) -> Master:
        """The queue that slaves are shown."""
        if SERVES_UNCOMMITTED not in self._bugs:
            return master_of(catalog)
        ahead = Catalog.load(catalog.dump(), MasterSeat)
        entries = self._group.raft.core.log
        for index in range(entries.commit + 1, entries.last_index + 1):
            entry = entries.entry(index)
            if entry.kind is Kind.CATALOG:
                ahead.apply(decode(entry.payload))
        return master_of(ahead)

    def _needed(self, call: Call, tids: tuple[int, ...]) -> None:
        """Of these transactions, those whose data some slave may still ask for (PR-18)."""

        def look(catalog: Catalog) -> list[int]:
            queued = master_of(catalog).needed()
            open_ = catalog.transactions.open
            return [tid for tid in tids if tid in queued or tid in open_]

        self._group.look(look, call.answer)

    def _may_fetch(self, call: Call, user: str | None) -> None:
        def look(catalog: Catalog) -> None:
            _refuse_stranger(catalog, user)

        self._group.glance(look, call.answer)


_LATER = object()


def master_of(catalog: Catalog) -> Master:
    """The queue in a master's catalog."""
    assert isinstance(catalog.seat, MasterSeat)
    return catalog.seat.master


def _refuse_stranger(catalog: Catalog, user: str | None) -> None:
    """Whoever sees what is replicated sees everything. Raises RequestError."""
    if not catalog.rights.may(user, Right.DB_READ, EVERYTHING):
        message = f"{user} may not read all databases, as a slave must"
        raise RequestError(NOT_AUTHORIZED, True, message)
