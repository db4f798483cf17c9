"""Links that are slow: delayed, or narrow."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, model_validator

from ..fault import Fault
from ..language.selector import View
from ..language.units import Duration, Rate
from ..targets.links import LinkState
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned
from .partition import Ends, check_ends, ends_pairs, ends_selectors

Where = Annotated[
    Annotated[Literal["all"], Tag("word")] | Annotated[Ends, Tag("ends")],
    Discriminator(lambda raw: "ends" if isinstance(raw, dict | Ends) else "word"),
]
"""`all`, or the two ends of some links."""


class Delay(BaseModel):
    """Every byte on these links arrives so much later, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    links: Where = "all"
    by: Duration

    @model_validator(mode="after")
    def _says_something(self) -> "Delay":
        if not self.by:
            raise ValueError("delays nothing: `by` is above 0s")
        return self


class Narrow(BaseModel):
    """No more bytes a second than this on each of these links."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    links: Where = "all"
    limit: Rate


def ends(links: str | Ends) -> Any:
    """The two ends as the plan has them."""
    if isinstance(links, str):
        return {"from": links, "to": links}
    return {"from": links.source, "to": links.destination}


def _plan_delay(value: Delay) -> Planned:
    return {"target": ends(value.links), "by_s": value.by}


def _plan_rate(value: Narrow) -> Planned:
    return {"target": ends(value.links), "rate_bytes_s": value.limit}


def _aim(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    nodes, pairs = ends_pairs(fault.target, view)
    state = LinkState(delay_s=fault.by_s or 0.0, rate_bytes_s=fault.rate_bytes_s)
    return Aim(nodes, dict.fromkeys(sorted(pairs), state))


DELAY = Nemesis(
    kind="delay",
    f="delay",
    about="Makes links slow by a fixed time.",
    value=Delay,
    plan=_plan_delay,
    selectors=ends_selectors,
    aim=_aim,
    requires=Capability.DELAY,
    undo="heal",
    check=check_ends,
    drawn=({"links": "all", "by": "100ms"}, {"links": "all", "by": "300ms"}),
)

RATE = Nemesis(
    kind="rate",
    f="rate",
    about="Makes links narrow.",
    value=Narrow,
    plan=_plan_rate,
    selectors=ends_selectors,
    aim=_aim,
    requires=Capability.RATE,
    undo="heal",
    check=check_ends,
    drawn=({"links": "all", "limit": "32kB/s"},),
)
