"""One data node: its groups, its links to peers, its visitors, and the functions they may call."""

import asyncio
import logging
import posixpath
from collections.abc import Mapping
from typing import Any

from .bugs import ACK_BEFORE_FSYNC
from .client.errors import RequestError
from .config import ConfigError, GroupConfig, NodeConfig
from .raft import door
from .raft.core import Core
from .raft.disk import Disk
from .raft.log import Log
from .raft.progress import Window
from .raft.replay import WalCorruption
from .raft.surroundings import Surroundings
from .raft.terms import are_runs
from .raft.transport import Address, Peers
from .raft.wal import Wal
from .runtime import Clock, Listener, Runtime
from .service.call import Answer, Call, Functions
from .service.forwarding import Forwarding
from .service.groups import GroupFunctions
from .service.persistence import PersistenceFunctions
from .service.subscriptions import SubscriptionFunctions
from .service.tables import TableFunctions
from .service.users import UserFunctions
from .stream.datafile import DataFileError
from .stream.group import FRAME_SLACK_BYTES, TableGroup
from .stream.ordinary import CatalogError, OrdinaryTables
from .stream.tables import Tables
from .trace import TraceFile
from .users import Users
from .visitor import NODE_STOPS, Visitor
from .wire import (
    MAGIC,
    PEER,
    VERSION,
    Channel,
    Credit,
    Failure,
    Frame,
    FrameError,
    Hello,
    PeerMessage,
    Request,
    Result,
    SnapshotPiece,
    SnapshotReceipt,
)

INCARNATION_FILE = "incarnation"

ORDINARY_FOLDER = "ordinary"
"""In persistenceDir, beside the folders of groups."""

FORWARD_TICKS = 4
"""How many election ticks a forwarded call may take before its fate is unknown."""

log = logging.getLogger("delphic.node")

Args = tuple[Any, ...]


class NodeFailedError(Exception):
    """The node cannot go on: its disk fails, or holds what the log contradicts."""


class DataNode:
    """`open` it, `run` it until `stop`; a `Host`. In one event loop, on one runtime."""

    def __init__(
        self,
        config: NodeConfig,
        runtime: Runtime,
        *,
        dial: Mapping[str, Address] | None = None,
        reuse_port: bool = False,
    ) -> None:
        """`dial`: alias of a peer, or `host:port` elsewhere → the address where it is reached."""
        self._config = config
        self._runtime = runtime
        self._reuse_port = reuse_port
        hello = Hello(MAGIC, VERSION, PEER, config.alias, config.cluster_id)
        self._detours = detours(config, dial or {})
        addresses = {
            site.alias: self._detours.get(site.alias, (site.host, site.port))
            for site in config.sites.values()
            if site.alias != config.alias
        }
        self._peers = Peers(runtime, hello, addresses, config.frame_bytes_max, config.tls)
        self._groups: dict[int, TableGroup] = {}
        self._wals: list[Wal] = []
        self._trace: TraceFile | None = None
        self._listener: Listener | None = None
        self._visitors: dict[Visitor, None] = {}
        self._incarnation = 0
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ordinary = OrdinaryTables(
            runtime.disk,
            posixpath.join(config.persistence_dir, ORDINARY_FOLDER),
            runtime.clock,
            runtime.worker,
            self._fail,
            config.frame_bytes_max - FRAME_SLACK_BYTES,
        )
        self._forwarding = Forwarding(
            config.alias,
            runtime.clock,
            self._peers.send,
            FORWARD_TICKS * config.election_tick_s,
        )
        tables = TableFunctions(config.alias, self._groups, self._ordinary, self._forwarding.ask)
        self._forwarding.offer(tables.forwarded())
        groups = GroupFunctions(config.alias, config.groups, self._groups, self._status)
        self._subscriptions = SubscriptionFunctions(tables, self._groups)
        persistence = PersistenceFunctions(self._groups, self._ordinary)
        users = Users(runtime, config.users_file) if config.wants_login else None
        self._door = UserFunctions(users, lambda: self._visitors)
        parts = (groups, tables, self._subscriptions, persistence, self._door)
        self._functions = Functions(*(part.functions() for part in parts))

    @property
    def alias(self) -> str:
        return self._config.alias

    @property
    def cluster_id(self) -> str:
        return self._config.cluster_id

    @property
    def clock(self) -> Clock:
        return self._runtime.clock

    @property
    def wants_login(self) -> bool:
        return self._config.wants_login

    async def open(self) -> None:
        """Recover what the disk holds and listen.

        Raises OSError, NodeFailedError, or ConfigError where users are missing.
        """
        config, disk = self._config, self._runtime.disk
        self._door.open(config)
        disk.make_folder(config.streaming_ha_dir)
        disk.make_folder(config.persistence_dir)
        self._incarnation = next_incarnation(disk, config.streaming_ha_dir)
        if config.trace_file is not None:
            disk.make_folder(posixpath.dirname(config.trace_file))
            file = disk.open(config.trace_file)
            self._trace = TraceFile(
                self.clock,
                file,
                self.alias,
                self._incarnation,
                self._fail,
                heard=self._runtime.heard,
            )
        try:
            self._ordinary.open()
        except (CatalogError, WalCorruption) as error:
            raise NodeFailedError(str(error)) from None
        for group_config in config.groups:
            group = self._open_group(group_config)
            self._groups[group_config.id] = group
            group.raft.start()
        site = config.site
        self._listener = await self._runtime.network.listen(
            site.host,
            site.port,
            self._welcome,
            reuse_port=self._reuse_port,
            tls=self._config.tls,
        )

    async def run(self) -> None:
        """Take part until `stop`; raises NodeFailedError if the node cannot go on."""
        failure: NodeFailedError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                links = tasks.create_task(self._peers.run())
                try:
                    await self._end
                except NodeFailedError as error:
                    failure = error
                finally:
                    links.cancel()
        finally:
            await self.close()
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """Let `run` return."""
        if not self._end.done():
            self._end.set_result(None)

    async def close(self) -> None:
        """Give everything back that `open` took."""
        self.stop()
        if self._listener is not None:
            await self._listener.close()
        for visitor in list(self._visitors):
            visitor.channel.abort(NODE_STOPS)
        for group in self._groups.values():
            group.raft.close()
        await self._runtime.worker.close()
        for wal in self._wals:
            wal.close()
        self._ordinary.close()
        if self._trace is not None:
            self._trace.close()
        self._forwarding.close()

    def _open_group(self, group: GroupConfig) -> TableGroup:
        config, disk = self._config, self._runtime.disk
        folder = posixpath.join(config.streaming_ha_dir, str(group.id))
        try:
            found = Wal.recover(disk, folder, group.id, bugs=config.seeded_bugs)
            tables = Tables(
                disk,
                posixpath.join(config.persistence_dir, str(group.id)),
                now_ns=self._runtime.clock.now_ns,
                bugs=config.seeded_bugs,
                base=found.base,
            )
        except (WalCorruption, DataFileError) as error:
            raise NodeFailedError(str(error)) from None
        self._wals.append(found.wal)
        if found.cut is not None:
            log.warning("group %d: cut off a torn end, %s", group.id, found.cut)
        core = Core.recover(
            config.alias,
            group.aliases,
            found.hard_state,
            found.entries,
            config.seeded_bugs,
            Window(request_entries_max=config.request_entries_max),
            found.base,
        )
        self._check_log(group.id, core.log, tables)
        around = Surroundings(
            runtime=self._runtime,
            send=self._peers.send,
            failed=self._fail,
            site=config.site,
            tick_s=config.election_tick_s,
            incarnation=self._incarnation,
            frame_bytes_max=config.frame_bytes_max,
            acks_early=ACK_BEFORE_FSYNC in config.seeded_bugs,
            trace=self._trace,
            checkpoints=config.checkpoints,
        )
        log.info(
            "group %d: recovered term %d, %d entries", group.id, core.term, core.log.last_index
        )
        return TableGroup(group, core, found.wal, tables, around)

    def _check_log(self, group_id: int, entries: Log, tables: Tables) -> None:
        """What a checkpoint holds the log must know; raises NodeFailedError."""
        at = tables.checkpointed
        if not entries.holds(at.index, at.term):
            tables.close()
            raise NodeFailedError(
                f"group {group_id}: the tables hold what entry {at.index} of term {at.term} did; "
                f"the Raft log, which ends with entry {entries.last_index}, has no such one"
            )

    def _fail(self, reason: str) -> None:
        if not self._end.done():
            self._end.set_exception(NodeFailedError(reason))

    def inspect(self) -> dict[str, Any]:
        """What this node has in memory, for tools that hold it in their own process."""
        groups = {str(group_id): group.raft.inspect() for group_id, group in self._groups.items()}
        return {"incarnation": self._incarnation, "groups": groups}

    def core(self, group_id: int) -> Core | None:
        """The core of a group, for tools that look on; None before it has recovered."""
        group = self._groups.get(group_id)
        return None if group is None else group.raft.core

    # Visitors.

    def _welcome(self) -> Channel:
        visitor = Visitor(self, self._config.frame_bytes_max)
        self._visitors[visitor] = None
        return visitor.channel

    def arrived(self, visitor: Visitor) -> None:
        """A visitor said who it is. A peer's new connection replaces its old one."""
        if not visitor.is_peer:
            return
        if visitor.alias == self.alias or visitor.alias not in self._config.sites:
            raise FrameError(f"no peer of {self.alias} is called {visitor.alias}")
        if self._config.tls is not None and visitor.alias not in visitor.channel.names:
            raise FrameError(f"no certificate of {visitor.alias}")
        for other in list(self._visitors):
            if other is not visitor and other.is_peer and other.alias == visitor.alias:
                other.channel.abort("replaced by a newer connection")

    def left(self, visitor: Visitor) -> None:
        """A visitor's connection has ended."""
        self._visitors.pop(visitor, None)
        self._subscriptions.left(visitor)

    def credit(self, visitor: Visitor, credit: Credit) -> None:
        """A subscriber has room for more."""
        if self.wants_login and visitor.user is None:
            raise FrameError("credit of somebody who has not logged in")
        self._subscriptions.credit(visitor, credit)

    def writable(self, visitor: Visitor) -> None:
        """A subscriber reads again."""
        self._subscriptions.writable(visitor)

    def from_peer(self, alias: str, frame: Frame) -> None:
        """A peer sent a Raft message, forwards a call, or answers a forwarded one."""
        match frame:
            case PeerMessage(message=message):
                group = self._groups.get(frame.group)
                if group is None or message.src != alias or message.dst != self.alias:
                    raise FrameError(
                        f"a message from {message.src} to {message.dst} in group {frame.group} "
                        f"came from {alias} to {self.alias}"
                    )
                door.check(message, group.raft.core)
                group.raft.deliver(message, (alias, frame.incarnation, frame.number))
            case SnapshotPiece() | SnapshotReceipt():
                group = self._groups.get(frame.group)
                if group is None or not are_runs(frame.terms):
                    raise FrameError(f"a snapshot that makes no sense came from {alias}")
                group.raft.snapshots.transferred(alias, frame)
            case Request():
                self._forwarding.serve(alias, frame)
            case Result(id=call_id, value=value):
                self._forwarding.returned(call_id, value)
            case Failure(id=call_id, name=name, definite=definite, message=text):
                self._forwarding.returned(call_id, RequestError(name, definite, text))
            case _:
                raise FrameError(f"a {type(frame).__name__} is not for peers")

    # Functions.

    def call(self, visitor: Visitor, function: str, args: Args, answer: Answer) -> None:
        """Call a function by name."""
        refusal = self._door.refusal(visitor, function)
        if refusal is not None:
            answer(refusal)
            return
        self._functions.call(function, args, Call(answer, visitor))

    def _status(self) -> dict[str, Any]:
        return {
            "alias": self.alias,
            "incarnation": self._incarnation,
            "peers_up": self._peers.up(),
            "syncs": self._ordinary.sync_count
            + sum(group.raft.persister.sync_count for group in self._groups.values()),
        }


def detours(config: NodeConfig, dial: Mapping[str, Address]) -> Mapping[str, Address]:
    """Checks what --dial says: keys are aliases of peers, and addresses in other clusters."""
    for key in dial:
        if ":" not in key and key not in config.sites.keys() - {config.alias}:
            raise ConfigError(f"no peer is called {key}", file=f"--dial {key}")
    return dial


def next_incarnation(disk: Disk, folder: str) -> int:
    """One more than at the last start, durably; raises OSError, or NodeFailedError."""
    path = posixpath.join(folder, INCARNATION_FILE)
    text = disk.read(path) or b"0"
    if not text.strip().isdigit():
        raise NodeFailedError(f"{path} holds no number")
    number = int(text) + 1
    fresh = path + ".new"
    file = disk.open(fresh)
    try:
        file.truncate(0)
        file.append(b"%d\n" % number)
        file.sync()
    finally:
        file.close()
    disk.rename(fresh, path)
    disk.sync_folder(folder)
    return number
