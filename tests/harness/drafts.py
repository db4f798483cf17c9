"""Random small histories of any object, and twenty lines that try every order of them."""

import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from delphic.harness.checkers.operations import UNKNOWN, Operation
from delphic.harness.checkers.specs import SPECS, Spec


def is_linearizable(operations: Sequence[Operation], spec: Spec) -> bool:
    """Try every order: whichever operation no unplaced one precedes may come next."""

    @cache
    def explains(left: frozenset[int], state: Hashable) -> bool:
        known = [at for at in left if operations[at].returned is not None]
        if not known:
            return True
        horizon = min(operations[at].returned or 0 for at in known)
        for at in left:
            operation = operations[at]
            if operation.invoked < horizon:
                after = spec.step(state, operation.f, operation.argument, operation.result)
                if after is not None and explains(left - {at}, after):
                    return True
        return False

    return explains(frozenset(range(len(operations))), spec.initial())


@dataclass(frozen=True)
class Repertoire:
    """What clients of an object may ask, and which answers there are, right ones and wrong ones."""

    spec: Spec
    asked: tuple[tuple[str, Any, tuple[Any, ...]], ...]


def register(values: int) -> Repertoire:
    """A register of few values, so that many operations look alike."""
    found = tuple(range(values))
    reads = ("read", None, (None, *found))
    writes = [("write", value, (None,)) for value in found]
    swaps = [("cas", (old, new), (True, False)) for old in found for new in found]
    return Repertoire(SPECS["cas-register"], (reads, reads, reads, *writes, *swaps))


class Draft:
    """A history in the making: an object, clients with open calls, and what took effect late."""

    def __init__(self, chance: random.Random, repertoire: Repertoire, lies: float) -> None:
        self.chance = chance
        self.repertoire = repertoire
        self.lies = lies
        self.state: Any = repertoire.spec.initial()
        self.position = 0
        self.done: list[Operation] = []
        self.late: list[tuple[str, Any]] = []

    def answer(self, f: str, argument: Any) -> Any:
        """Perform something now; of several right answers take any."""
        step = self.repertoire.spec.step
        results = next(r for g, a, r in self.repertoire.asked if (g, a) == (f, argument))
        right = [r for r in results if step(self.state, f, argument, r) is not None]
        result = self.chance.choice(right) if right else UNKNOWN
        after = step(self.state, f, argument, result)
        if after is not None:
            self.state = after
        return result

    def tick(self) -> int:
        self.position += 1
        return self.position

    def finish(self, process: int, call: list[Any]) -> None:
        """Answer a call: mostly the truth, sometimes a lie, sometimes nothing."""
        f, argument, invoked, has_happened, result = call
        if result is UNKNOWN or self.chance.random() < 0.2:
            if not has_happened and self.chance.random() < 0.5:
                self.late.append((f, argument))
            self.done.append(Operation(process, f, None, argument, UNKNOWN, invoked, None))
            return
        if self.chance.random() < self.lies:
            results = next(r for g, a, r in self.repertoire.asked if (g, a) == (f, argument))
            result = self.chance.choice(results)
        returned = self.tick()
        self.done.append(Operation(process, f, None, argument, result, invoked, returned))


def draft(
    chance: random.Random,
    repertoire: Repertoire,
    *,
    operations: int = 8,
    clients: int = 4,
    lies: float = 0.1,
) -> list[Operation]:
    """A history of a few operations: without lies and late effects, linearizable."""
    made = Draft(chance, repertoire, lies)
    count = chance.randint(1, operations)
    clients = chance.randint(1, clients)
    open_calls: dict[int, list[Any]] = {}
    begun = 0
    while begun < count or open_calls:
        process = chance.randrange(clients)
        if made.late and chance.random() < 0.2:
            made.answer(*made.late.pop())
        call = open_calls.get(process)
        if call is None:
            if begun < count:
                begun += 1
                f, argument, _ = chance.choice(repertoire.asked)
                open_calls[process] = [f, argument, made.tick(), False, None]
        elif not call[3] and chance.random() < 0.8:
            call[3:] = [True, made.answer(call[0], call[1])]
        else:
            if not call[3]:
                call[4] = UNKNOWN
            made.finish(process, open_calls.pop(process))
    return sorted(made.done, key=lambda operation: operation.invoked)
