"""The world as a node sees it that calls another cluster: its sites may be reached elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass

from ..runtime import (
    ClientRuntime,
    Clock,
    Listener,
    Network,
    Randomness,
    Stream,
    StreamHandler,
    Tls,
)

Reached = Callable[[str, int], tuple[str, int]]
"""Where to dial for an address."""


@dataclass(frozen=True, slots=True)
class Detoured:
    """A `Network` whose addresses are looked up before they are dialled."""

    network: Network
    reached: Reached

    async def listen(
        self,
        host: str,
        port: int,
        accept: Callable[[], StreamHandler],
        *,
        reuse_port: bool,
        tls: Tls | None = None,
    ) -> Listener:
        return await self.network.listen(host, port, accept, reuse_port=reuse_port, tls=tls)

    async def dial(
        self,
        host: str,
        port: int,
        handler: StreamHandler,
        *,
        timeout_s: float,
        stall_s: float,
        tls: Tls | None = None,
    ) -> Stream:
        host, port = self.reached(host, port)
        return await self.network.dial(
            host, port, handler, timeout_s=timeout_s, stall_s=stall_s, tls=tls
        )


@dataclass(frozen=True, slots=True)
class Abroad:
    """A `ClientRuntime` for calls to another cluster."""

    clock: Clock
    network: Network
    randomness: Randomness

    @classmethod
    def of(cls, runtime: ClientRuntime, reached: Reached) -> "Abroad":
        """That of this node, with its detours."""
        return cls(runtime.clock, Detoured(runtime.network, reached), runtime.randomness)
