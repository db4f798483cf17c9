"""One connection for all calls of a session: made once while they wait, and dropped if none does.

Each connection costs the node a password: calls that dialled for themselves would keep each other
out.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from ..runtime import Clock, within
from .connection import Connection
from .errors import DISCONNECTED, TIMEOUT, RequestError

CLOSED = "the session is closed"


class SharedConnection:
    """Being made, open, or over."""

    def __init__(self, clock: Clock, made: Coroutine[Any, Any, Connection]) -> None:
        """`made` is what `Connection.open` gives."""
        self._clock = clock
        self._waiting: list[asyncio.Future[None]] = []
        self._is_over = False
        self._task = asyncio.get_running_loop().create_task(made)
        self._task.add_done_callback(self._settled)

    @property
    def is_usable(self) -> bool:
        """Whether a call may still wait for it, or be made over it."""
        opened = self._opened
        return not self._is_over if opened is None else opened.is_open

    @property
    def is_awaited(self) -> bool:
        """Whether calls wait until it is made."""
        return bool(self._waiting) and not self._task.done()

    @property
    def alias(self) -> str:
        """The name of the node that answers; empty until one does."""
        opened = self._opened
        return "" if opened is None else opened.alias

    async def opened(self, timeout_s: float) -> Connection:
        """Wait until it is open; raises RequestError, always a definite one."""
        deadline_ns = self._clock.now_ns() + int(timeout_s * 1e9)
        if self._opened is None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            try:
                await within(self._clock, future, deadline_ns)
            except TimeoutError:
                message = f"there was no connection within {timeout_s:g} s"
                raise RequestError(TIMEOUT, True, message) from None
            finally:
                self._waiting.remove(future)
                if not self._waiting and not self._task.done():
                    self.close()
        if self._task.cancelled():
            raise RequestError(DISCONNECTED, True, CLOSED)
        return self._task.result()

    def close(self) -> None:
        """End it, also before it is made."""
        self._is_over = True
        self._task.cancel()
        opened = self._opened
        if opened is not None:
            opened.close()

    def retire(self) -> None:
        """End it once no call waits for an answer."""
        opened = self._opened
        if opened is not None:
            opened.retire()

    @property
    def _opened(self) -> Connection | None:
        task = self._task
        if not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    def _settled(self, task: asyncio.Task[Connection]) -> None:
        if self._opened is None:
            self._is_over = True
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
