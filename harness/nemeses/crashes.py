"""Members that crash again and again: killed so long after each start, and started anew."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..fault import Fault
from ..language.selector import Raw, Selector, View, parse, resolve
from ..language.units import Duration, spell
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned, has
from .process import Members

EVERY_MIN_S = 0.1
"""What dies sooner costs more to start than it shows."""


def _long_enough(every_s: float) -> float:
    if every_s < EVERY_MIN_S:
        raise ValueError(f"must be at least {spell(EVERY_MIN_S)}")
    return every_s


class Loop(BaseModel):
    """Who crashes, and how long after each start."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    node: Members
    every: Annotated[Duration, AfterValidator(_long_enough)] = Field(
        description="How long each life lasts."
    )


def _plan(value: Loop) -> Planned:
    return {"target": value.node, "every_s": value.every}


def _selectors(target: Raw) -> list[Selector]:
    return [parse(target)]


def _aim(fault: Fault, view: View, states: Mapping[str, ProcessState]) -> Aim:
    assert fault.every_s is not None
    # Whom a pause stops stays stopped until something takes the pause back.
    nodes = resolve(parse(fault.target), view, has(states, ProcessState.RUNNING))
    return Aim(nodes, crashes=dict.fromkeys(nodes, fault.every_s))


CRASH_LOOP = Nemesis(
    kind="crash-loop",
    f="crash-loop",
    about="SIGKILL at once and again so long after each start; started anew each time.",
    value=Loop,
    plan=_plan,
    selectors=_selectors,
    aim=_aim,
    requires=Capability.KILL,
    undo="mend",
    drawn=(
        {"node": "one", "every": "300ms"},
        {"node": "leader", "every": "500ms"},
    ),
)
