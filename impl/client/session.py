"""High availability for a client: finds the leader, follows it, gives up at a known time.

`sites` are the documents' highAvailabilitySites. A call is asked again after definite errors; after
an indefinite one only if repeating it does no harm, or if the caller wants at-least-once. Nothing
is retried for ever: each call has a total time.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ..runtime import ClientRuntime, Clock, Tls, pause
from ..runtime_asyncio import loop_client_runtime
from ..site import parse_address
from ..stream.commands import RETENTION_MINUTES
from . import functions
from .connection import FRAME_BYTES_MAX, LOGIN_S, Connection
from .errors import DISCONNECTED, INDETERMINATE, NOT_LEADER, OVERLOADED, TIMEOUT, RequestError
from .shared import CLOSED, SharedConnection

PAUSE_FIRST_S = 0.01
PAUSE_MAX_S = 0.5
DIAL_S = 1.0
"""How long a member may take to connect and to greet; a login is waited for longer."""

RETRIED = frozenset({NOT_LEADER, OVERLOADED, DISCONNECTED, TIMEOUT, INDETERMINATE})
"""Errors after which another member, or another moment, may give another answer."""


class Session:
    """One client of a group, whoever leads it. Calls run one after another or at once."""

    def __init__(
        self,
        sites: Sequence[str],
        *,
        total_s: float = 30.0,
        attempt_s: float = 2.0,
        retry_indeterminate: bool = False,
        frame_bytes_max: int = FRAME_BYTES_MAX,
        runtime: ClientRuntime | None = None,
        user: str | None = None,
        password: str = "",
        tls: Tls | None = None,
    ) -> None:
        """`sites` as `host:port`. A call takes at most `total_s`, one attempt `attempt_s`.

        With `retry_indeterminate` an append whose fate is unknown is sent again, so that it may be
        stored twice (promise HS-15); without it, `append` raises Indeterminate. A refusal after
        such an attempt is Indeterminate, too, and names the refusal.
        """
        if not sites:
            raise ValueError("want at least one host:port")
        self._sites = [parse_address(site) for site in sites]
        self._target = self._sites[0]
        self._total_s = total_s
        self._attempt_s = attempt_s
        self._retry_indeterminate = retry_indeterminate
        self._frame_bytes_max = frame_bytes_max
        self._runtime = loop_client_runtime() if runtime is None else runtime
        self._shared: SharedConnection | None = None
        self._user = user
        self._password = password
        self._tls = tls
        self._closed = False

    @property
    def clock(self) -> Clock:
        """What time limits are measured with."""
        return self._runtime.clock

    @property
    def target(self) -> str:
        """Where the next call goes first, as `host:port`."""
        return f"{self._target[0]}:{self._target[1]}"

    async def create_table(
        self,
        group: int,
        name: str,
        schema: pa.Schema,
        *,
        cache_limit: int = 0,
        key_columns: Sequence[str] = (),
        retention_minutes: int = RETENTION_MINUTES,
    ) -> None:
        """Create a table. After Indeterminate, a second call's TableExists may be the first's."""
        await functions.create_table(
            self,
            group,
            name,
            schema,
            cache_limit=cache_limit,
            key_columns=key_columns,
            retention_minutes=retention_minutes,
            timeout_s=self._total_s,
        )

    async def drop_table(self, name: str) -> None:
        """Drop a table. After Indeterminate, a second call's NoSuchTable may be the first's."""
        await functions.drop_table(self, name, timeout_s=self._total_s)

    async def set_filter_column(self, name: str, column: str) -> None:
        """Let subscribers choose rows by their values in this column, for ever."""
        await functions.set_filter_column(self, name, column, timeout_s=self._total_s)

    async def append(self, table: str, batch: pa.RecordBatch) -> int:
        """Append a batch; gives the offset of its first row (promise HS-26)."""
        return await functions.append(self, table, batch, timeout_s=self._total_s)

    async def insert(self, table: str, batch: pa.RecordBatch) -> functions.Inserted:
        """As `append`; says how many rows were new, too."""
        return await functions.insert(self, table, batch, timeout_s=self._total_s)

    async def read(self, table: str, start: int, limit: int | None = None) -> pa.Table:
        """Read linearizably from the leader."""
        return await functions.read(self, table, start, limit, timeout_s=self._total_s)

    def close(self) -> None:
        """End the connection; calls under way fail."""
        self._closed = True
        if self._shared is not None:
            self._shared.close()

    async def call(self, function: str, args: tuple[Any, ...] = (), *, timeout_s: float) -> Any:
        """Any function, within `timeout_s` in all; raises RequestError."""
        clock = self._runtime.clock
        deadline_ns = clock.now_ns() + int(timeout_s * 1e9)
        repeatable = self._retry_indeterminate or function in functions.READ_ONLY
        doubt = followed = False
        pause_s = PAUSE_FIRST_S
        while True:
            left_s = max(0.001, (deadline_ns - clock.now_ns()) / 1e9)
            shared: SharedConnection | None = None
            try:
                shared = self._current()
                return await self._attempt(shared, function, args, left_s)
            except RequestError as error:
                last = error
            if last.name not in RETRIED or self._closed:
                if doubt and last.definite and function not in functions.READ_ONLY:
                    # This attempt did nothing; perhaps because an earlier one did it all.
                    raise RequestError(INDETERMINATE, False, str(last)) from last
                raise last
            # Also if this call ends here, the next one need not go to the same silent member.
            named = self._go_on(last, shared)
            if not last.definite and not repeatable:
                raise RequestError(INDETERMINATE, False, str(last)) from last
            doubt = doubt or not last.definite
            # The first pointer to a leader is followed at once. Whatever comes after it may be an
            # election, and waits; jitter keeps clients from arriving all together.
            if named and not followed:
                followed = True
                continue
            if clock.now_ns() + pause_s * 1e9 >= deadline_ns:
                name = INDETERMINATE if doubt else TIMEOUT
                raise RequestError(name, not doubt, f"gave up after {timeout_s:g} s; last: {last}")
            await pause(clock, self._runtime.randomness.uniform(pause_s / 2, pause_s))
            pause_s = min(2 * pause_s, PAUSE_MAX_S)

    async def _attempt(
        self, shared: SharedConnection, function: str, args: tuple[Any, ...], left_s: float
    ) -> Any:
        clock = self._runtime.clock
        start_ns = clock.now_ns()
        connection = await shared.opened(left_s)
        left_s -= (clock.now_ns() - start_ns) / 1e9
        return await connection.call(
            function, args, timeout_s=max(0.001, min(left_s, self._attempt_s))
        )

    def _current(self) -> SharedConnection:
        """What calls are made over now; a new one if the last one has ended."""
        if self._closed:
            raise RequestError(DISCONNECTED, True, CLOSED)
        if self._shared is None or not self._shared.is_usable:
            made = Connection.open(
                *self._target,
                timeout_s=DIAL_S,
                login_s=LOGIN_S,
                frame_bytes_max=self._frame_bytes_max,
                runtime=self._runtime,
                user=self._user,
                password=self._password,
                tls=self._tls,
            )
            self._shared = SharedConnection(self._runtime.clock, made)
        return self._shared

    def _go_on(self, error: RequestError, tried: SharedConnection | None) -> bool:
        """Choose where to ask next; true if the error named the place."""
        site = error.site
        if tried is None or tried is not self._shared or tried.is_awaited:
            # Another call has learnt more since this attempt began, or is about to.
            return site is not None and (site.host, site.port) == self._target
        if site is not None and site.alias != tried.alias:
            self._move_to((site.host, site.port))
            return True
        if error.name != OVERLOADED:
            at = self._sites.index(self._target) + 1 if self._target in self._sites else 0
            self._move_to(self._sites[at % len(self._sites)])
        return False

    def _move_to(self, target: tuple[str, int]) -> None:
        if self._shared is not None and target != self._target:
            # Other calls may still wait for their answers there.
            self._shared.retire()
            self._shared = None
        self._target = target
