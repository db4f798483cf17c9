"""Parts of a history, and operations of which less is known than was."""

import msgspec

from ..operations import UNKNOWN, Operation
from ..specs.spec import Spec
from .problem import Problem


def began_before(problem: Problem, stuck: int, spec: Spec) -> tuple[Operation, ...]:
    """What had begun when the operation of rank `stuck` returned, and returned later.

    Whether it had happened is open, but not what it answered if it had.
    """
    horizon = problem.returns[stuck]
    later = (o for o in problem.known[stuck + 1 :] if o.invoked <= horizon)
    return tuple(o for o in later if o.f not in spec.reads)


def unended(operation: Operation) -> Operation:
    """The operation with its end forgotten: if it happened, this was its answer."""
    return msgspec.structs.replace(operation, returned=None, returned_ns=None)


def forgotten(operation: Operation) -> Operation:
    """The operation with its answer forgotten: it may have happened since it began, or never."""
    return msgspec.structs.replace(
        operation, result=UNKNOWN, returned=None, returned_ns=None, failed=False
    )


def doubtful(operation: Operation) -> Operation:
    """The operation with its answer forgotten and its end known: by then, or never."""
    return msgspec.structs.replace(operation, result=UNKNOWN)
