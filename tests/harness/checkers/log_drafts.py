"""Random histories of one log: a few operations that are right, and what makes them wrong."""

import random
from typing import Any

import msgspec
from delphic.harness.op import Op, OpType

OPERATIONS_MAX = 8
FIRST_ROW = 100
PHANTOM = 999


class Draft:
    """A history in the making: a log, clients with open calls, and ops written so far."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.ops: list[Op] = []
        self.rows: list[int] = []
        self.next_row = FIRST_ROW
        # What took no effect yet: of open calls by client, and of appends given up by clients.
        self.open: dict[int, tuple[str, list[Any], bool, Any]] = {}
        self.late: list[list[int]] = []

    def write(self, process: int, kind: OpType, f: str, value: Any = None) -> None:
        index = len(self.ops)
        self.ops.append(Op(index, index, process, kind, f, value=value))

    def invoke(self, process: int) -> None:
        if self.chance.random() < 0.55:
            count = self.chance.choice((1, 1, 2))
            value: list[Any] = list(range(self.next_row, self.next_row + count))
            self.next_row += count
            f = "append"
        else:
            start = self.chance.randint(0, len(self.rows) + 1)
            value = [start, self.chance.choice((None, None, 0, 1, 2, 3))]
            f = "read"
        self.open[process] = (f, value, False, None)
        self.write(process, OpType.INVOKE, f, value)

    def take_effect(self, process: int) -> None:
        f, value, _, _ = self.open[process]
        if f == "append":
            answer: Any = len(self.rows)
            self.rows += value
        else:
            start, limit = value
            answer = self.rows[start:] if limit is None else self.rows[start : start + limit]
        self.open[process] = (f, value, True, answer)

    def complete(self, process: int) -> None:
        f, value, is_done, answer = self.open.pop(process)
        fate = self.chance.random()
        if is_done and fate < 0.75:
            self.write(process, OpType.OK, f, answer)
        elif f == "append" and not is_done and fate < 0.4:
            self.write(process, OpType.FAIL, f)
        elif fate < 0.95 or f == "read":
            self.write(process, OpType.INFO, f)
            if f == "append" and not is_done:
                self.late.append(value)
        # Otherwise the run ends first: no completion at all.


def draft(chance: random.Random) -> list[Op]:
    """A linearizable history of a few operations of two to four clients."""
    made = Draft(chance)
    clients = list(range(chance.randint(2, 4)))
    begun = 0
    total = chance.randint(4, OPERATIONS_MAX)
    silent: set[int] = set()
    while begun < total or made.open:
        if made.late and chance.random() < 0.15:
            made.rows += made.late.pop()
        process = chance.choice(clients)
        if process in made.open:
            if not made.open[process][2] and chance.random() < 0.85:
                made.take_effect(process)
            else:
                wrote = len(made.ops)
                made.complete(process)
                silent |= {process} if len(made.ops) == wrote else set()
        elif begun < total and process not in silent:
            made.invoke(process)
            begun += 1
        elif begun < total and silent >= set(clients):
            break
    return made.ops


def tamper(ops: list[Op], chance: random.Random) -> list[Op]:
    """Change one thing that a client could have recorded."""
    kind = chance.choice(("answer", "answer", "answer", "outcome", "order"))
    if kind == "order":
        return moved(ops, chance)
    completed = [at for at, op in enumerate(ops) if op.type in (OpType.OK, OpType.FAIL)]
    if not completed:
        return ops
    at = chance.choice(completed)
    op = ops[at]
    value = op.value
    outcome = op.type
    if kind == "outcome" and op.f == "append":
        outcome = OpType.FAIL if chance.random() < 0.3 else OpType.INFO
        value = None
    elif op.type is OpType.OK and op.f == "append":
        value = max(0, value + chance.choice((-2, -1, 1, 1, 2)))
    elif op.type is OpType.OK:
        value = tampered_rows(value, appended_rows(ops), chance)
    return [*ops[:at], msgspec.structs.replace(op, type=outcome, value=value), *ops[at + 1 :]]


def moved(ops: list[Op], chance: random.Random) -> list[Op]:
    """Let one op come earlier or later, as far as its own client's others allow."""
    source = chance.randrange(len(ops))
    op = ops[source]
    others = [*ops[:source], *ops[source + 1 :]]
    own = [at for at, other in enumerate(others) if other.process == op.process]
    low = max((at + 1 for at in own if at < source), default=0)
    high = min((at for at in own if at >= source), default=len(others))
    target = chance.randint(low, high)
    placed = [*others[:target], op, *others[target:]]
    return [msgspec.structs.replace(o, index=at, time_ns=at) for at, o in enumerate(placed)]


def appended_rows(ops: list[Op]) -> list[int]:
    """Every row that anyone tried to append, and one that nobody did."""
    appends = (op for op in ops if op.f == "append" and op.type is OpType.INVOKE)
    return [PHANTOM, *(row for op in appends for row in op.value)]


def tampered_rows(rows: list[int], others: list[int], chance: random.Random) -> list[int]:
    """Add, drop or exchange one row."""
    other = chance.choice(others)
    if not rows or chance.random() < 0.3:
        return [*rows, other]
    if chance.random() < 0.6:
        return rows[:-1]
    at = chance.randrange(len(rows))
    return [*rows[:at], other, *rows[at + 1 :]]
