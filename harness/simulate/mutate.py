"""A scenario with one thing in its faults changed: moved, longer, elsewhere, added, left out."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ScenarioError
from ..language.document import Document
from ..language.units import spell
from ..nemeses import NEMESES
from ..scenario import Scenario, read
from ..shrink import moments
from ..shrink.moments import Data
from ..shrink.steps import UNDOING, kind_of, without

Choice = tuple[str, Any]
"""A kind of fault, and its value in YAML."""

LENGTHS_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
"""How long an added fault lasts; what chance draws otherwise lasts always as long."""

GRID_S = 0.005

ATTEMPTS = 20
"""A change that is no scenario (a member dies twice) is not counted; so many are."""


def palette(data: Data) -> tuple[Choice, ...]:
    """What may be added: what the scenario draws among, or kinds of its own steps.

    Nothing else, for the promises that a scenario asks about need not bear every fault.
    """
    found: list[Choice] = []
    for step in data.get("faults", []):
        drawn = step["random"]["from"] if "random" in step else [kind_of(step)]
        for choice in drawn:
            kind, value = next(iter(choice.items())) if isinstance(choice, dict) else (choice, None)
            values = NEMESES[kind].drawn if value is None else (value,)
            found += [(kind, value) for value in values if kind not in UNDOING]
    return tuple(one for at, one in enumerate(found) if one not in found[:at])


def mutated(
    data: Data, others: Sequence[Data], choices: Sequence[Choice], chance: random.Random
) -> Data:
    """The scenario after one to three changes, which is a scenario again; else as it was."""
    for _ in range(ATTEMPTS):
        changed = data
        for _ in range(chance.choice((1, 1, 2, 3))):
            change = chance.choice(_CHANGES)
            changed = change(changed, others, choices, chance)
        if changed != data and _is_scenario(changed):
            return changed
    return data


def _is_scenario(data: Data) -> bool:
    try:
        found: Scenario = read(Document(data, {}, ""))
    except ScenarioError:
        return False
    return bool(found.faults)


def _moment(low_s: float, high_s: float, chance: random.Random) -> str:
    return spell(round(chance.uniform(low_s, max(low_s, high_s)) / GRID_S) * GRID_S)


def _duration_s(data: Data) -> float:
    return moments.read(data["duration"]) / 1e6


def _put(data: Data, at: int, /, **more: Any) -> Data:
    steps = data["faults"]
    return {**data, "faults": [*steps[:at], {**steps[at], **more}, *steps[at + 1 :]]}


def _timed(data: Data) -> list[int]:
    """Steps whose moment may be moved."""
    return [at for at, step in enumerate(data["faults"]) if "at" in step and "when" not in step]


def _retimed(data: Data, _: Any, __: Any, chance: random.Random) -> Data:
    """One step at another moment: anywhere, or close to where it was, or to where another is."""
    timed = _timed(data)
    if not timed:
        return data
    at = chance.choice(timed)
    step = data["faults"][at]
    lasts_s = moments.read(step["for"]) / 1e6 if "for" in step else 0.0
    near = chance.choice((None, at, chance.choice(timed)))
    low_s, high_s = 0.1, _duration_s(data) - lasts_s - GRID_S
    if near is not None:
        middle_s = moments.read(data["faults"][near]["at"]) / 1e6
        low_s, high_s = max(low_s, middle_s - 0.3), min(high_s, middle_s + 0.3)
    return _put(data, at, at=_moment(low_s, high_s, chance))


def _lasting(data: Data, _: Any, __: Any, chance: random.Random) -> Data:
    """One step for another length."""
    timed = [at for at in _timed(data) if "for" in data["faults"][at]]
    if not timed:
        return data
    at = chance.choice(timed)
    room_s = _duration_s(data) - moments.read(data["faults"][at]["at"]) / 1e6
    lengths = [length for length in LENGTHS_S if length < room_s]
    return _put(data, at, **{"for": spell(chance.choice(lengths))}) if lengths else data


def _aimed(data: Data, _: Any, choices: Sequence[Choice], chance: random.Random) -> Data:
    """One step at others, or stronger, or weaker."""
    at = chance.randrange(len(data["faults"])) if data["faults"] else 0
    kinds = [kind_of(step) for step in data["faults"][at : at + 1]]
    values = [value for kind, value in choices if kind in kinds]
    return _put(data, at, **{kinds[0]: chance.choice(values)}) if values else data


def _added(data: Data, _: Any, choices: Sequence[Choice], chance: random.Random) -> Data:
    if not choices:
        return data
    kind, value = chance.choice(choices)
    length_s = chance.choice(LENGTHS_S)
    begins = _moment(0.1, _duration_s(data) - length_s - GRID_S, chance)
    step = {"at": begins, kind: value}
    if not NEMESES[kind].momentary:
        step["for"] = spell(length_s)
    return {**data, "faults": [*data["faults"], step]}


def _removed(data: Data, _: Any, __: Any, chance: random.Random) -> Data:
    if len(data["faults"]) < 2:
        return data
    at = chance.randrange(len(data["faults"]))
    return {**data, "faults": without(data["faults"], range(at, at + 1))}


def _spliced(data: Data, others: Sequence[Data], _: Any, chance: random.Random) -> Data:
    """Up to a moment as it was, from there on as another: of steps that depend on no other."""
    if not others or len(_timed(data)) < len(data["faults"]):
        return data
    other = chance.choice(others)
    cut = chance.uniform(0, _duration_s(data)) * 1e6
    ours = [step for step in data["faults"] if moments.read(step["at"]) < cut]
    theirs = [step for step in other["faults"] if "at" in step and moments.read(step["at"]) >= cut]
    return {**data, "faults": [*ours, *theirs]}


_CHANGES: tuple[Callable[[Data, Sequence[Data], Sequence[Choice], random.Random], Data], ...] = (
    _retimed,
    _retimed,
    _lasting,
    _aimed,
    _added,
    _removed,
    _spliced,
)
