"""Files that end sooner than they did: as after a bad copy, or a disk that lied about a sync."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from ..fault import Fault
from ..language.selector import Raw, Selector, View, parse, resolve
from ..language.units import Size
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned
from .process import Members


class Tail(BaseModel):
    """Who loses the end of a file, in which of their folders, and how much of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    node: Members
    of: Literal["log", "data", "task-data"] | None = Field(
        default=None,
        description="The Raft log, the data files, or what a master keeps for its slaves.",
    )
    by: Size | None = Field(default=None, description="Up to 4 kB where nothing is said.")


Shortened = Annotated[
    Annotated[Members, Tag("members")] | Annotated[Tail, Tag("tail")],
    Discriminator(lambda raw: "tail" if isinstance(raw, dict | Tail) else "members"),
]
"""Members of whom any file is cut, or a `Tail`."""


def _plan(value: Raw | Tail) -> Planned:
    if isinstance(value, Tail):
        return {"target": value.node, "of": value.of, "tail_bytes": value.by}
    return {"target": value}


def _selectors(target: Raw) -> list[Selector]:
    return [parse(target)]


def _aim(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    nodes = resolve(parse(fault.target), view)
    return Aim(nodes, cuts_tail=True, of=fault.of, tail_bytes=fault.tail_bytes)


CUT_TAIL = Nemesis(
    kind="cut-tail",
    f="cut-tail",
    about="Cuts the end off one file of each of these members.",
    value=Shortened,
    plan=_plan,
    selectors=_selectors,
    aim=_aim,
    requires=Capability.FILES,
    momentary=True,
)
