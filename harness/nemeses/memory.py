"""Members that get hardly any more memory than they have."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from ..fault import Fault
from ..language.selector import Raw, Selector, View, parse, resolve
from ..language.units import Size
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned, has
from .process import Members


class Spare(BaseModel):
    """How much more memory than they have these members get, each by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    node: Members
    spare: Size


def _plan(value: Spare) -> Planned:
    return {"target": value.node, "spare_bytes": value.spare}


def _selectors(target: Raw) -> list[Selector]:
    return [parse(target)]


def _aim(fault: Fault, view: View, states: Mapping[str, ProcessState]) -> Aim:
    assert fault.spare_bytes is not None
    up = has(states, ProcessState.RUNNING, ProcessState.PAUSED)
    nodes = resolve(parse(fault.target), view, up)
    return Aim(nodes, spares=dict.fromkeys(nodes, fault.spare_bytes))


MEMORY = Nemesis(
    kind="memory",
    f="memory",
    about="Gives members so much more memory than they have, and no more: the kernel kills those "
    "that need it. They are started again after `for`.",
    value=Spare,
    plan=_plan,
    selectors=_selectors,
    aim=_aim,
    requires=Capability.MEMORY,
    undo="mend",
)
