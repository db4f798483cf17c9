"""What a sequential specification is: a state, and which answers are right in it."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..operations import UNKNOWN, Ambiguous, Judgement, Operation, by_key

Monitor = Callable[[Sequence[Operation]], Judgement | Ambiguous]
"""An exact, near-linear judge. It takes all keys at once, and every operation of the spec."""

Order = Literal["real-time", "program", "session", "serial"]
"""Which order an explanation must respect.

`real-time` is linearizability; `program` sequential consistency: each process's own order;
`session` is several guarantees for each process, `serial` is for transactions. A search by `step`
decides the first of them.
"""


def anything(*values: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of operation: what is asked and answered, in words and as tests.

    The words are for those who write a history. The tests are of plain values, lists as tuples;
    `answers` is never asked about UNKNOWN, nor `pairs`: whether a result, of a shape that answers,
    is one to this argument.
    """

    f: str
    argument: str
    result: str
    asks: Callable[[Any], bool] = anything
    answers: Callable[[Any], bool] = anything
    pairs: Callable[[Any, Any], bool] = anything


@dataclass(frozen=True, slots=True)
class Spec:
    """One kind of object.

    `step(state, f, argument, result)` is the state after an operation that was answered so, or
    None where that answer is not legal; so no state is None. With the result UNKNOWN the operation
    took effect and nobody knows what it answered: that it may not have happened is the judge's
    matter. States are hashable, and `step` is a function of its arguments alone.

    Objects with different `partition` are independent of each other (None: there is one object).
    Operations of `reads` never change the state. `anomalies` are what the monitor names, and what
    each means. `sees_failures`: the monitor is given what certainly failed, too. `promising` is the
    specification with less asked of it, for each of the `models` that can be judged. `simpler`, for
    what a search cannot take apart: histories of fewer operations and smaller values that are right
    if the given one is, those about what happened near an operation first.
    """

    name: str
    about: str
    operations: tuple[Shape, ...]
    initial: Callable[[], Hashable]
    step: Callable[[Any, str, Any, Any], Any | None]
    monitor: Monitor | None = None
    partition: Callable[[Operation], Hashable] | None = by_key
    reads: frozenset[str] = frozenset()
    anomalies: Mapping[str, str] = field(default_factory=dict)
    order: Order = "real-time"
    sees_failures: bool = False
    models: tuple[str, ...] = ()
    promising: Callable[[str], "Spec"] | None = None
    simpler: Callable[[Sequence[Operation], Operation], Iterator[list[Operation]]] | None = None

    def misfit(self, operation: Operation) -> str | None:
        """Why an operation is none of this object's, in words; None where it is one.

        `step` and `monitor` may raise on operations that are not.
        """
        for shape in self.operations:
            if shape.f != operation.f:
                continue
            if shape.asks is not anything and not shape.asks(operation.argument):
                return f"the argument of {operation.f} must be {shape.argument}"
            if shape.answers is anything or operation.result is UNKNOWN:
                return None
            fits = shape.answers(operation.result) and shape.pairs(
                operation.argument, operation.result
            )
            return None if fits else f"the result of {operation.f} must be {shape.result}"
        known = ", ".join(shape.f for shape in self.operations)
        return f"{operation.f!r} is no operation of a {self.name}: it has {known}"


def is_count(value: Any) -> bool:
    """A whole number, 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_sequence(value: Any) -> bool:
    """Values in order: no set is."""
    return isinstance(value, tuple)


def is_list(value: Any) -> bool:
    """Values in whatever order."""
    return isinstance(value, tuple | frozenset)


def is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2
