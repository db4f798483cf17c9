"""Where members live, and what can be done to them there."""

import asyncio
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from ..leases import Lease
from ..rundir import RunDir
from ..system import Connection, Setup, System
from .links import Links, Probes


class Capability(StrEnum):
    """What a target can do to its members."""

    CUT = "cut"
    DELAY = "delay"
    RATE = "rate"
    KILL = "kill"
    PAUSE = "pause"
    POWER_CUT = "power-cut"
    MESSAGE_ORDER = "message-order"


class ProcessState(StrEnum):
    """What a member's process should be, and what it was seen to be."""

    RUNNING = "running"
    PAUSED = "paused"
    DEAD = "dead"


class Cluster(Protocol):
    """A group that lives somewhere. The only thing that crosses a doorway and is not data."""

    @property
    def members(self) -> tuple[str, ...]: ...

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop in which the harness and everything here is to run."""

    def watched(self) -> AbstractContextManager[None]:
        """Holds as long as the loop runs."""

    def now_ns(self) -> int:
        """The clock by which histories are written: nanoseconds since some fixed moment."""

    async def up(self) -> None:
        """Start everything and wait until every member answers. Raises WorldError."""

    async def down(self) -> None:
        """End everything that `up` started, whatever state it is in. May be called twice."""

    async def set_links(self, links: Links) -> None:
        """Make the links so: the whole value, at once, as often as one likes."""

    async def probe(self, links: Links) -> Probes:
        """Send bytes over every link; wait as long as `links` lets them take."""

    async def set_process(self, alias: str, state: ProcessState) -> None:
        """Make one member's process so, and return when it is, or has failed to start."""

    def process_state(self, alias: str) -> ProcessState:
        """What the member's process is now, as the operating system says."""

    def deaths(self) -> list[tuple[str, str]]:
        """Members that ended by themselves since the last call, each with how.

        Raises WorldError if something else died without which there is nothing to observe.
        """

    async def open(self, alias: str, timeout_s: float) -> Connection | None:
        """A new client connection to the member; None if it does not answer in time."""


class Target(Protocol):
    """A kind of place where groups can live."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def cluster(
        self, setup: Setup, system: System, run: RunDir, lease: Lease, seed: int
    ) -> Cluster:
        """A group that is not up yet. `seed` decides what the target leaves to chance."""
