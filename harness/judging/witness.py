"""The smallest history that is itself wrong, cut out of a large one.

A finding names the few operations that contradict each other. Of all others only what they might
have done can matter, so they keep no answer; then as many as possible are left out altogether.
"""

from collections.abc import Sequence

import msgspec

from ..checkers.judging import judged
from ..checkers.operations import UNKNOWN, Finding, Operation
from ..checkers.specs.spec import Spec
from ..evidence import Budget
from ..verdict import Validity

OTHERS_MAX = 2_000
"""More operations than these are not tried without one by one."""

PROBE = Budget(seconds=1.0, configurations=500_000, memory_mib=256)


def sub_history(
    operations: Sequence[Operation], finding: Finding, spec: Spec, budget: Budget
) -> list[Operation]:
    """The operations of a finding with the fewest others without which they are not wrong.

    All of the same object. What could not be made small within the budget is the finding's alone.
    """
    shown = set(finding.witness)
    few = [operation for operation in operations if operation.invoked in shown]
    if not few or _is_wrong(few, spec):
        return few
    deadline = budget.clock() + budget.seconds
    objects = {_object(operation, spec) for operation in few}
    others = [
        _forgotten(operation)
        for operation in operations
        if operation.invoked not in shown
        and operation.f not in spec.reads
        and _object(operation, spec) in objects
    ]
    if len(others) > OTHERS_MAX or not _is_wrong(_merged(few, others), spec):
        return few
    chunk = max(1, len(others) // 2)
    while True:
        at = 0
        while at < len(others) and budget.clock() < deadline:
            fewer = others[:at] + others[at + chunk :]
            if _is_wrong(_merged(few, fewer), spec):
                others = fewer
            else:
                at += chunk
        if chunk == 1 or budget.clock() >= deadline:
            return _merged(few, others)
        chunk //= 2


def _is_wrong(operations: Sequence[Operation], spec: Spec) -> bool:
    return judged(operations, spec, PROBE).validity is Validity.FAIL


def _object(operation: Operation, spec: Spec) -> object:
    return None if spec.partition is None else spec.partition(operation)


def _merged(few: Sequence[Operation], others: Sequence[Operation]) -> list[Operation]:
    return sorted((*few, *others), key=lambda operation: operation.invoked)


def _forgotten(operation: Operation) -> Operation:
    return msgspec.structs.replace(operation, result=UNKNOWN, returned=None, returned_ns=None)
