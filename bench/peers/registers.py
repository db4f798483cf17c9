"""Seeded histories of one register whose clients are always busy: unique values, or few of them."""

import random
from dataclasses import dataclass
from typing import Any

from delphic.harness.checkers.operations import UNKNOWN, Operation

PHANTOM = 1 << 30
"""A value that nobody wrote."""


@dataclass(frozen=True)
class Shape:
    """What a history looks like.

    `values` are how many different values are written (0: every write has its own). With `swaps`,
    a fifth of all is compare-and-set. `violation`: near the end, at a moment when nobody else is
    busy, a value is written and another is read; where operations are indeterminate, which might
    explain that, one that nobody wrote.
    """

    clients: int
    operations: int
    indeterminate: float = 0.0
    values: int = 0
    swaps: bool = False
    violation: bool = False

    @property
    def is_ambiguous(self) -> bool:
        """Whether one cannot tell who wrote what was read."""
        return self.swaps or bool(self.values)

    @property
    def name(self) -> str:
        values = f"{self.values} values" if self.values else "unique values"
        parts = [f"{self.clients} clients", f"{self.operations:,} operations", values]
        parts += ["cas"] if self.swaps else []
        parts += [f"{self.indeterminate:.0%} indeterminate"] if self.indeterminate else []
        return ", ".join([*parts, "one late violation" if self.violation else "valid"])


class Register:
    """The register and its clients: each operation takes effect at a moment of its interval."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape = shape
        self.chance = random.Random(seed)
        self.value: Any = None
        self.written = 0
        self.position = 0
        self.late: list[tuple[str, Any]] = []
        self.done: list[Operation] = []

    def ask(self) -> tuple[str, Any]:
        draw = self.chance.random()
        if draw < 0.5:
            return "read", None
        if self.shape.swaps and draw < 0.7:
            return "cas", (self.some_value(), self.new_value())
        return "write", self.new_value()

    def new_value(self) -> int:
        self.written += 1
        return self.written if not self.shape.values else self.some_value()

    def some_value(self) -> Any:
        """A value to expect: of few any, of many the one that is there or an old one."""
        if self.shape.values:
            return self.chance.randrange(self.shape.values)
        return self.value if self.chance.random() < 0.7 else max(0, self.written - 20)

    def perform(self, f: str, argument: Any) -> Any:
        if f == "read":
            return self.value
        if f == "write":
            self.value = argument
            return None
        if self.value != argument[0]:
            return False
        self.value = argument[1]
        return True

    def tick(self) -> int:
        self.position += 1
        return self.position

    def record(self, process: int, f: str, argument: Any, result: Any, invoked: int) -> None:
        returned = None if result is UNKNOWN else self.tick()
        self.done.append(Operation(process, f, None, argument, result, invoked, returned))

    def violate(self, process: int) -> None:
        shape = self.shape
        right, wrong = (0, 1) if shape.values else (self.written + 1, self.written)
        self.written += 1
        self.perform("write", right)
        self.record(process, "write", right, None, self.tick())
        told = PHANTOM if shape.indeterminate else wrong
        self.record(process, "read", None, told, self.tick())


def generate(shape: Shape, seed: int = 1) -> list[Operation]:
    """The history, in order of invocation."""
    made = Register(shape, seed)
    chance = made.chance
    open_calls: dict[int, list[Any]] = {}
    names = list(range(shape.clients))
    begun = 0
    violation_at = int(shape.operations * 0.9) if shape.violation else shape.operations
    while begun < shape.operations or open_calls:
        at = chance.randrange(shape.clients)
        if made.late and chance.random() < 0.02:
            made.perform(*made.late.pop(chance.randrange(len(made.late))))
        call = open_calls.get(at)
        if call is None:
            if begun == violation_at:
                if open_calls:
                    continue
                violation_at = shape.operations
                made.violate(names[at])
            if begun < shape.operations:
                begun += 1
                open_calls[at] = [*made.ask(), made.tick(), False, None]
            continue
        f, argument, invoked, has_happened, _ = call
        if not has_happened and chance.random() < shape.indeterminate:
            if f != "read" and chance.random() < 0.5:
                made.late.append((f, argument))
            made.record(names[at], f, argument, UNKNOWN, invoked)
            names[at] += shape.clients  # A client that knows nothing goes on as another process.
            del open_calls[at]
        elif not has_happened:
            call[3:] = [True, made.perform(f, argument)]
        else:
            made.record(names[at], f, argument, call[4], invoked)
            del open_calls[at]
    return sorted(made.done, key=lambda operation: operation.invoked)
