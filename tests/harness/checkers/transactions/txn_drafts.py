"""Random transactions that happened one by one, and then misread, and what is true of them."""

import os
import random
from collections.abc import Callable
from functools import cache, partial
from itertools import combinations
from typing import Any, NamedTuple

from delphic.harness.checkers.operations import UNKNOWN, Operation
from delphic.harness.checkers.specs import SPECS
from delphic.harness.checkers.specs.spec import Spec
from fuzz_oracle import explained, in_program, in_real_time

SEED = int(os.environ.get("DELPHIC_FUZZ_SEED", "20261121"))
FAILED = -1
"""As the position of an answer: it certainly failed."""

Written = tuple[int, list[tuple[Any, Any]], int, int | None]
"""Process, parts as asked and as answered, invoked, and returned, None or FAILED."""


class Truth(NamedTuple):
    """A history, and whether it is serializable: strictly, in each process's order, at all."""

    operations: list[Operation]
    strict: bool
    session: bool
    serial: bool


class Kind(NamedTuple):
    """How a kind of transactions writes, and what a read finds: rightly, and wrongly."""

    write: Callable[[Any, str, int], tuple[str, str, int]]
    """(what is held by key, key, a new number) → the part; changes what is held."""
    misread: Callable[[random.Random, float, Any, int], Any]
    """(chance, how often, what is right, the last number) → what is found."""


def operation(written: Written) -> Operation:
    """One written by hand, with a second between positions."""
    process, parts, invoked, returned = written
    asked, answered = (tuple(part) for part in zip(*parts, strict=True))
    begun_ns = (invoked + 1) * 10**9
    if returned is None or returned == FAILED:
        failed = returned == FAILED
        return Operation(
            process, "txn", None, asked, UNKNOWN, invoked, None, begun_ns, failed=failed
        )
    ended_ns = (returned + 1) * 10**9
    return Operation(process, "txn", None, asked, answered, invoked, returned, begun_ns, ended_ns)


def draw(chance: random.Random, kind: Kind, transactions_max: int = 6) -> list[Operation]:
    held: dict[str, Any] = {}
    states = [held]
    stale = chance.choice((0.0, 0.0, 0.5))
    error = chance.choice((0.0, 0.1, 0.3))
    free = dict.fromkeys(range(3), 0)
    drawn: list[Operation] = []
    last = 0
    for number in range(chance.randint(2, transactions_max)):
        process = chance.choice(list(free))
        before = dict(held)
        parts = []
        view = chance.choice(states) if chance.random() < stale else held
        own: set[str] = set()
        for _ in range(chance.randint(1, 3)):
            key = chance.choice("xy")
            if chance.random() < 0.5:
                last += 1
                written = kind.write(held, key, last)
                own.add(key)
                parts.append((written, written))
            else:
                right = (held if key in own else view).get(key)
                found = kind.misread(chance, error, right, last)
                parts.append((("r", key, None), ("r", key, found)))
        invoked = max(free[process], 20 * number - chance.choice((0, 10, 50)) + process)
        returned = max(invoked, 20 * number) + chance.choice((5, 15, 60)) + process
        fate = chance.random()
        if fate < 0.28 and chance.random() < 0.6:
            held = before
        states.append(dict(held))
        free[process] = 5 + (invoked if fate < 0.2 else returned)
        end = None if fate < 0.2 else FAILED if fate < 0.28 else returned
        drawn.append(operation((process, parts, invoked, end)))
    return sorted(drawn, key=lambda one: one.invoked)


def happened(operations: list[Operation]) -> list[Operation]:
    return [one for one in operations if not one.failed]


def anyhow(one: Operation, other: Operation) -> bool:
    return False


@cache
def drafts(name: str, kind: Kind, histories: int) -> list[Truth]:
    chance = random.Random(SEED)
    return [truth_of(SPECS[name], draw(chance, kind)) for _ in range(histories)]


def truth_of(spec: Spec, operations: list[Operation]) -> Truth:
    shown = partial(explained, spec, happened(operations))
    strict = shown(in_real_time)
    session = strict or shown(in_program)
    return Truth(operations, strict, session, session or shown(anyhow))


def orderless(anomalies: set[str]) -> tuple[set[str], set[str]]:
    """Those that need no clock, and of those the ones that need no order of a process either."""
    timeless = {name for name in anomalies if not name.endswith("-realtime")}
    return timeless, {name for name in timeless if not name.endswith("-process")}


@cache
def snapshots(name: str, kind: Kind, histories: int) -> list[tuple[Truth, bool]]:
    """Small histories, and whether they keep to snapshot isolation."""
    few = [one for one in drafts(name, kind, histories) if len(one.operations) < 6]
    return [(one, one.serial or by_snapshots(SPECS[name], one.operations)) for one in few]


def by_snapshots(spec: Spec, operations: list[Operation]) -> bool:
    """Snapshot isolation by its definition: each read sees what had committed before a moment.

    And of two that write to one key one had committed before the other's moment. Whatever was
    never answered may be left out.
    """
    sure = [one for one in operations if one.returned is not None]
    unsure = [one for one in happened(operations) if one.returned is None]
    chosen = (few for n in range(len(unsure) + 1) for few in combinations(unsure, n))
    return any(_by_snapshots(spec, [*sure, *few]) for few in chosen)


def _by_snapshots(spec: Spec, operations: list[Operation]) -> bool:
    keys = [{key for kind, key, _ in one.argument if kind != "r"} for one in operations]

    def goes_on(begun: dict[int, Any], state: Any, left: frozenset[int]) -> bool:
        if not left and not begun:
            return True
        for at in left:
            seen = spec.step(state, "txn", operations[at].argument, operations[at].result)
            if seen is None or any(keys[at] & keys[other] for other in begun):
                continue
            if goes_on({**begun, at: seen}, state, left - {at}):
                return True
        for at, seen in begun.items():
            others = {other: view for other, view in begun.items() if other != at}
            written = {key: value for key, value in seen if key in keys[at]}
            committed = frozenset({**dict(state), **written}.items())
            if goes_on(others, committed, left):
                return True
        return False

    return goes_on({}, spec.initial(), frozenset(range(len(operations))))
