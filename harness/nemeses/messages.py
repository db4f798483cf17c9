"""Messages are lost, sent twice or overtaken, and connections break."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from ..fault import Fault
from ..language.selector import Selector, View, parse, resolve
from ..language.units import Duration
from ..targets.faults import MessageFaults
from ..targets.links import isolate, pairs
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned
from .network import Where, ends
from .partition import Ends, check_ends, ends_pairs, ends_selectors
from .process import Members

Chance = Annotated[float, Field(ge=0, le=1)]
"""How likely it is, for each message by itself."""


class Unfaithful(BaseModel):
    """Each message on these links may have its own fate."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    links: Where = "all"
    lose: Chance = 0.0
    duplicate: Chance = 0.0
    reorder: Chance = 0.0
    delay: Duration = Field(default=0.0, description="The most by which a message is late.")

    @model_validator(mode="after")
    def _says_something(self) -> "Unfaithful":
        if not (self.lose or self.duplicate or self.reorder or self.delay):
            raise ValueError("says how much to `lose`, `duplicate`, `reorder` or `delay`")
        return self


def _plan_messages(value: Unfaithful) -> Planned:
    faults = MessageFaults(value.lose, value.duplicate, value.reorder, (0.0, value.delay))
    return {"target": ends(value.links), "messages": faults}


def _aim_messages(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    nodes, touched = ends_pairs(fault.target, view)
    assert fault.messages is not None
    return Aim(nodes, messages=dict.fromkeys(sorted(touched), fault.messages))


Broken = Annotated[
    Annotated[Members, Tag("members")] | Annotated[Ends, Tag("ends")],
    Discriminator(lambda raw: "ends" if isinstance(raw, dict | Ends) else "members"),
]
"""Members whose every link is meant, or the two ends of some links."""


def _plan_reset(value: Any) -> Planned:
    return {"target": ends(value) if isinstance(value, Ends) else value}


def _reset_selectors(target: Any) -> list[Selector]:
    return ends_selectors(target) if isinstance(target, dict) else [parse(target)]


def _aim_reset(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    if isinstance(fault.target, dict):
        nodes, touched = ends_pairs(fault.target, view)
        return Aim(nodes, resets=touched)
    nodes = resolve(parse(fault.target), view)
    within = frozenset(pair for pair in pairs(nodes))
    return Aim(nodes, resets=isolate(nodes, sorted(view.order)) | within)


MESSAGES = Nemesis(
    kind="messages",
    f="messages",
    about="Loses, doubles, reorders or holds up single messages.",
    value=Unfaithful,
    plan=_plan_messages,
    selectors=ends_selectors,
    aim=_aim_messages,
    requires=Capability.MESSAGE_ORDER,
    check=check_ends,
    undo="heal",
    drawn=({"lose": 0.05}, {"duplicate": 0.1, "reorder": 0.1}, {"delay": "50ms"}),
)

RESET = Nemesis(
    kind="reset",
    f="reset",
    about="Breaks the connections between some members and all others, or of some links.",
    value=Broken,
    plan=_plan_reset,
    selectors=_reset_selectors,
    aim=_aim_reset,
    requires=Capability.RESET,
    check=check_ends,
    momentary=True,
    drawn=("one", "leader", "all"),
)
