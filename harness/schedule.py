"""The fault schedule before the run: what cannot happen, and what chance decides."""

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from .conduct.triggers import MATCHED, problem
from .conduct.triggers import parse as parse_trigger
from .fault import Fault
from .language.complaints import Complaint
from .language.document import Path
from .language.document import spell as spell_path
from .language.selector import WORDS, Selector, closest, parse, unknown
from .language.sides import words
from .language.units import spell
from .nemeses import NEMESES
from .nemeses.nemesis import ENDS, HEALS, Planned

Steps = Sequence[tuple[Path, Fault]]
"""Faults in the order of the scenario, each with its place there."""


def problems(steps: Steps, members: Sequence[str], duration_s: float) -> Iterator[Complaint]:
    """Everything about a schedule that cannot work, each with the place to mend."""
    names: dict[str, Fault] = {}
    for step, (path, fault) in enumerate(steps):
        for sentence in _untimely(fault, duration_s):
            yield path, sentence
        bound = [*names, *_matched(fault)]
        if fault.when is not None:
            rules = [name for name, named in names.items() if named.kind in _CATCH]
            complaint = problem(fault.when, members, names, rules)
            if complaint is not None:
                yield (*path, "when"), complaint
        for sentence in (
            *_bad_target(fault.kind, fault.target, members, bound),
            *_nothing_to_undo(fault, members, names, _before(steps, step)),
        ):
            yield (*path, fault.kind), sentence
        if fault.name is not None:
            if fault.name in (*WORDS, *members, *words(members), *names, *_RESERVED):
                yield (*path, "as"), f"{fault.name!r} has a meaning already; choose another word"
            names[fault.name] = fault
    yield from _overlapping_kills(steps, members)


_SHAPES = tuple(shape for nemesis in NEMESES.values() for shape in nemesis.shapes)

_RESERVED = ("not", "nor", "others", MATCHED, *_SHAPES)

_CATCH = ("hold", "drop")
"""Kinds whose names stand for messages, too."""


def _matched(fault: Fault) -> list[str]:
    """The word for the members for which a step's state holds, where it is about members."""
    if fault.when is None:
        return []
    try:
        return [MATCHED] if parse_trigger(fault.when).matches else []
    except ValueError:
        return [MATCHED]


def _untimely(fault: Fault, duration_s: float) -> Iterator[str]:
    if fault.at_s is None:
        return
    ends_s = fault.at_s + (fault.for_s or 0)
    if fault.at_s >= duration_s:
        yield (
            f"begins at {spell(fault.at_s)}, but the run ends at {spell(duration_s)} (`duration`)"
        )
    elif ends_s > duration_s and fault.when is None:
        yield (
            f"lasts until {spell(ends_s)}, but the run ends at {spell(duration_s)}: "
            "shorten `for` or raise `duration`"
        )


def _bad_target(
    kind: str, target: Any, members: Sequence[str], names: Collection[str]
) -> Iterator[str]:
    nemesis = NEMESES[kind]
    for selector in nemesis.selectors(target):
        complaint = unknown(selector, [*nemesis.shapes, *members, *words(members)], names)
        if complaint is not None:
            yield complaint
        if selector.negated and ("all" in selector.words or set(members) <= set(selector.words)):
            yield f"not {' nor '.join(selector.words)}: that is nobody"
    complaint = nemesis.check(target, members)
    if complaint is not None:
        yield complaint


_UNDOES = {
    "restart": frozenset(
        {"kill", "power-cut", "disk", "read-only", "bit-flip", "cut-tail", "memory"}
    ),
    "resume": frozenset({"pause"}),
}
"""What may have happened to members that a step brings back: a disk may end a member too."""


def _nothing_to_undo(
    fault: Fault, members: Sequence[str], names: Mapping[str, Fault], done: Sequence[Fault]
) -> Iterator[str]:
    if fault.kind == "heal":
        known = [name for name, named in names.items() if NEMESES[named.kind].undo in HEALS]
        if fault.target == "all":
            if not any(NEMESES[earlier.kind].undo in HEALS for earlier in done):
                yield "no step before this one touches the network, a disk or a clock"
        elif fault.target not in known:
            yield (
                f"no fault of network, disk or clock before this one is called {fault.target!r}"
                f"{closest(fault.target, ['all', *known])}"
            )
    elif fault.kind == "release":
        known = [name for name, named in names.items() if named.kind == "hold"]
        if fault.target not in known:
            yield f"no step before this one holds {fault.target!r}{closest(fault.target, known)}"
    elif fault.kind in _UNDOES:
        causes = _UNDOES[fault.kind]
        hit = [parse(earlier.target) for earlier in done if earlier.kind in causes]
        asked = parse(fault.target)
        past = {"restart": "killed", "resume": "paused"}[fault.kind]
        if not hit:
            yield f"no member is {past} before"
        elif asked.explicit(members) and all(s.explicit(members) for s in hit):
            never = set(asked.words) - {word for s in hit for word in s.words}
            if never:
                yield f"{min(never)} is never {past} before"


def _before(steps: Steps, step: int) -> list[Fault]:
    """What is done before a step: by the clock where both have a time, else in the list's order."""
    fault = steps[step][1]
    return [
        other
        for at, (_, other) in enumerate(steps)
        if (
            at < step
            if None in (other.at_s, fault.at_s) or other.at_s == fault.at_s
            else (other.at_s or 0) < (fault.at_s or 0)
        )
    ]


def _overlapping_kills(steps: Steps, members: Sequence[str]) -> Iterator[Complaint]:
    """Ends at known times that certainly hit a member twice, without a restart between."""
    kills = [(path, f) for path, f in steps if f.kind in ENDS and _is_timed(f)]
    restarts = [f for _, f in steps if f.kind == "restart"]
    kills.sort(key=lambda step: step[1].at_s or 0)
    for later, (path, second) in enumerate(kills):
        for earlier_path, first in kills[:later]:
            began, again = first.at_s or 0, second.at_s or 0
            if first.for_s is not None and began + first.for_s <= again:
                continue
            if any(r.at_s is None or began <= r.at_s <= again for r in restarts):
                continue
            if _always_meet(parse(first.target), parse(second.target), members):
                until = "" if first.for_s is None else f" for {spell(first.for_s)}"
                verb = {"kill": "kills", "power-cut": "ends"}[first.kind]
                yield (
                    (*path, second.kind),
                    f"hits a member that is dead already: {spell_path(earlier_path)} "
                    f"{verb} {_said(first.target)} at {spell(began)}{until}",
                )


def _is_timed(fault: Fault) -> bool:
    return fault.at_s is not None and fault.when is None


def _said(target: Any) -> str:
    return target if isinstance(target, str) else ", ".join(target)


def _always_meet(one: Selector, other: Selector, members: Sequence[str]) -> bool:
    """Whether the two have a member in common, whoever they turn out to be.

    Only words that do not move away from dead members count: `all` and members by name.
    """
    sets = [
        set(members) if s.words == ("all",) and not s.negated else set(s.words)
        for s in (one, other)
        if s.explicit(members) or (s.words == ("all",) and not s.negated)
    ]
    return len(sets) == 2 and not sets[0].isdisjoint(sets[1])


DRAWABLE = [kind for kind, nemesis in NEMESES.items() if nemesis.drawn]
"""Kinds that `random` may choose without being told a target."""

Choice = tuple[str, Planned | None]
"""A kind of fault; None: with one of the kind's own targets."""


DRAWN_MAX = 10_000
"""More faults than these no run has time for, and no plan should hold."""


def stretches(every_s: float, until_s: float) -> int:
    """How many faults `random` draws: none in the first stretch of `every`."""
    return int(until_s / every_s + 1e-9) - 1


def draw(
    choices: Sequence[Choice],
    *,
    every_s: float,
    for_s: float,
    until_s: float,
    members: Sequence[str],
    chance: random.Random,
) -> list[Fault]:
    """One fault in every stretch of `every_s`, somewhere in it, over before the next begins."""
    own = {kind: own_targets(kind, members) for kind, planned in choices if planned is None}
    faults: list[Fault] = []
    for stretch in range(1, stretches(every_s, until_s) + 1):
        at_s = round(stretch * every_s + chance.uniform(0, every_s - for_s), 3)
        kind, planned = chance.choice(choices)
        if planned is None:
            planned = chance.choice(own[kind])
        lasts_s = None if NEMESES[kind].momentary else for_s
        faults.append(Fault(kind=kind, at_s=at_s, for_s=lasts_s, **planned))
    return faults


def choice_problems(choice: Choice, members: Sequence[str]) -> Iterator[str]:
    """What is wrong with something that `random` may choose."""
    kind, planned = choice
    if planned is not None:
        yield from _bad_target(kind, planned["target"], members, ())


def own_targets(kind: str, members: Sequence[str]) -> list[Planned]:
    """What `random` chooses among for a kind, in a group of these members."""
    nemesis = NEMESES[kind]
    planned = [nemesis.planned(raw) for raw in nemesis.drawn]
    return [plan for plan in planned if nemesis.check(plan["target"], members) is None]


def ordered(faults: Iterable[Fault], members: Sequence[str], seed: int) -> tuple[Fault, ...]:
    """The same faults, each with its own shuffle of the members."""
    return tuple(
        msgspec.structs.replace(
            fault,
            order=tuple(random.Random(f"{seed}/order/{at}").sample(members, len(members))),
        )
        for at, fault in enumerate(faults)
    )
