"""Two opinions: monitor and search judge the same operations, and must not contradict each other.

They share nothing but the specification's words: the monitor knows no `step`, the search knows
nothing else. Any operations are a question to both, sense or not; so of a large history small
parts are asked about, drawn by a fixed seed. A contradiction means that Delphic is wrong, and is
told with the fewest operations that show it.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from ...evidence import Budget
from ...prose import plural
from ...verdict import Validity
from ..monitors.prose import answer_text
from ..operations import Finding, Judgement, Operation
from ..specs.spec import Spec
from .cuts import forgotten
from .judge import objects, search

CONTRADICTION = "contradiction"

SMALL = 200
"""An object with no more operations is asked about as a whole, and of a larger one such parts."""

PARTS_MAX = 40
"""How many parts of one history are looked at."""

PART_BUDGET = Budget(seconds=0.5, configurations=20_000, memory_mib=128)
"""For the search of one part: what takes longer stays undecided."""

SHOWN_MAX = 5
PROBES_MAX = 2_000

Opinions = tuple[Judgement, Judgement]


def second_opinion(
    operations: Sequence[Operation], spec: Spec, judgement: Judgement, budget: Budget | None = None
) -> Judgement:
    """The judgement with what was compared in its statistics; or that Delphic is wrong.

    Nothing is compared where a specification has no monitor, or is not about real time.
    """
    if spec.monitor is None or spec.order != "real-time":
        return judgement
    limits = budget or Budget(seconds=2.0)
    deadline = limits.clock() + limits.seconds
    compared = undecided = 0
    for part in parts(operations, spec):
        if limits.clock() > deadline:
            break
        opinions = both(part, spec)
        if opinions is None:
            undecided += 1
            continue
        compared += 1
        if opinions[0].validity is not opinions[1].validity:
            return _contradiction(_shrunk(part, spec), spec, len(part))
    told = {"compared": compared, "undecided": undecided}
    return msgspec.structs.replace(
        judgement, statistics={**judgement.statistics, "second_opinion": told}
    )


def both(operations: Sequence[Operation], spec: Spec) -> Opinions | None:
    """What monitor and search say, if both say pass or fail."""
    assert spec.monitor is not None
    first = spec.monitor(operations)
    if not isinstance(first, Judgement) or first.validity not in (Validity.PASS, Validity.FAIL):
        return None
    second = search(operations, spec, PART_BUDGET, processes=1, explain=False)
    return None if second.validity is Validity.UNKNOWN else (first, second)


def parts(operations: Sequence[Operation], spec: Spec) -> Iterator[list[Operation]]:
    """Small objects together while they are few, and cuts of large ones: their beginning, others.

    A cut is what was invoked within a stretch; what had not returned by its end is open.
    """
    chance = random.Random(len(operations))
    large = []
    together: list[Operation] = []
    count = 0
    for own in objects(operations, spec):
        if len(own) > SMALL:
            large.append(own)
            continue
        together += own
        if len(together) > SMALL:
            yield together
            together = []
            count += 1
        if count >= PARTS_MAX // 2:
            break
    if together:
        yield together
    for own in chance.sample(large, min(len(large), PARTS_MAX // 2)):
        ordered = sorted(own, key=lambda operation: operation.invoked)
        for begin in (0, chance.randrange(len(ordered) - SMALL)):
            yield _cut(ordered[begin : begin + SMALL])


def _cut(stretch: list[Operation]) -> list[Operation]:
    horizon = stretch[-1].invoked
    return [o if o.end <= horizon else forgotten(o) for o in stretch]


def _shrunk(operations: Sequence[Operation], spec: Spec) -> list[Operation]:
    """Fewer operations of which the two still say the opposite."""

    def contradict(found: list[Operation]) -> bool:
        opinions = both(found, spec)
        return opinions is not None and opinions[0].validity is not opinions[1].validity

    return _fewest(list(operations), contradict)


def _fewest(found: list[Operation], holds: Callable[[list[Operation]], bool]) -> list[Operation]:
    """Leave out ever smaller chunks while something holds of the rest."""
    probes = 0
    chunk = max(1, len(found) // 2)
    while True:
        before = len(found)
        at = 0
        while at < len(found) and probes < PROBES_MAX:
            probes += 1
            fewer = found[:at] + found[at + chunk :]
            if fewer and holds(fewer):
                found = fewer
            else:
                at += chunk
        if (chunk == 1 and len(found) == before) or probes >= PROBES_MAX:
            return found
        chunk = max(1, chunk // 2)


def _contradiction(few: list[Operation], spec: Spec, before: int) -> Judgement:
    opinions = both(few, spec)
    assert opinions is not None
    monitor, searched = (opinion.validity for opinion in opinions)
    shown = "; ".join(map(answer_text, few[:SHOWN_MAX]))
    more = f"; and {plural(len(few) - SHOWN_MAX, 'other')}" if len(few) > SHOWN_MAX else ""
    sentence = (
        "DELPHIC CONTRADICTS ITSELF, so nothing is known about this history: of "
        f"{plural(len(few), 'operation')} the monitor of {spec.name} says {monitor}, but the "
        f"search says {searched}: {shown}{more}. Please report this with those operations."
    )
    details: dict[str, Any] = {
        "spec": spec.name,
        "monitor": str(monitor),
        "search": str(searched),
        "sentences": [opinion.sentence for opinion in opinions],
        "shrunk_from": before,
        "operations": [msgspec.to_builtins(o, enc_hook=repr) for o in few],
    }
    finding = Finding(CONTRADICTION, sentence, tuple(o.invoked for o in few), details)
    return Judgement(Validity.HARNESS_ERROR, sentence, (finding,), None, "search", {})
