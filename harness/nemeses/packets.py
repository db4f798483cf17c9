"""Packets are lost, come twice, late or damaged, whatever they carry: the network's own faults."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..fault import Fault
from ..language.selector import View
from ..language.units import Duration
from ..targets.faults import PacketFaults
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned
from .network import Where, ends
from .partition import check_ends, ends_pairs, ends_selectors

Chance = Annotated[float, Field(ge=0, lt=1)]
"""How likely it is, for each packet by itself."""


class Harmed(BaseModel):
    """Each packet on these links may have its own fate; connections make up for most of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    links: Where = "all"
    lose: Chance = 0.0
    duplicate: Chance = 0.0
    reorder: Chance = 0.0
    corrupt: Chance = Field(default=0.0, description="One bit is wrong.")
    jitter: Duration = Field(default=0.0, description="The most by which a packet is late.")

    @model_validator(mode="after")
    def _says_something(self) -> "Harmed":
        if not (self.lose or self.duplicate or self.reorder or self.corrupt or self.jitter):
            raise ValueError(
                "says how much to `lose`, `duplicate`, `reorder` or `corrupt`, or the `jitter`"
            )
        return self


def _plan(value: Harmed) -> Planned:
    faults = PacketFaults(value.lose, value.duplicate, value.reorder, value.corrupt, value.jitter)
    return {"target": ends(value.links), "packets": faults}


def _aim(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    nodes, touched = ends_pairs(fault.target, view)
    assert fault.packets is not None
    return Aim(nodes, packets=dict.fromkeys(sorted(touched), fault.packets))


PACKETS = Nemesis(
    kind="packets",
    f="packets",
    about="Loses, doubles, reorders, damages or holds up the packets of a real network.",
    value=Harmed,
    plan=_plan,
    selectors=ends_selectors,
    check=check_ends,
    aim=_aim,
    requires=Capability.PACKETS,
    undo="heal",
)
