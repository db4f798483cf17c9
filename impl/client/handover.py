"""How rows that wait reach a handler: when they are a batch, and what the handler is given."""

import asyncio
import inspect
from typing import Any

import pyarrow as pa

from ..runtime import Clock
from .cursor import Cursor, Taken
from .functions import batch_of
from .subscribing import Handler, Options


class Handover:
    """Waits for batches and calls the handler with them; counts the calls that failed."""

    def __init__(self, handler: Handler, options: Options, cursor: Cursor, clock: Clock) -> None:
        self._handler = handler
        self._options = options
        self._cursor = cursor
        self._clock = clock
        self._arrived: asyncio.Future[None] | None = None
        self.failed_count = 0
        self.last_error = ""

    def arrived(self) -> None:
        """More rows wait."""
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    async def until_due(self) -> int:
        """Wait for a batch; gives how many of the waiting frames belong to it."""
        options, clock = self._options, self._clock
        while not self._cursor.waiting:
            await self._until_arrival(None)
        if not options.batch_size:
            return 1
        due_ns = clock.now_ns() + int(options.throttle_s * 1e9)
        while self._cursor.waiting_rows < options.batch_size and clock.now_ns() < due_ns:
            await self._until_arrival((due_ns - clock.now_ns()) / 1e9)
        return len(self._cursor.waiting)

    async def hand_over(self, batch: list[Taken], schema: pa.Schema) -> bool:
        """Call the handler; gives whether it returned, rather than raised."""
        bodies = [body for taken in batch for body in taken.rows.batches]
        table = pa.Table.from_batches([batch_of(body, schema) for body in bodies], schema)
        if not table.num_rows:
            return True  # The filter left nothing.
        message: Any = table if self._options.msg_as_table else tuple(table.columns)
        args = (message, batch[-1].end - 1) if self._options.handler_need_msg_id else (message,)
        try:
            result = self._handler(*args)
            if inspect.isawaitable(result):
                await result
        except Exception as error:  # Whatever a handler of anybody's raises is its failure (B18).
            self.failed_count += 1
            self.last_error = f"{type(error).__name__}: {error}"
            return False
        return True

    async def _until_arrival(self, most_s: float | None) -> None:
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrived = arrived

        def late() -> None:
            if not arrived.done():
                arrived.set_result(None)

        alarm = None if most_s is None else self._clock.call_later(most_s, late)
        try:
            await arrived
        finally:
            if alarm is not None:
                alarm.cancel()
