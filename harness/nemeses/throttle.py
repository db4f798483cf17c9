"""Members that get little of the processor, as beside a greedy neighbour."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..fault import Fault
from ..language.selector import Raw, Selector, View, parse, resolve
from ..targets.faults import SHARE_MIN
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned
from .process import Members


class Throttle(BaseModel):
    """How much of one processor these members get, each by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    node: Members
    to: Annotated[float, Field(ge=SHARE_MIN, le=1)]


def _plan(value: Throttle) -> Planned:
    return {"target": value.node, "share": value.to}


def _selectors(target: Raw) -> list[Selector]:
    return [parse(target)]


def _aim(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    assert fault.share is not None
    nodes = resolve(parse(fault.target), view)
    return Aim(nodes, shares=dict.fromkeys(nodes, fault.share))


THROTTLE = Nemesis(
    kind="throttle",
    f="throttle",
    about="Gives members little of the processor, however much they want.",
    value=Throttle,
    plan=_plan,
    selectors=_selectors,
    aim=_aim,
    requires=Capability.CPU,
    undo="mend",
)
