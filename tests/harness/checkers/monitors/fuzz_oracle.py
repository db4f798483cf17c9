"""Brute force: the orders of a few operations, tried one by one on the specification."""

from collections.abc import Hashable, Sequence
from typing import Any

from delphic.harness.checkers.operations import Operation
from delphic.harness.checkers.specs import Spec


def linearizable(spec: Spec, operations: Sequence[Operation]) -> bool:
    """Whether some order that real time allows makes every answer right."""
    todo = [o for o in operations if o.returned is not None or o.f not in spec.reads]
    tried: set[tuple[frozenset[int], Hashable]] = set()

    def explains(left: frozenset[int], state: Any) -> bool:
        if all(todo[at].returned is None for at in left):
            return True
        if (left, state) in tried:
            return False
        tried.add((left, state))
        horizon = min(todo[at].end for at in left)
        for at in left:
            if todo[at].invoked <= horizon:
                o = todo[at]
                following = spec.step(state, o.f, o.argument, o.result)
                if following is not None and explains(left - {at}, following):
                    return True
        return False

    return explains(frozenset(range(len(todo))), spec.initial())
