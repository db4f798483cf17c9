"""A subscriber node: several subscriptions, and one place for their stored offsets."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from ..runtime import ClientRuntime, Tls
from ..runtime_asyncio import loop_client_runtime
from .errors import TOPIC_EXISTS, RequestError
from .offsets import Offsets
from .subscribing import Handler, Options
from .subscription import Subscription


class Subscriber:
    """Subscribe inside `async with`; the end of the block ends all subscriptions.

    A subscription that fails ends alone; `failure` tells why.
    """

    def __init__(
        self,
        sites: Sequence[str],
        *,
        offsets: Offsets | None = None,
        runtime: ClientRuntime | None = None,
        user: str | None = None,
        password: str = "",
        tls: Tls | None = None,
    ) -> None:
        """`sites` as `host:port`, of any members of the group."""
        self._sites = list(sites)
        self._offsets = offsets
        self._login = (user, password, tls)
        self._runtime = loop_client_runtime() if runtime is None else runtime
        self._tasks = asyncio.TaskGroup()
        self._topics: dict[str, Subscription] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, Exception] = {}

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for found in self._topics.values():
            found.close()
        try:
            await self._tasks.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            # What only the block raised goes on as it is: `except RequestError` has to catch it.
            if group.exceptions != (error,):
                raise

    async def subscribe_table(self, table: str, handler: Handler, **options: Any) -> str:
        """Subscribe, through any member; gives the topic. Options are those of `Options`.

        Raises RequestError, where -2 finds no stored offset (NoStoredOffset) or that of a table
        that had the name before (TableReplaced), too. Whoever is cancelled while waiting for it to
        begin has not subscribed.
        """
        chosen = Options(**options)
        found = Subscription(
            self._sites,
            table,
            handler,
            chosen,
            offsets=self._offsets,
            runtime=self._runtime,
            login=self._login,
        )
        if found.topic in self._topics:
            raise RequestError(TOPIC_EXISTS, True, f"there is already a topic {found.topic}")
        self._topics[found.topic] = found
        self._failures.pop(found.topic, None)
        running = self._running[found.topic] = self._tasks.create_task(self._run(found))
        try:
            await found.live()
        except asyncio.CancelledError:
            found.close()
            await asyncio.wait([running])
            raise
        return found.topic

    async def unsubscribe_table(
        self, table: str, action: str = "", *, remove_offset: bool = True
    ) -> None:
        """End a subscription; rows that wait are dropped, the stored offset goes or is kept.

        A handler that is under way is cancelled, also one that asks for this. Once this returns to
        anybody else the handler is called no more. Raises RequestError if the leader cannot be
        told, and OSError.
        """
        topic = f"{table}/{action}"
        found = self._topics.get(topic)
        if found is not None:
            running = self._running[topic]
            try:
                await found.unsubscribe()
            finally:
                if not found.is_handling:
                    # What it still records would come after the removal.
                    await asyncio.wait([running])
        if remove_offset and self._offsets is not None:
            await self._offsets.remove(topic)

    def get_topic_processed_offset(self, topic: str) -> int:
        """The row recorded last; -1 where none is, or offsets are not stored."""
        stored = self._offsets.load(topic) if self._offsets is not None else None
        return -1 if stored is None else stored.offset

    async def remove_topic_offset(self, topic: str) -> None:
        """Forget the stored offset."""
        if self._offsets is not None:
            await self._offsets.remove(topic)

    def failure(self, topic: str) -> Exception | None:
        """Why a subscription ended by itself."""
        return self._failures.get(topic)

    def subscription(self, topic: str) -> Subscription | None:
        """A subscription that runs, for its counters."""
        return self._topics.get(topic)

    async def _run(self, found: Subscription) -> None:
        try:
            await found.run()
        except (RequestError, OSError) as error:
            self._failures[found.topic] = error
        finally:
            del self._topics[found.topic], self._running[found.topic]
