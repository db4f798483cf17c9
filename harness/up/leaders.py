"""Who leads, asked of the nodes again and again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ...impl.client.connection import Connection
from ...impl.client.errors import RequestError
from ...impl.client.functions import raft_status
from ...impl.config import NodeConfig
from ...impl.raft.ready import Role
from ...impl.runtime import Tls
from ...impl.users import ADMIN

_ASK_S = 1.0


@dataclass(frozen=True, slots=True)
class Leader:
    """A leader by its own account, of the newest term that anybody told of."""

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

    async def ask(self) -> dict[int, Leader | None]:
        """The leader of each group, if it has one that answers."""
        await asyncio.gather(*(self.reaches(alias) for alias in self._nodes))
        return {group: await self._leader(group) for group in self._groups}

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    async def reaches(self, alias: str) -> bool:
        """Whether a node answers."""
        known = self._connections.get(alias)
        if known is not None and known.is_open:
            return True
        node = self._nodes[alias]
        password = node.first_password
        try:
            opened = await Connection.open(
                node.site.host,
                node.site.port,
                timeout_s=_ASK_S,
                user=ADMIN if node.wants_login and password is not None else None,
                password=password or "",
                tls=None if node.tls is None else Tls(node.tls.authority, name=alias),
            )
        except RequestError:
            self._connections.pop(alias, None)
            return False
        self._connections[alias] = opened
        return True

    async def _leader(self, group: int) -> Leader | None:
        members = [a for a in self._groups[group] if a in self._connections]
        told = await asyncio.gather(*(self._status(alias, group) for alias in members))
        leaders = [leader for leader in told if leader is not None]
        return max(leaders, key=lambda leader: leader.term, default=None)

    async def _status(self, alias: str, group: int) -> Leader | None:
        try:
            status = await raft_status(self._connections[alias], group, timeout_s=_ASK_S)
        except RequestError:
            return None
        return Leader(alias, status["term"]) if status["role"] == Role.LEADER else None
