"""Who leads, asked of the nodes again and again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ...impl.client.connection import Connection
from ...impl.client.errors import NOT_AUTHENTICATED, RequestError
from ...impl.client.functions import raft_status
from ...impl.config import NodeConfig
from ...impl.raft.ready import Role
from ...impl.runtime import Tls
from ...impl.users import ADMIN

_ASK_S = 1.0


@dataclass(frozen=True, slots=True)
class Leader:
    """A leader of the newest term that anybody told of: by its own account, or where it does not
    let us in, by another's.
    """

    alias: str
    term: int


class Leaders:
    """Keeps a connection to each node; who does not answer is asked anew the next time."""

    def __init__(
        self, nodes: Mapping[str, NodeConfig], groups: Mapping[int, tuple[str, ...]]
    ) -> None:
        """Calls as the administrator whom the configuration names, where it names one."""
        self._nodes = nodes
        self._groups = groups
        self._connections: dict[str, Connection] = {}
        self._shut: set[str] = set()

    @property
    def unseen(self) -> set[int]:
        """Groups of which no member that answers lets us in: nobody tells who leads."""
        return {
            group
            for group, members in self._groups.items()
            if (known := self._connections.keys() & members) and known <= self._shut
        }

    async def ask(self) -> dict[int, Leader | None]:
        """The leader of each group, if it has one that answers."""
        await asyncio.gather(*(self.reaches(alias) for alias in self._nodes))
        return {group: await self._leader(group) for group in self._groups}

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    async def reaches(self, alias: str) -> bool:
        """Whether a node answers, be it with a refusal."""
        known = self._connections.get(alias)
        if known is not None and known.is_open:
            return True
        self._connections.pop(alias, None)
        node = self._nodes[alias]
        try:
            opened = await Connection.open(
                node.site.host,
                node.site.port,
                timeout_s=_ASK_S,
                tls=None if node.tls is None else Tls(node.tls.authority, name=alias),
            )
        except RequestError:
            return False
        if await self._enters(alias, opened):
            self._connections[alias] = opened
        else:
            opened.close()
        return True

    async def _enters(self, alias: str, connection: Connection) -> bool:
        """Log in, where that is wanted; False if it may go better another time.

        A wrong password is sent once: to the node it looks like somebody who guesses.
        """
        node = self._nodes[alias]
        if not node.wants_login or alias in self._shut:
            return True
        if node.first_password is None:
            self._shut.add(alias)
            return True
        try:
            await connection.call("login", (ADMIN, node.first_password), timeout_s=_ASK_S)
        except RequestError as error:
            if error.name != NOT_AUTHENTICATED:
                return False
            self._shut.add(alias)
        return True

    async def _leader(self, group: int) -> Leader | None:
        members = [a for a in self._groups[group] if a in self._connections.keys() - self._shut]
        told = await asyncio.gather(*(self._status(alias, group) for alias in members))
        leaders = [leader for leader in told if leader is not None]
        return max(leaders, key=lambda leader: leader.term, default=None)

    async def _status(self, alias: str, group: int) -> Leader | None:
        try:
            status = await raft_status(self._connections[alias], group, timeout_s=_ASK_S)
        except RequestError:
            return None
        if status["role"] == Role.LEADER:
            return Leader(alias, status["term"])
        other = status["leader"]
        return Leader(other, status["term"]) if other in self._shut else None
