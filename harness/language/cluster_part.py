"""What a scenario says of the system under test: one group, or a master and its slaves."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ..system import Option, Setup, SideSetup
from ..systems import SYSTEMS
from ..systems.replication import REPLICATION
from .complaints import Complaint
from .selector import closest
from .sides import MASTER
from .steps import Part

MEMBERS_MIN, MEMBERS_MAX = 3, 9
"""A group needs three (HS-19); more than nine processes on one machine measure the machine."""

SLAVES_MAX = 3


_NUMBER_MAX = (1 << 63) - 1


def _option(raw: object) -> object:
    if not isinstance(raw, str | int | float | bool):
        raise ValueError(f"must be text, a number, true or false, not {raw!r}")
    if isinstance(raw, str) and not (raw.isprintable() or raw == ""):
        raise ValueError(f"must be one line of text, not {raw!r}")
    if not isinstance(raw, str) and not -_NUMBER_MAX <= raw <= _NUMBER_MAX:
        raise ValueError(f"must be a number of at most 63 bits, not {raw!r}")
    return raw


ConfigValue = Annotated[Option, BeforeValidator(_option)]


def _system(name: str) -> str:
    if name not in SYSTEMS:
        raise ValueError(f"unknown system {name!r}{closest(name, list(SYSTEMS))}")
    return name


class SidePart(Part):
    """One of several clusters."""

    controllers: Literal[1, 3, 5] = 1
    nodes: int = Field(default=2, ge=1, le=5, description="Data nodes.")
    controller_config: dict[str, ConfigValue] = Field(
        default_factory=dict, description="Options of its controllers (controller.cfg)."
    )
    config: dict[str, ConfigValue] = Field(
        default_factory=dict, description="Options of its data nodes (cluster.cfg)."
    )

    def setup(self, name: str) -> SideSetup:
        """Its members are called after it: `s1c1` is the first controller of `s1`."""
        return SideSetup(
            name,
            tuple(f"{name}c{number}" for number in range(1, self.controllers + 1)),
            tuple(f"{name}d{number}" for number in range(1, self.nodes + 1)),
            self.controller_config,
            self.config,
        )


_ONE_GROUP = ("members", "config")
_SEVERAL = ("master", "slaves")


class ClusterPart(Part):
    """The group under test, or the clusters."""

    system: Annotated[str, AfterValidator(_system)] = "hastream"
    members: int = Field(default=3, ge=MEMBERS_MIN, le=MEMBERS_MAX)
    config: dict[str, ConfigValue] = Field(
        default_factory=dict, description="Options of every member."
    )
    node_config: dict[str, dict[str, ConfigValue]] = Field(
        default_factory=dict, description="Options of single members, by alias."
    )
    master: SidePart = Field(
        default_factory=SidePart, description="Of the system `replication`: mc1 …, md1 …"
    )
    slaves: list[SidePart] = Field(
        default_factory=lambda: [SidePart()],
        min_length=1,
        max_length=SLAVES_MAX,
        description="Of the system `replication`: s1c1 …, s1d1 …, s2c1 …",
    )
    bugs: dict[str, list[str]] = Field(
        default_factory=dict, description="Seeded bugs by alias, or `all`."
    )
    trace: bool = Field(default=True, description="Whether members write traces.")

    @model_validator(mode="after")
    def _of_its_system(self) -> "ClusterPart":
        foreign = _ONE_GROUP if self.is_several else _SEVERAL
        for name in foreign:
            if name in self.model_fields_set:
                raise ValueError(f"the system `{self.system}` has no `{name}`")
        return self

    @property
    def is_several(self) -> bool:
        """Whether it is a master and slaves."""
        return self.system == REPLICATION.name

    @property
    def aliases(self) -> tuple[str, ...]:
        if self.is_several:
            return tuple(alias for side in self.sides for alias in side.members)
        return tuple(f"n{number}" for number in range(1, self.members + 1))

    @property
    def sides(self) -> tuple[SideSetup, ...]:
        """The clusters; none where there is but one group."""
        if not self.is_several:
            return ()
        slaves = enumerate(self.slaves, start=1)
        return (
            self.master.setup(MASTER),
            *(slave.setup(f"s{number}") for number, slave in slaves),
        )

    def setup(self) -> Setup:
        """What the system is configured with."""
        bugs = {
            alias: tuple(dict.fromkeys([*self.bugs.get("all", []), *self.bugs.get(alias, [])]))
            for alias in self.aliases
        }
        return Setup(
            members=self.aliases,
            config=self.config,
            node_config=self.node_config,
            bugs={alias: found for alias, found in bugs.items() if found},
            trace=self.trace,
            sides=self.sides,
        )


def unknown_names(cluster: ClusterPart) -> Iterator[Complaint]:
    """Members and bugs that there are not."""
    members = cluster.aliases
    for section, words in (
        ("node_config", list(cluster.node_config)),
        ("bugs", [alias for alias in cluster.bugs if alias != "all"]),
    ):
        for alias in words:
            if alias not in members:
                known = (*members, "all") if section == "bugs" else members
                yield (
                    ("cluster", section, alias),
                    f"cluster.{section}.{alias}: no such member{closest(alias, known)}",
                )
    bugs = sorted(SYSTEMS[cluster.system].bugs)
    for alias, names in cluster.bugs.items():
        for at, name in enumerate(names):
            if name not in bugs:
                where = f"cluster.bugs.{alias}[{at}]"
                yield (
                    ("cluster", "bugs", alias, at),
                    f"{where}: unknown bug {name!r}{closest(name, bugs)}",
                )
