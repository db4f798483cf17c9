"""A controller: a member of the group that keeps the cluster's catalog, and what it is asked."""

import posixpath
from functools import partial

from .cluster.catalog_machine import CatalogFileError, CatalogMachine
from .cluster.controllers import Controllers
from .cluster.first_user import FirstUserMaker
from .cluster.group import CatalogGroup
from .cluster.resolver import Resolver
from .cluster.seat import Seat
from .cluster.users import ClusterUsers
from .hashing import Hashing
from .host import Node
from .raft.terms import Runs
from .replication.detours import Abroad
from .replication.master_service import MasterService
from .replication.seats import seat
from .replication.sides import MASTER, SLAVE, side_of
from .replication.slave_service import SlaveService
from .replication.tracing import ReplicationTrace
from .role import NodeFailedError
from .service.catalog import CatalogFunctions
from .service.cluster import ClusterFunctions
from .service.groups import GroupFunctions
from .service.replication import ControllerReplication
from .service.users import UserFunctions
from .visitor import Visitor
from .wire import Credit, FrameError

LOG_FOLDER = "log"
CATALOG_FOLDER = "catalog"
"""In dfsMetaDir."""


class Controller:
    """The `Role` of a controller."""

    group: CatalogGroup
    """There once it is open."""

    def __init__(self, node: Node) -> None:
        """`open` comes next."""
        self._node = node
        self._config = config = node.config
        self.controllers = Controllers(config, node.clock, node.peers.ask)
        self._hashing = Hashing(node.runtime)
        self._slave: SlaveService | None = None
        self._functions = CatalogFunctions(config, node.clock, self._hashing)
        node.peers.offer(self._functions.functions())
        users = ClusterUsers(self.controllers, node.others, node.peers.ask)
        self.door = UserFunctions(
            users,
            lambda: node.visitors,
            wants_login=config.wants_login,
            bugs=config.seeded_bugs,
        )
        cluster = ClusterFunctions(node, self.controllers)
        node.peers.offer(cluster.for_peers())
        node.peers.offer(self.door.for_peers())
        groups = GroupFunctions(config.alias, config.groups, node.groups, node.status)
        for part in (groups, cluster, self.door):
            node.offer(part.functions())

    @property
    def folder(self) -> str:
        return self._config.meta_dir

    def open(self) -> None:
        node, folder = self._node, self._config.meta_dir
        (group,) = self._config.groups
        found = node.recover(
            group,
            posixpath.join(folder, LOG_FOLDER),
            partial(self._opened, posixpath.join(folder, CATALOG_FOLDER)),
            "the files of the catalog",
        )
        self.group = CatalogGroup(group, found.core, found.wal, found.machine, found.around)
        self._functions.group = self.group
        self.group.follow(Resolver(self.group, node.clock, node.peers.ask))
        self.group.follow(FirstUserMaker(self.group, self._config, self._hashing))
        self._open_replication()
        node.join(self.group.raft)

    async def run(self) -> None:
        if self._slave is not None:
            await self._slave.run()

    def left(self, visitor: Visitor) -> None:
        """Nothing is sent here that was not asked for."""

    def credit(self, visitor: Visitor, credit: Credit) -> None:
        raise FrameError("a controller publishes nothing")

    def writable(self, visitor: Visitor) -> None:
        """As `left`."""

    def sync_count(self) -> int:
        return 0

    def close(self) -> None:
        """The group is closed, and its log."""

    def _open_replication(self) -> None:
        node, config, master = self._node, self._config, None
        side = side_of(config)
        if side == MASTER:
            master = MasterService(config, node.clock, self.group)
            node.offer(master.functions())
            node.peers.offer(master.for_peers())
            self.group.follow(master)
        elif side == SLAVE:
            abroad = Abroad.of(node.runtime, node.reached)
            ask, trace = node.peers.ask, self._trace()
            self._slave = SlaveService(config, abroad, ask, self.group, trace)
            self.group.follow(self._slave)
        functions = ControllerReplication(node.clock, self.group, master, self._slave)
        node.offer(functions.functions())

    def _trace(self) -> ReplicationTrace | None:
        return None if self._node.trace is None else ReplicationTrace(self._node.trace)

    def _opened(self, folder: str, base: Runs) -> CatalogMachine:
        try:
            return CatalogMachine(self._node.runtime.disk, folder, self._seat, base)
        except CatalogFileError as error:
            raise NodeFailedError(str(error)) from None

    def _seat(self, state: bytes) -> Seat:
        config = self._config
        return seat(config.replication, state, config.seeded_bugs, self._trace())
