"""A data node: stream tables, of groups and of its own, and the functions that clients call."""

import posixpath
from functools import partial

from .bugs import STARTS_EMPTY
from .cluster.controllers import Controllers
from .cluster.users import ClusterUsers
from .config import ConfigError, GroupConfig
from .databases import Databases
from .host import Node, Recovered
from .raft.replay import WalCorruption
from .raft.terms import Runs
from .replication.data_nodes import Replication
from .role import NodeFailedError
from .service.cluster import ClusterFunctions
from .service.groups import GroupFunctions
from .service.persistence import PersistenceFunctions
from .service.replication import DataNodeReplication
from .service.subscriptions import SubscriptionFunctions
from .service.tables import TableFunctions
from .service.users import Book, UserFunctions
from .stream.datafile import DataFileError
from .stream.group import FRAME_SLACK_BYTES, TableGroup
from .stream.ordinary import CatalogError, OrdinaryTables
from .stream.tables import Tables
from .users import Users, UsersError
from .visitor import Visitor
from .wire import Credit

ORDINARY_FOLDER = "ordinary"
"""In persistenceDir, beside the folders of groups."""


HINT = (
    "write initialAdminPassword=… into cluster.cfg for the user admin, or authentication=off "
    "if everybody may call"
)


class DataNode:
    """The `Role` of a data node."""

    def __init__(self, node: Node) -> None:
        """`open` comes next."""
        self._node = node
        self._config = config = node.config
        runtime = node.runtime
        self.groups: dict[int, TableGroup] = {}
        self._ordinary = OrdinaryTables(
            runtime.disk,
            posixpath.join(config.persistence_dir, ORDINARY_FOLDER),
            runtime.clock,
            runtime.worker,
            node.fail,
            config.frame_bytes_max - FRAME_SLACK_BYTES,
        )
        tables = TableFunctions(config.alias, self.groups, self._ordinary, node.peers.ask)
        node.peers.offer(tables.forwarded())
        self._subscriptions = SubscriptionFunctions(tables, self.groups)
        self.controllers: Controllers | None = None
        self.databases: Databases | None = None
        self.replication = Replication(node)
        functions = tables.functions()
        self._users: Users | None = None
        book: Book | None = None
        if config.controllers:
            self.controllers = Controllers(config, node.clock, node.peers.ask)
            book = ClusterUsers(self.controllers, node.others, node.peers.ask)
            insert = functions.pop("tableInsert")
            task_data = self.replication.begin(self.controllers)
            self.databases = Databases(node, self.controllers, insert, task_data)
            node.offer(self.databases.functions())
        elif config.wants_login:
            book = self._users = Users(runtime, config.users_file)
        self.door = UserFunctions(
            book,
            lambda: node.visitors,
            wants_login=config.wants_login,
            bugs=config.seeded_bugs,
        )
        cluster = ClusterFunctions(node, self.controllers)
        node.peers.offer(cluster.for_peers())
        node.peers.offer(self.door.for_peers())
        for part in (
            GroupFunctions(config.alias, config.groups, node.groups, node.status),
            self._subscriptions,
            PersistenceFunctions(self.groups, self._ordinary),
            self.door,
            cluster,
            DataNodeReplication(self.replication.side, self.controllers),
        ):
            node.offer(part.functions())
        node.offer(functions)

    @property
    def folder(self) -> str:
        return self._config.streaming_ha_dir

    def open(self) -> None:
        if self._users is not None:
            try:
                self._users.open(self._config.first_password)
            except UsersError as error:
                raise ConfigError(f"{error}; {HINT}", file=self._config.users_file) from None
        self._node.runtime.disk.make_folder(self._config.persistence_dir)
        try:
            self._ordinary.open()
        except (CatalogError, WalCorruption) as error:
            raise NodeFailedError(str(error)) from None
        if self.databases is not None:
            self.databases.open()
            self.replication.open(self.databases.coordinator)
        for group in self._config.groups:
            self._open_group(group)

    async def run(self) -> None:
        await self.replication.run()

    def left(self, visitor: Visitor) -> None:
        self._subscriptions.left(visitor)

    def credit(self, visitor: Visitor, credit: Credit) -> None:
        self._subscriptions.credit(visitor, credit)

    def writable(self, visitor: Visitor) -> None:
        self._subscriptions.writable(visitor)

    def sync_count(self) -> int:
        chunks = 0 if self.databases is None else self.databases.store.redo.sync_count
        return self._ordinary.sync_count + chunks

    def close(self) -> None:
        self.replication.close()
        if self.databases is not None:
            self.databases.close()
        self._ordinary.close()

    def _open_group(self, group: GroupConfig) -> None:
        try:
            found = self._recovered(group, str(group.id))
        except NodeFailedError:
            if STARTS_EMPTY not in self._config.seeded_bugs:
                raise
            found = self._recovered(group, f"{group.id}.new")
        tables = TableGroup(group, found.core, found.wal, found.machine, found.around)
        self.groups[group.id] = tables
        self._node.join(tables.raft)

    def _recovered(self, group: GroupConfig, folder: str) -> Recovered[Tables]:
        log_folder = posixpath.join(self._config.streaming_ha_dir, folder)
        opened = partial(self._opened, folder)
        return self._node.recover(group, log_folder, opened, "the tables")

    def _opened(self, folder: str, base: Runs) -> Tables:
        try:
            return Tables(
                self._node.runtime.disk,
                posixpath.join(self._config.persistence_dir, folder),
                now_ns=self._node.clock.now_ns,
                file_bytes=self._config.data_file_bytes,
                bugs=self._config.seeded_bugs,
                base=base,
            )
        except DataFileError as error:
            raise NodeFailedError(str(error)) from None
