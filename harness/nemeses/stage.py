"""Says that a state was reached; nothing is done. What is not reached makes a run inconclusive."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from ..conduct.triggers import MATCHED
from ..fault import Fault
from ..language.selector import View
from ..targets.target import ProcessState
from .nemesis import Aim, Nemesis


def _aim(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    return Aim(view.names.get(MATCHED, ()))


STAGE = Nemesis(
    kind="stage",
    f="stage",
    about="Breaks nothing: says, with `when`, that a state has to be reached, and what it is.",
    value=Annotated[str, Field(min_length=1)],
    plan=lambda value: {"target": value},
    selectors=lambda target: [],
    aim=_aim,
    requires=None,
    momentary=True,
)
