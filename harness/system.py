"""What is under test, as the harness sees it: how it is configured, started and asked."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ..impl.runtime import ClientRuntime, Runtime
from .conduct.triggers import MemberState
from .op import OpType

Option = str | int | float | bool


class Site(msgspec.Struct, frozen=True, array_like=True):
    """Where one member is reached."""

    alias: str
    host: str
    port: int


class SideSetup(msgspec.Struct, frozen=True):
    """One of several clusters: who is in it, and the options of its two kinds of members."""

    name: str
    controllers: tuple[str, ...]
    data: tuple[str, ...]
    controller_config: dict[str, Option] = {}
    config: dict[str, Option] = {}

    @property
    def members(self) -> tuple[str, ...]:
        return self.controllers + self.data


class Place(msgspec.Struct, frozen=True):
    """Where a member's process runs. `home`: its folder there.

    `python` is what runs it there. It dials from the address `source`, where one is said.
    `is_reserved`: somebody else keeps its port for it, bound beside it.
    """

    home: Path
    python: str
    source: str | None = None
    is_reserved: bool = False


class Setup(msgspec.Struct, frozen=True):
    """Everything that configures a group, but for where its members live.

    `sides`: where a system is several clusters, the master first.
    """

    members: tuple[str, ...]
    config: dict[str, Option] = {}
    node_config: dict[str, dict[str, Option]] = {}
    bugs: dict[str, tuple[str, ...]] = {}
    trace: bool = True
    sides: tuple[SideSetup, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """How a request ended. `ok`, `fail` (certainly not done) or `info` (nobody knows).

    `leader` is the member that a refusal points at. A `lasting` one would be the same for ever.
    `kept_from`: the first row that is there, of a refusal because earlier ones are gone.
    """

    type: OpType
    value: Any = None
    error: str | None = None
    leader: str | None = None
    lasting: bool = False
    kept_from: int | None = None


class Status(msgspec.Struct, frozen=True):
    """What a member says of itself. Local knowledge: it may be out of date."""

    role: str
    term: int
    leader: str | None
    applied: int
    rows: int
    digest: str


class Connection(Protocol):
    """One client's connection to one member. Requests may overlap; nothing here raises."""

    @property
    def is_open(self) -> bool:
        """Whether requests can still be made. A request that timed out does not close it."""

    async def perform(self, f: str, key: Any, value: Any, timeout_s: float) -> Answer:
        """Do the operation `f` of a workload."""

    async def status(self, key: Any, timeout_s: float) -> Status | None:
        """What the member says, about the data under `key` too; None if it does not answer."""

    def close(self) -> None:
        """Give the connection up; nothing that is still open gets an answer."""


class Member(Protocol):
    """A member that runs inside this process."""

    def inspect(self) -> dict[str, Any]:
        """What it has in memory, for people and for tests; plain JSON."""

    def state(self) -> MemberState | None:
        """What steps may wait for, as it is now; None until it knows it."""


class System(Protocol):
    """A system under test."""

    @property
    def name(self) -> str: ...

    @property
    def bugs(self) -> Collection[str]:
        """Names of the bugs that can be seeded."""

    def problems(self, setup: Setup) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What is wrong with a setup: where below `cluster`, and a sentence."""

    def facts(self, setup: Setup) -> dict[str, Any]:
        """What checkers must know of a setup: plain JSON."""

    def files(
        self, setup: Setup, alias: str, sites: Mapping[str, Site], home: Path
    ) -> dict[str, str]:
        """Configuration files of one member: path below its home, and text."""

    def command(
        self,
        setup: Setup,
        alias: str,
        place: Place,
        sites: Mapping[str, Site],
        dials: Mapping[str, Site],
    ) -> list[str]:
        """The argument list that starts a member.

        `dials` says which of the others it reaches elsewhere than at their sites.
        """

    def bulk(self, home: Path) -> list[Path]:
        """What a member keeps below its home that nobody needs once the run has passed."""

    def task_data(self, home: Path) -> list[Path]:
        """Where below its home a member keeps what slaves will ask for."""

    def keeps(self, setup: Setup, alias: str) -> Collection[str]:
        """Which folders of `bulk` this member has, by their names: what faults may be `of`."""

    async def program(
        self,
        setup: Setup,
        alias: str,
        home: Path,
        started: Callable[[Member], None],
        runtime: Runtime,
    ) -> None:
        """Run a member inside this process, in a simulated world, until it ends.

        Its configuration files are on the runtime's disk. Raises what ends a member.
        """

    async def open(
        self, site: Site, timeout_s: float, runtime: ClientRuntime | None = None
    ) -> Connection | None:
        """Connect and be greeted; None if that takes too long or is refused.

        Without a `runtime` over real sockets.
        """

    def roam(
        self, setup: Setup, sites: Sequence[Site], name: str, runtime: ClientRuntime | None = None
    ) -> Connection:
        """A client of that name that knows all sites, and finds its way among them by itself."""
