"""What every node is: links to peers, visitors, a door, a trace, members of Raft groups.

What makes it a data node or a controller is its role, which adds functions and groups to it.
"""

import asyncio
import logging
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .bugs import ACK_BEFORE_FSYNC
from .client.errors import RequestError
from .config import CONTROLLER, DATA_NODE, ConfigError, GroupConfig, NodeConfig
from .incarnation import next_incarnation
from .raft import door
from .raft.core import Core
from .raft.group import Group
from .raft.machine import Machine
from .raft.progress import Window
from .raft.replay import WalCorruption
from .raft.surroundings import Surroundings
from .raft.terms import Runs, are_runs
from .raft.transport import Address, Peers
from .raft.wal import Wal
from .role import NodeFailedError, Role
from .runtime import Clock, Listener, Runtime
from .service.call import Answer, Call, Function, Functions
from .service.forwarding import Forwarding
from .trace import TraceFile
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

ASK_TICKS = 4
"""How many election ticks what a peer is asked may take before its fate is unknown."""

log = logging.getLogger("delphic.node")

Args = tuple[Any, ...]

M = TypeVar("M", bound=Machine)


@dataclass(frozen=True, slots=True)
class Recovered(Generic[M]):
    """What a member of a group begins with."""

    core: Core
    wal: Wal
    machine: M
    around: Surroundings


class Node:
    """`open` it, `run` it until `stop`; a `Host`. In one event loop, on one runtime."""

    role: Role

    def __init__(
        self,
        config: NodeConfig,
        runtime: Runtime,
        *,
        dial: Mapping[str, Address] | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Without a role yet. `dial`: alias, or `host:port` elsewhere → where it is reached."""
        self.config = config
        self.runtime = runtime
        self._reuse_port = reuse_port
        hello = Hello(MAGIC, VERSION, PEER, config.alias, config.cluster_id)
        self._detours = detours(config, dial or {})
        addresses = {
            site.alias: self._detours.get(site.alias, (site.host, site.port))
            for site in config.sites.values()
            if site.alias != config.alias
        }
        self._peers = Peers(runtime, hello, addresses, config.frame_bytes_max, config.tls)
        self.groups: dict[int, Group] = {}
        """This node's members of groups, by their ids."""
        self.visitors: dict[Visitor, None] = {}
        self._met: set[str] = set()
        self._wals: list[Wal] = []
        self.trace: TraceFile | None = None
        self._listener: Listener | None = None
        self.incarnation = 0
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._functions = Functions()
        self.peers = Forwarding(
            config.alias, runtime.clock, self._peers.send, ASK_TICKS * config.election_tick_s
        )

    @property
    def alias(self) -> str:
        return self.config.alias

    @property
    def cluster_id(self) -> str:
        return self.config.cluster_id

    @property
    def clock(self) -> Clock:
        return self.runtime.clock

    @property
    def wants_login(self) -> bool:
        return self.config.wants_login

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    def offer(self, functions: Mapping[str, Function]) -> None:
        """Let clients call these, too. (`peers.offer` is for the nodes of this cluster.)"""
        self._functions.add(functions)

    @property
    def others(self) -> list[str]:
        """All nodes of the cluster but this one."""
        return [alias for alias in self.config.sites if alias != self.alias]

    def reached(self, host: str, port: int) -> Address:
        """Where to dial for this address in another cluster."""
        return self._detours.get(f"{host}:{port}", (host, port))

    def up(self) -> list[str]:
        """The peers to which there is a link."""
        return self._peers.up()

    async def open(self) -> None:
        """Recover what the disk holds and listen.

        Raises OSError, NodeFailedError, or ConfigError where users are missing.
        """
        config, disk = self.config, self.runtime.disk
        disk.make_folder(self.role.folder)
        self.incarnation = next_incarnation(disk, self.role.folder)
        self.peers.begin(self.incarnation)
        if config.trace_file is not None:
            disk.make_folder(posixpath.dirname(config.trace_file))
            file = disk.open(config.trace_file)
            self.trace = TraceFile(
                self.clock,
                file,
                self.alias,
                self.incarnation,
                self.fail,
                heard=self.runtime.heard,
            )
        self.role.open()
        site = config.site
        self._listener = await self.runtime.network.listen(
            site.host,
            site.port,
            self._welcome,
            reuse_port=self._reuse_port,
            tls=config.tls,
        )

    async def run(self) -> None:
        """Take part until `stop`; raises NodeFailedError if the node cannot go on."""
        failure: NodeFailedError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                links = tasks.create_task(self._peers.run())
                work = tasks.create_task(self.role.run())
                try:
                    await self._end
                except NodeFailedError as error:
                    failure = error
                finally:
                    links.cancel()
                    work.cancel()
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
        for visitor in list(self.visitors):
            visitor.channel.abort(NODE_STOPS)
        for group in self.groups.values():
            group.close()
        await self.runtime.worker.close()
        await self.runtime.background.close()
        for wal in self._wals:
            wal.close()
        self.role.close()
        if self.trace is not None:
            self.trace.close()
        self.peers.close()

    def recover(
        self, group: GroupConfig, folder: str, opened: Callable[[Runs], M], what: str
    ) -> Recovered[M]:
        """A group's log and machine as the disk holds them; raises NodeFailedError, or OSError.

        `opened` gets what the log begins behind; what it raises is the caller's. The machine is
        called `what`.
        """
        config = self.config
        try:
            found = Wal.recover(self.runtime.disk, folder, group.id, bugs=config.seeded_bugs)
        except WalCorruption as error:
            raise NodeFailedError(str(error)) from None
        self._wals.append(found.wal)
        machine = opened(found.base)
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
        at = machine.checkpointed
        if not core.log.holds(at.index, at.term):
            machine.close()
            raise NodeFailedError(
                f"group {group.id}: {what} hold what entry {at.index} of term {at.term} "
                f"did; the Raft log, which ends with entry {core.log.last_index}, has no such one"
            )
        around = Surroundings(
            runtime=self.runtime,
            send=self._peers.send,
            failed=self.fail,
            site=config.site,
            tick_s=config.election_tick_s,
            incarnation=self.incarnation,
            frame_bytes_max=config.frame_bytes_max,
            acks_early=ACK_BEFORE_FSYNC in config.seeded_bugs,
            trace=self.trace,
            checkpoints=config.checkpoints,
        )
        log.info(
            "group %d: recovered term %d, %d entries", group.id, core.term, core.log.last_index
        )
        return Recovered(core, found.wal, machine, around)

    def join(self, group: Group) -> None:
        """Take part in a group."""
        self.groups[group.id] = group
        group.start()

    def fail(self, reason: str) -> None:
        """The node cannot go on."""
        if not self._end.done():
            self._end.set_exception(NodeFailedError(reason))

    def inspect(self) -> dict[str, Any]:
        """What this node has in memory, for tools that hold it in their own process."""
        groups = {str(group_id): group.inspect() for group_id, group in self.groups.items()}
        return {"incarnation": self.incarnation, "groups": groups}

    def core(self, group_id: int) -> Core | None:
        """The core of a group, for tools that look on; None before it has recovered."""
        group = self.groups.get(group_id)
        return None if group is None else group.core

    # Visitors.

    def _welcome(self) -> Channel:
        visitor = Visitor(self, self.config.frame_bytes_max)
        self.visitors[visitor] = None
        return visitor.channel

    def arrived(self, visitor: Visitor) -> None:
        """A visitor said who it is. A peer's new connection replaces its old one."""
        if not visitor.is_peer:
            return
        if visitor.alias == self.alias or visitor.alias not in self.config.sites:
            raise FrameError(f"no peer of {self.alias} is called {visitor.alias}")
        if self.config.tls is not None and visitor.alias not in visitor.channel.names:
            raise FrameError(f"no certificate of {visitor.alias}")
        for other in list(self.visitors):
            if other is not visitor and other.is_peer and other.alias == visitor.alias:
                other.channel.abort("replaced by a newer connection")
        if visitor.alias in self._met and self.config.controllers:
            # It lost its power, perhaps: our link leads nowhere, and only what is sent finds out.
            self._peers.send(visitor.alias, Result(0, None))
        self._met.add(visitor.alias)

    def left(self, visitor: Visitor) -> None:
        """A visitor's connection has ended."""
        self.visitors.pop(visitor, None)
        if visitor.is_peer and all(other.alias != visitor.alias for other in self.visitors):
            self.peers.gone(visitor.alias)
        self.role.left(visitor)

    def credit(self, visitor: Visitor, credit: Credit) -> None:
        """A subscriber has room for more."""
        if self.wants_login and visitor.user is None:
            raise FrameError("credit of somebody who has not logged in")
        self.role.credit(visitor, credit)

    def writable(self, visitor: Visitor) -> None:
        """A client reads again."""
        self.role.writable(visitor)

    def from_peer(self, alias: str, frame: Frame) -> None:
        """A peer sent a Raft message, asks for something, or answers what it was asked."""
        match frame:
            case PeerMessage(message=message):
                group = self.groups.get(frame.group)
                if group is None or message.src != alias or message.dst != self.alias:
                    raise FrameError(
                        f"a message from {message.src} to {message.dst} in group {frame.group} "
                        f"came from {alias} to {self.alias}"
                    )
                door.check(message, group.core)
                group.deliver(message, (alias, frame.incarnation, frame.number))
            case SnapshotPiece() | SnapshotReceipt():
                group = self.groups.get(frame.group)
                if group is None or not are_runs(frame.terms):
                    raise FrameError(f"a snapshot that makes no sense came from {alias}")
                group.snapshots.transferred(alias, frame)
            case Request():
                self.peers.serve(alias, frame)
            case Result(id=call_id, value=value):
                self.peers.returned(alias, call_id, value)
            case Failure(id=call_id, name=name, definite=definite, message=text):
                self.peers.returned(alias, call_id, RequestError(name, definite, text))
            case _:
                raise FrameError(f"a {type(frame).__name__} is not for peers")

    def call(self, visitor: Visitor, function: str, args: Args, answer: Answer) -> None:
        """Call a function by name."""
        refusal = self.role.door.refusal(visitor, function)
        if refusal is not None:
            answer(refusal)
            return
        self.perform(function, args, Call(answer, visitor))

    def perform(self, function: str, args: Args, call: Call) -> None:
        """Let a function of clients answer, whoever calls."""
        self._functions.call(function, args, call)

    def status(self) -> dict[str, Any]:
        """What `nodeStatus` tells."""
        logs = sum(group.persister.sync_count for group in self.groups.values())
        return {
            "alias": self.alias,
            "mode": CONTROLLER if self.config.is_controller else DATA_NODE,
            "incarnation": self.incarnation,
            "peers_up": self._peers.up(),
            "syncs": self.role.sync_count() + logs,
        }


def detours(config: NodeConfig, dial: Mapping[str, Address]) -> Mapping[str, Address]:
    """Checks what --dial says: keys are aliases of peers, and addresses in other clusters."""
    for key in dial:
        if ":" not in key and key not in config.sites.keys() - {config.alias}:
            raise ConfigError(f"no peer is called {key}", file=f"--dial {key}")
    return dial
