"""Single messages that fit a rule are held until they are released, or lost."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..fault import Fault
from ..language.selector import View
from ..targets.rules import ANY, KINDS, Rule
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned
from .partition import check_ends, ends_pairs, ends_selectors
from .process import Members


class Which(BaseModel):
    """Which messages between members; what is not said does not matter."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    source: Members = Field(default="all", alias="from")
    destination: Members = Field(default="all", alias="to")
    message: Literal[(*KINDS, ANY)] = ANY  # type: ignore[valid-type]
    entries: Literal["none", "some", "old", "new"] | None = Field(
        default=None,
        description="Of an append-request: `old` are some, none of them of the message's own term; "
        "`new`: one is.",
    )
    answer: Literal["yes", "no"] | None = Field(default=None, description="Of a response.")
    term: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The term that the message names."
    )
    count: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Only the first so many of them."
    )

    @model_validator(mode="after")
    def _can_be(self) -> "Which":
        if self.entries is not None and self.message != "append-request":
            raise ValueError("`entries` goes with `message: append-request`: no other carries any")
        if self.answer is not None and not self.message.endswith("-response"):
            raise ValueError("`answer` goes with a response, like `message: vote-response`")
        return self


def _planned(value: Which, *, hold: bool) -> Planned:
    rule = Rule(hold, value.message, value.entries, value.answer, value.term, value.count)
    return {"target": {"from": value.source, "to": value.destination}, "rule": rule}


def _aim(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    assert fault.rule is not None
    nodes, touched = ends_pairs(fault.target, view)
    rule = msgspec.structs.replace(fault.rule, name=fault.name)
    return Aim(nodes, rules=dict.fromkeys(sorted(touched), (rule,)))


HOLD = Nemesis(
    kind="hold",
    f="hold",
    about="Keeps messages that fit until a `release`, or the undoing, sends them.",
    value=Which,
    plan=lambda value: _planned(value, hold=True),
    selectors=ends_selectors,
    check=check_ends,
    aim=_aim,
    requires=Capability.MESSAGE_ORDER,
    undo="heal",
)

DROP = Nemesis(
    kind="drop",
    f="drop",
    about="Loses messages that fit.",
    value=Which,
    plan=lambda value: _planned(value, hold=False),
    selectors=ends_selectors,
    check=check_ends,
    aim=_aim,
    requires=Capability.MESSAGE_ORDER,
    undo="heal",
)


def _aim_release(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    return Aim(view.names.get(fault.target, ()))


RELEASE = Nemesis(
    kind="release",
    f="release",
    about="Ends the `hold` called by `as`, and sends what it kept, in order.",
    value=str,
    plan=lambda value: {"target": value},
    selectors=lambda target: [],
    aim=_aim_release,
    requires=Capability.MESSAGE_ORDER,
)
