"""A listening node that answers as a test says."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from delphic.impl.raft.debts import Answer
from delphic.impl.runtime import Clock, Listener
from delphic.impl.runtime_asyncio import loop_client_runtime
from delphic.impl.visitor import Visitor
from delphic.impl.wire import Credit, Frame, FrameError

Script = Callable[["ScriptedNode", str, tuple[Any, ...], Answer], None]


class ScriptedNode:
    """A `Host` whose `call` is the test's function; remembers what it was asked."""

    def __init__(self, alias: str, script: Script) -> None:
        self._alias = alias
        self.script = script
        self._runtime = loop_client_runtime()
        self._listener: Listener | None = None
        self.visitors: list[Visitor] = []
        self.asked: list[str] = []

    @property
    def alias(self) -> str:
        return self._alias

    @property
    def cluster_id(self) -> str:
        return "scripted"

    @property
    def clock(self) -> Clock:
        return self._runtime.clock

    @property
    def port(self) -> int:
        assert self._listener is not None
        return self._listener.port

    @property
    def site(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def wants_login(self) -> bool:
        return False

    def arrived(self, visitor: Visitor) -> None:
        self.visitors.append(visitor)

    def left(self, visitor: Visitor) -> None:
        if visitor in self.visitors:
            self.visitors.remove(visitor)

    def call(self, visitor: Any, function: str, args: tuple[Any, ...], answer: Answer) -> None:
        self.asked.append(function)
        self.script(self, function, args, answer)

    def credit(self, visitor: Visitor, credit: Credit) -> None:
        """Subscribers may take as much as they like."""

    def writable(self, visitor: Visitor) -> None:
        """Nothing waits to be sent."""

    def from_peer(self, alias: str, frame: Frame) -> None:
        raise FrameError(f"no peers here, {alias}")

    def hang_up(self) -> None:
        """Break every connection."""
        for visitor in list(self.visitors):
            visitor.channel.abort("hung up")

    async def __aenter__(self) -> Self:
        self._listener = await self._runtime.network.listen(
            "127.0.0.1", 0, lambda: Visitor(self, 1 << 20).channel, reuse_port=False
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._listener is not None
        await self._listener.close()
        self.hang_up()
