"""Members stop: killed and restarted, paused and resumed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Tag, WithJsonSchema

from ..fault import Fault
from ..language.selector import WORDS, Raw, Selector, View, parse, resolve
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned, has


def readable(raw: object) -> object:
    """The selector itself, if it can be read. Raises ValueError."""
    parse(raw)
    return raw


Members = Annotated[
    Any,
    BeforeValidator(readable),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": [*WORDS, "n1", "not old nor leader"]},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
"""A selector as YAML writes it."""


def _plan(value: Raw) -> Planned:
    return {"target": value}


def _selectors(target: Raw) -> list[Selector]:
    return [parse(target)]


def _aim(
    fault: Fault,
    view: View,
    states: Mapping[str, ProcessState],
    before: tuple[ProcessState, ...],
    after: ProcessState,
) -> Aim:
    nodes = resolve(parse(fault.target), view, has(states, *before))
    return Aim(nodes, process=after)


KILL = Nemesis(
    kind="kill",
    f="kill",
    about="SIGKILL; restarted after `for`.",
    value=Members,
    plan=_plan,
    selectors=_selectors,
    aim=lambda fault, view, states: _aim(
        fault, view, states, (ProcessState.RUNNING, ProcessState.PAUSED), ProcessState.DEAD
    ),
    requires=Capability.KILL,
    undo="restart",
    drawn=("one", "leader", "follower", "minority", "majority", "all"),
)


def _aim_power_cut(fault: Fault, view: View, states: Mapping[str, ProcessState]) -> Aim:
    up = (ProcessState.RUNNING, ProcessState.PAUSED)
    aim = _aim(fault, view, states, up, ProcessState.DEAD)
    return replace(aim, loses=True, keeps_nothing=fault.keeps == "nothing")


class Loss(BaseModel):
    """Whose power fails, and that nothing is left of what they had not synced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    node: Members
    keeps: Literal["nothing"]


PoweredOff = Annotated[
    Annotated[Members, Tag("members")] | Annotated[Loss, Tag("loss")],
    Discriminator(lambda raw: "loss" if isinstance(raw, dict | Loss) else "members"),
]
"""Members, who may lose what they had not synced, or a `Loss`."""


def _plan_power_cut(value: Raw | Loss) -> Planned:
    if isinstance(value, Loss):
        return {"target": value.node, "keeps": value.keeps}
    return {"target": value}


POWER_CUT = Nemesis(
    kind="power-cut",
    f="power-cut",
    about="Ends members, who lose what they had not synced; restarted after `for`.",
    value=PoweredOff,
    plan=_plan_power_cut,
    selectors=_selectors,
    aim=_aim_power_cut,
    requires=Capability.POWER_CUT,
    undo="restart",
    drawn=("one", "leader", "minority", "majority", "all"),
)

RESTART = Nemesis(
    kind="restart",
    f="restart",
    about="Starts members that an earlier step ended.",
    value=Members,
    plan=_plan,
    selectors=_selectors,
    aim=lambda fault, view, states: _aim(
        fault, view, states, (ProcessState.DEAD,), ProcessState.RUNNING
    ),
    requires=Capability.KILL,
)

PAUSE = Nemesis(
    kind="pause",
    f="pause",
    about="SIGSTOP; resumed after `for`.",
    value=Members,
    plan=_plan,
    selectors=_selectors,
    aim=lambda fault, view, states: _aim(
        fault, view, states, (ProcessState.RUNNING,), ProcessState.PAUSED
    ),
    requires=Capability.PAUSE,
    undo="resume",
    drawn=("one", "leader", "follower", "minority"),
)

RESUME = Nemesis(
    kind="resume",
    f="resume",
    about="Continues members that an earlier step paused.",
    value=Members,
    plan=_plan,
    selectors=_selectors,
    aim=lambda fault, view, states: _aim(
        fault, view, states, (ProcessState.PAUSED,), ProcessState.RUNNING
    ),
    requires=Capability.PAUSE,
)
