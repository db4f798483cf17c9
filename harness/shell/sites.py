"""The nodes that the shell knows: those that it was given, and those that these tell of."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ...impl.client.connection import Connection
from ...impl.client.errors import NOT_AUTHENTICATED, RequestError
from ...impl.client.functions import Caller, get_streaming_raft_groups
from ...impl.client.session import Session
from ...impl.client.subscriber import Subscriber
from ...impl.config import CONTROLLER
from ...impl.runtime import Tls
from ...impl.site import parse_address, parse_site
from ..errors import UsageError, WorldError

Address = tuple[str, int]

_DIAL_S = 2.0


class Sites:
    """`open` it first. A session finds the leader; one node is asked on a connection of its own."""

    def __init__(
        self,
        given: Sequence[str],
        timeout_s: float,
        *,
        user: str | None = None,
        password: str = "",
        tls: Tls | None = None,
    ) -> None:
        """`given` as host:port. Raises UsageError."""
        self._user, self._password, self._tls = user, password, tls
        try:
            self._given = [parse_address(site) for site in given]
        except ValueError as error:
            raise UsageError(str(error)) from None
        self.timeout_s = timeout_s
        self.addresses: list[str] = []
        """Of data nodes; of controllers, if there is nothing else."""
        self._controllers: set[str] = set()
        self._places: dict[str, Address] = {}
        self._connections: dict[str, Connection] = {}
        self._session: Session | None = None

    @property
    def aliases(self) -> list[str]:
        return sorted(self._places)

    @property
    def session(self) -> Session:
        assert self._session is not None, "open it first"
        return self._session

    async def open(self) -> None:
        """Learn who is there, from whoever answers.

        Raises WorldError if nobody does, UsageError if they do not take the password.
        """
        said = await asyncio.gather(*(self._meet(place) for place in self._given))
        failures = [problem for problem in said if problem is not None]
        if not self._places:
            told = "\n".join(str(problem) for problem in failures)
            if any(problem.name == NOT_AUTHENTICATED for problem in failures):
                raise UsageError(f"no node lets {self._user} in\n{told}")
            raise WorldError(f"no node answers\n{told}")
        everybody = dict.fromkeys([*self._given, *self._places.values()])
        others = {self._places[alias] for alias in self._controllers}
        chosen = [place for place in everybody if place not in others] or list(everybody)
        self.addresses = [f"{host}:{port}" for host, port in chosen]
        self._session = Session(
            self.addresses,
            total_s=self.timeout_s,
            user=self._user,
            password=self._password,
            tls=self._tls,
        )

    def subscriber(self) -> Subscriber:
        """A new one, who logs in as the shell does."""
        return Subscriber(self.addresses, user=self._user, password=self._password, tls=self._tls)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        for connection in self._connections.values():
            connection.close()

    async def node(self, alias: str) -> Caller:
        """A connection to that very node; raises RequestError, or UsageError for a stranger."""
        if alias not in self._places:
            raise UsageError(f"no node is called {alias}; there are {', '.join(self.aliases)}")
        known = self._connections.get(alias)
        if known is None or not known.is_open:
            known = await self._connected(self._places[alias])
            self._connections[alias] = known
        return known

    async def _connected(self, place: Address) -> Connection:
        return await Connection.open(
            *place, timeout_s=_DIAL_S, user=self._user, password=self._password, tls=self._tls
        )

    async def _meet(self, place: Address) -> RequestError | None:
        """Ask a node who it is and whom it knows; why it does not answer, if so."""
        try:
            connection = await self._connected(place)
            self._places[connection.alias] = place
            self._connections[connection.alias] = connection
            groups: list[dict[str, Any]] = await get_streaming_raft_groups(
                connection, timeout_s=_DIAL_S
            )
            status = await connection.call("nodeStatus", (), timeout_s=_DIAL_S)
        except RequestError as error:
            return error
        for group in groups:
            for text in group["sites"].split(","):
                site = parse_site(text)
                self._places.setdefault(site.alias, (site.host, site.port))
        if status.get("mode") == CONTROLLER:
            self._controllers.add(connection.alias)
        return None
