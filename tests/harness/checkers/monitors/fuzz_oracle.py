"""Brute force: the orders of a few operations, tried one by one on the specification."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from delphic.harness.checkers.operations import Operation
from delphic.harness.checkers.specs import Spec

Precedes = Callable[[Operation, Operation], bool]


def in_real_time(one: Operation, other: Operation) -> bool:
    return one.end < other.invoked


def in_program(one: Operation, other: Operation) -> bool:
    return one.process == other.process and one.end < other.invoked


def linearizable(spec: Spec, operations: Sequence[Operation]) -> bool:
    """Whether some order that real time allows makes every answer right."""
    return explained(spec, operations, in_real_time)


def sequential(spec: Spec, operations: Sequence[Operation]) -> bool:
    """Whether some order that agrees with each process's own makes every answer right."""
    return explained(spec, operations, in_program)


def explained(spec: Spec, operations: Sequence[Operation], precedes: Precedes) -> bool:
    """Whether some order makes every answer right; open operations may be left out."""
    todo = [o for o in operations if o.returned is not None or o.f not in spec.reads]
    tried: set[tuple[frozenset[int], Hashable]] = set()

    def explains(left: frozenset[int], state: Any) -> bool:
        if all(todo[at].returned is None for at in left):
            return True
        if (left, state) in tried:
            return False
        tried.add((left, state))
        for at in left:
            if not any(precedes(todo[other], todo[at]) for other in left):
                o = todo[at]
                following = spec.step(state, o.f, o.argument, o.result)
                if following is not None and explains(left - {at}, following):
                    return True
        return False

    return explains(frozenset(range(len(todo))), spec.initial())


def guaranteed(spec: Spec, operations: Sequence[Operation]) -> bool:
    """Whether every process has all session guarantees, as they are defined."""
    reads = [o for o in operations if o.f in spec.reads and not o.is_open]
    writes = [o for o in operations if o.f not in spec.reads]
    for read in reads:
        for other in [o for o in operations if in_program(o, read)]:
            seen = set(other.result) if other.f in spec.reads else {other.argument}
            if not seen <= set(read.result):
                return False
        for write in writes:
            if write.argument in read.result:
                for other in [o for o in operations if in_program(o, write)]:
                    seen = set(other.result) if other.f in spec.reads else {other.argument}
                    if not seen <= set(read.result):
                        return False
    return True
