"""A specification with numbers for its states and for what is asked of it."""

import sys
from collections.abc import Hashable
from typing import Any, Final

from ..operations import Operation
from ..specs.spec import Spec
from .spending import Spending

ILLEGAL: Final = -1

STATE_BYTES = 250
"""What a remembered state costs beyond itself: a number, a row, slots of two tables."""

ANSWER_BYTES = 100
"""What a remembered answer of `step` costs."""


class Steps:
    """Calls `step` once for each state and class of operations, and remembers the answer.

    Operations of one class ask the same and were answered alike: no state tells them apart.

    # Invariant: state 0 is the initial one.
    """

    def __init__(self, spec: Spec, spending: Spending) -> None:
        self._step = spec.step
        self._spending = spending
        self._numbers: dict[Hashable, int] = {}
        self._states: list[Any] = []
        self._rows: list[dict[int, int]] = []
        self._classes: dict[Hashable, int] = {}
        self._asked: list[tuple[str, Any, Any]] = []
        self._number(spec.initial())

    @property
    def states(self) -> int:
        """How many states were met."""
        return len(self._states)

    @property
    def classes(self) -> int:
        """How many classes of operations there are."""
        return len(self._asked)

    def class_of(self, operation: Operation) -> int:
        """The number of the operation's class."""
        argument, result = operation.argument, operation.result
        kind: tuple[Any, ...] = (operation.f, type(argument), type(result), argument, result)
        if isinstance(argument, tuple) or isinstance(result, tuple):
            kind = (operation.f, typed(argument), typed(result))
        number = self._classes.get(kind)
        if number is None:
            number = self._classes[kind] = len(self._asked)
            self._asked.append((operation.f, operation.argument, operation.result))
        return number

    def next(self, state: int, kind: int) -> int:
        """The state after an operation of the class, or ILLEGAL."""
        row = self._rows[state]
        after = row.get(kind)
        if after is None:
            found = self._step(self._states[state], *self._asked[kind])
            after = row[kind] = ILLEGAL if found is None else self._number(found)
            self._spending.memory_bytes += ANSWER_BYTES
        return after

    def row(self, state: int) -> list[int]:
        """The states after each class. The answers are not remembered: a table holds them."""
        step, here, numbers = self._step, self._states[state], self._numbers
        found = []
        for asked in self._asked:
            after = step(here, *asked)
            if after is None:
                found.append(ILLEGAL)
            else:
                number = numbers.get(after)
                found.append(self._number(after) if number is None else number)
        return found

    def _number(self, state: Any) -> int:
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self._states)
            self._states.append(state)
            self._rows.append({})
            self._spending.memory_bytes += STATE_BYTES + sys.getsizeof(state)
        return number


def typed(value: Hashable) -> Hashable:
    """A key that only values share which no specification tells apart: 1 is not True."""
    if type(value) in (int, str):
        return value
    if isinstance(value, tuple):
        return tuple(map(typed, value))
    return (type(value).__name__, value)
