"""An order of operations: made of what a search performed, and held against the history."""

from collections.abc import Sequence

from ..operations import FOREVER, Operation
from ..specs.spec import Spec
from .problem import Problem, Windows
from .steps import ILLEGAL, Steps


def replayed(
    problem: Problem, moves: Sequence[int], is_read: Sequence[bool], steps: Steps
) -> tuple[Operation, ...]:
    """The whole order: the moves, by rank and behind all ranks by place among the open ones.

    Between them, reads are placed as soon as they are allowed and right.
    """
    total = len(problem.known)
    kinds = [steps.class_of(operation) for operation in problem.known]
    windows = Windows(problem)
    placed = bytearray(total)
    order: list[Operation] = []
    state, low = 0, 0

    def settle() -> None:
        nonlocal low, state
        while low < total:
            for rank in windows.window(low):
                if not is_read[rank] or placed[rank]:
                    continue
                after = steps.next(state, kinds[rank])
                if after != ILLEGAL:
                    state = after
                    placed[rank] = 1
                    order.append(problem.known[rank])
            if not placed[low]:
                return
            while low < total and placed[low]:
                low += 1

    settle()
    for move in moves:
        operation = problem.known[move] if move < total else problem.open[move - total]
        state = steps.next(state, steps.class_of(operation))
        assert state != ILLEGAL, operation
        order.append(operation)
        if move < total:
            placed[move] = 1
        settle()
    return tuple(order)


def fault(order: Sequence[Operation], operations: Sequence[Operation], spec: Spec) -> str | None:
    """Why an order explains the operations not, or None where it does.

    It shares nothing with the search: every operation of known outcome is there, none twice, none
    before one that returned before it began, and `step` allows each answer.
    """
    left = {id(operation): operation for operation in operations}
    latest = -1
    state = spec.initial()
    for operation in order:
        if left.pop(id(operation), None) is None:
            return f"operation {operation.invoked} is placed twice or is none of them"
        end = FOREVER if operation.returned is None else operation.returned
        if end < latest:
            return f"operation {operation.invoked} comes after one that began when it had returned"
        latest = max(latest, operation.invoked)
        state = spec.step(state, operation.f, operation.argument, operation.result)
        if state is None:
            return f"operation {operation.invoked} was answered otherwise"
    missing = next((o for o in left.values() if o.returned is not None), None)
    return None if missing is None else f"operation {missing.invoked} is not placed"
