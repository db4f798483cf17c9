"""Fault steps of a scenario's YAML: chance written out, steps left out, undoing folded in."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ..fault import Fault
from ..language.document import Document
from ..nemeses import NEMESES
from ..nemeses.rules import RELEASE
from ..plan import plan
from ..scenario import read
from . import moments
from .moments import Data

UNDOING = frozenset({RELEASE.kind, *(n.undo for n in NEMESES.values())}) & frozenset(NEMESES)
"""Kinds of steps that only take back what an earlier one did."""


def kind_of(step: Data) -> str:
    """The kind of fault that a step says."""
    return next(key for key in step if key in NEMESES or key == "random")


def written_out(data: Data, seed: int) -> Data:
    """The same scenario with the faults that this seed draws as steps of their own."""
    steps = data.get("faults", [])
    fixed = [step for step in steps if "random" not in step]
    if len(fixed) == len(steps):
        return data
    planned = plan(read(Document(data, {}, "")), seed=seed, target="sim", command="")
    choices = [
        (next(iter(choice.items())) if isinstance(choice, dict) else (choice, None))
        for step in steps
        if "random" in step
        for choice in step["random"]["from"]
    ]
    drawn = [_as_step(fault, choices) for fault in planned.faults[len(fixed) :]]
    return {**data, "faults": [*fixed, *drawn]}


def _as_step(fault: Fault, choices: Sequence[tuple[str, Any]]) -> Data:
    """The YAML of a fault that was drawn: what it draws among is in the scenario or its kind's."""
    nemesis = NEMESES[fault.kind]
    raws = [raw for kind, raw in choices if kind == fault.kind and raw is not None]
    has = msgspec.structs.asdict(fault)
    value = next(
        raw
        for raw in (*raws, *nemesis.drawn)
        if all(has[name] == part for name, part in nemesis.planned(raw).items())
    )
    assert fault.at_s is not None
    step = {"at": moments.spell(round(fault.at_s * 1_000_000)), fault.kind: value}
    if fault.for_s is not None:
        step["for"] = moments.spell(round(fault.for_s * 1_000_000))
    return step


def without(steps: Sequence[Data], left_out: range) -> list[Data]:
    """The steps but for some, and what only undid those; who waited for them keeps its moment."""
    names = [steps[at]["as"] for at in left_out if "as" in steps[at]]
    kept: list[Data] = []
    waited: Data = {}
    for at, step in enumerate(steps):
        if at in left_out or (kind_of(step) in UNDOING and step[kind_of(step)] in names):
            waited = _together(waited, step)
        else:
            kept.append(_begun(waited, step))
            waited = {}
    return kept


_WHEN = ("at", "after", "within", "then", "when")
"""Keys that say when a step is due."""


def _together(waited: Data, step: Data) -> Data:
    """When a step would have been done, had those before it been left out."""
    if "then" not in step:
        return {key: step[key] for key in _WHEN if key in step}
    sum_ = moments.read(step["then"])
    for key in ("at", "then"):
        if key in waited:
            return {key: moments.spell(moments.read(waited[key]) + sum_)}
    return waited or {"then": step["then"]}


def _begun(waited: Data, step: Data) -> Data:
    """A step that waited for some that are left out."""
    if "then" not in step or not waited:
        return step
    return {**_together(waited, step), **{k: v for k, v in step.items() if k != "then"}}


def undone(steps: Sequence[Data]) -> Iterator[list[Data]]:
    """The steps with one that undoes another folded into its `for`, as far as times are known."""
    for at, step in enumerate(steps):
        undo = NEMESES[kind_of(step)].undo if kind_of(step) in NEMESES else None
        if "at" not in step or undo is None:
            continue
        for later in range(at + 1, len(steps)):
            end = steps[later]
            if undo not in end or "at" not in end:
                continue
            length = moments.read(end["at"]) - moments.read(step["at"])
            if length > 0:
                folded = {**step, "for": moments.spell(length)}
                yield [*steps[:at], folded, *steps[at + 1 : later], *steps[later + 1 :]]
