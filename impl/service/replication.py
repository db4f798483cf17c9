"""The functions about replication, on controllers and on data nodes (semantics §2.1).

All are documented ones but forgetReplicationSlave, which is ours.

A function that is called where it does not belong says where it does (E2); one that is called in a
cluster that was not configured for replication says so first (E1).
"""

from collections.abc import Callable, Iterable
from typing import Any

from ..client.errors import BAD_REQUEST, NOT_AUTHORIZED, RequestError
from ..cluster.catalog import Catalog
from ..cluster.commands import Replicate
from ..cluster.controllers import Controllers
from ..cluster.group import CatalogGroup
from ..cluster.seat import NOT_CONFIGURED
from ..replication import tables
from ..replication.events import Skipped, SlaveForgotten, Started, Stopped
from ..replication.master_service import MasterService, master_of
from ..replication.seats import encode_entry
from ..replication.sides import MASTER, SLAVE
from ..replication.slave_service import SlaveService
from ..runtime import Clock
from .call import Call, Function

ON_CONTROLLERS = {
    "startClusterReplication": "master or slave",
    "stopClusterReplication": "master or slave",
    "skipClusterReplicationTask": SLAVE,
    "forgetReplicationSlave": MASTER,
    "getMasterReplicationStatus": MASTER,
    "getRecentSlaveReplicationInfo": MASTER,
    "getSlaveReplicationStatus": SLAVE,
    "getClusterReplicationMetrics": SLAVE,
}
"""Which cluster's controllers each belongs to."""

ON_DATA_NODES = ("setDatabaseForClusterReplication", "getDatabaseClusterReplicationStatus")
"""Of the master cluster."""

SECS = 30
IDS_MAX = 10_000

View = Callable[[Catalog], Any]


class ControllerReplication:
    """Of one controller. The leader does it; others say who that is."""

    def __init__(
        self,
        clock: Clock,
        group: CatalogGroup,
        master: MasterService | None,
        slave: SlaveService | None,
    ) -> None:
        """At most one of the two services is there."""
        self._clock = clock
        self._group = group
        self._master = master
        self._slave = slave
        self._side = MASTER if master is not None else None if slave is None else SLAVE

    def functions(self) -> dict[str, Function]:
        """By their documented names."""
        here: dict[str, Function] = {
            "startClusterReplication": (tuple[()], self._start),
            "stopClusterReplication": (tuple[()], self._stop),
            "skipClusterReplicationTask": (tuple[int | tuple[int, ...]], self._skip),
            "forgetReplicationSlave": (tuple[str], self._forget),
            "getMasterReplicationStatus": (tuple[int, ...], self._master_status),
            "getRecentSlaveReplicationInfo": (tuple[()], self._recent_slaves),
            "getSlaveReplicationStatus": (tuple[int, ...], self._slave_status),
            "getClusterReplicationMetrics": (tuple[int, ...], self._metrics),
        }
        assert here.keys() == ON_CONTROLLERS.keys()
        found = {name: self._where_it_belongs(name, known) for name, known in here.items()}
        return found | elsewhere(ON_DATA_NODES, "a data node of the master", self._side)

    def _where_it_belongs(self, name: str, known: Function) -> Function:
        belongs = ON_CONTROLLERS[name]
        if self._side is not None and self._side in belongs:
            return known
        return _refusing(name, f"the controller of the {belongs}", self._side)

    def _start(self, call: Call) -> None:
        self._operate(call, lambda: Started())

    def _stop(self, call: Call) -> None:
        self._operate(call, lambda: Stopped())

    def _skip(self, call: Call, ids: int | tuple[int, ...]) -> None:
        tasks = (ids,) if isinstance(ids, int) else ids
        slave = self._slave
        assert slave is not None

        def entry() -> Skipped:
            if not 0 < len(tasks) <= IDS_MAX:
                raise _refused(f"name 1 to {IDS_MAX} tasks")
            refusal = slave.driver.refuses_skip(tasks)
            if refusal:
                raise _refused(refusal)
            return Skipped(tasks, self._clock.wall_ns())

        self._operate(call, entry)

    def _forget(self, call: Call, controllers: str) -> None:
        """As a row of getRecentSlaveReplicationInfo names it."""
        self._operate(call, lambda: SlaveForgotten(",".join(sorted(controllers.split(",")))))

    def _operate(
        self, call: Call, entry: Callable[[], Started | Stopped | Skipped | SlaveForgotten]
    ) -> None:
        """An administrator's entry for the log; answers once it is applied."""

        def look(catalog: Catalog) -> None:
            _refuse_all_but_admins(catalog, call.user)
            self._group.propose(Replicate(encode_entry(entry())), call.answer)

        def looked(outcome: Any) -> None:
            if outcome is not None:
                call.answer(outcome)

        self._group.glance(look, looked)

    def _master_status(self, call: Call, *limits: int) -> None:
        def view(catalog: Catalog) -> Any:
            return tables.master_status(master_of(catalog), _optional(limits, tables.NO_LIMIT))

        self._look(call, view)

    def _recent_slaves(self, call: Call) -> None:
        service = self._master
        assert service is not None

        def view(catalog: Catalog) -> Any:
            return tables.recent_slaves(master_of(catalog), service.newest)

        self._look(call, view)

    def _slave_status(self, call: Call, *limits: int) -> None:
        service = self._slave
        assert service is not None

        def view(catalog: Catalog) -> Any:
            limit = _optional(limits, tables.NO_LIMIT)
            return tables.slave_status(service.slave, service.driver.running, limit)

        self._look(call, view)

    def _metrics(self, call: Call, *secs: int) -> None:
        service = self._slave
        assert service is not None

        def view(catalog: Catalog) -> Any:
            seconds = _optional(secs, SECS)
            return [tables.metrics(service.slave, self._clock.wall_ns(), seconds)]

        self._look(call, view)

    def _look(self, call: Call, view: View) -> None:
        def checked(catalog: Catalog) -> Any:
            _refuse_all_but_admins(catalog, call.user)
            return view(catalog)

        self._group.look(checked, call.answer)


class DataNodeReplication:
    """Of one data node."""

    def __init__(self, side: str | None, controllers: Controllers | None) -> None:
        """`side`: of this cluster in a replication, if it takes part in one."""
        self._side = side
        self._controllers = controllers

    def functions(self) -> dict[str, Function]:
        """By their documented names."""
        found: dict[str, Function] = {}
        for name, belongs in ON_CONTROLLERS.items():
            found |= elsewhere((name,), f"the controller of the {belongs}", self._side)
        if self._side != MASTER:
            return found | elsewhere(ON_DATA_NODES, "a data node of the master", self._side)
        found["setDatabaseForClusterReplication"] = (tuple[str | bool, ...], self._set_flag)
        found["getDatabaseClusterReplicationStatus"] = (tuple[()], self._flags)
        return found

    def _set_flag(self, call: Call, *args: str | bool) -> None:
        match args:
            case (str(path),):
                self._ask(call, "setFlag", (call.user, path, False))
            case (str(path), bool(on)):
                self._ask(call, "setFlag", (call.user, path, on))
            case _:
                message = "setDatabaseForClusterReplication(path, true or false)"
                call.answer(_refused(message))

    def _flags(self, call: Call) -> None:
        def listed(told: Any) -> None:
            if isinstance(told, RequestError):
                call.answer(told)
                return
            with_data = [row["dbName"] for row in told if row["chunks"]]
            flagged = [row["dbName"] for row in told if row["enabled"]]
            call.answer(tables.database_status(with_data, flagged))

        def checked(told: Any) -> None:
            if told is True:
                self._ask(call, "databases", (), listed)
            elif isinstance(told, RequestError):
                call.answer(told)
            else:
                call.answer(_not_an_admin())

        self._ask(call, "userIsAdmin", (call.user,), checked)

    def _ask(
        self,
        call: Call,
        function: str,
        args: tuple[Any, ...],
        answer: Callable[[Any], None] | None = None,
    ) -> None:
        assert self._controllers is not None
        self._controllers.ask(function, args, answer or call.answer)


def elsewhere(names: Iterable[str], place: str, side: str | None) -> dict[str, Function]:
    """Functions that only say where they belong."""
    return {name: _refusing(name, place, side) for name in names}


def _refusing(name: str, place: str, side: str | None) -> Function:
    if side is None:
        message = NOT_CONFIGURED
    else:
        message = f"{name} must be executed on {place} cluster. RefId: S01024"

    def refuse(call: Call, *args: Any) -> None:
        call.answer(_refused(message))

    return (tuple[Any, ...], refuse)


def _refuse_all_but_admins(catalog: Catalog, user: str | None) -> None:
    if not catalog.rights.is_admin(user):
        raise _not_an_admin()


def _not_an_admin() -> RequestError:
    return RequestError(NOT_AUTHORIZED, True, "only for administrators")


def _optional(given: tuple[int, ...], default: int) -> int:
    """The one argument that may be left out: -1, or a number. Raises RequestError."""
    if not given:
        return default
    if len(given) > 1 or given[0] < -1:
        raise _refused("want one number, -1 for all, or nothing")
    return given[0]


def _refused(message: str) -> RequestError:
    return RequestError(BAD_REQUEST, True, message)
