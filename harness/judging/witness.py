"""The smallest history that is itself wrong, cut out of a large one.

An operation is not left out but forgotten: it may have happened since it began, or never. (Without
the write, no read of it is right, which proves nothing.) What is wrong even so is wrong whatever
the forgotten ones did, and so it is shown without them.
"""

from collections.abc import Sequence

import msgspec

from ..checkers.judging import judged
from ..checkers.operations import Finding, Operation
from ..checkers.search.cuts import forgotten
from ..checkers.specs.spec import Spec
from ..evidence import Budget
from ..verdict import Validity

OPERATIONS_MAX = 2_000
"""Of an object with more operations the finding is shown as it is."""

PROBE = Budget(seconds=0.5, configurations=200_000, memory_mib=256)


class Cut(msgspec.Struct, frozen=True):
    """A few operations; `is_proof` if they are wrong whatever all others of their object did.

    `is_simpler`: without parts of their values, which do not matter.
    """

    operations: tuple[Operation, ...]
    is_proof: bool
    is_simpler: bool = False


def cut(operations: Sequence[Operation], finding: Finding, spec: Spec, budget: Budget) -> Cut:
    """The finding's operations without those that are not needed, and with those that are.

    All that there is time for within the budget.
    """
    shown = set(finding.witness)
    few = tuple(operation for operation in operations if operation.invoked in shown)
    objects = {_object(operation, spec) for operation in few}
    own = [operation for operation in operations if _object(operation, spec) in objects]
    if few and spec.simpler is not None:
        found = _simpler(own, few[-1], spec, budget)
        if found is not None:
            return found
    if not few or len(own) > OPERATIONS_MAX:
        return Cut(few, is_proof=False)
    search = _Search(own, spec, budget)
    kept = {operation.invoked for operation in few}
    if not search.is_wrong(kept):
        kept = {operation.invoked for operation in own if not operation.is_open}
        if not search.is_wrong(kept):
            return Cut(few, is_proof=False)
        # Anomalies that count something: the finding's alone do not suffice.
        kept = search.fewest(kept, sorted(kept - shown))
    kept = search.fewest(kept, sorted(kept))
    return Cut(tuple(o for o in own if o.invoked in kept), is_proof=True)


def _simpler(own: Sequence[Operation], near: Operation, spec: Spec, budget: Budget) -> Cut | None:
    """A simpler history that is wrong, cut down in its turn, if one is found in time."""
    assert spec.simpler is not None
    deadline = budget.clock() + budget.seconds
    for operations in spec.simpler(own, near):
        if budget.clock() > deadline:
            return None
        if judged(operations, spec, PROBE).validity is Validity.FAIL:
            answered = {o.invoked for o in operations if not o.is_open}
            kept = _Search(operations, spec, budget).fewest(answered, sorted(answered))
            few = tuple(o for o in operations if o.invoked in kept)
            return Cut(few, is_proof=True, is_simpler=True)
    return None


class _Search:
    """Which operations of one object must keep their answers for it to be wrong."""

    def __init__(self, own: Sequence[Operation], spec: Spec, budget: Budget) -> None:
        self._own = own
        self._spec = spec
        self._clock = budget.clock
        self._deadline = budget.clock() + budget.seconds

    def is_wrong(self, kept: set[int]) -> bool:
        """Whether these are wrong whatever the others did."""
        known = [
            o if o.invoked in kept else forgotten(o)
            for o in self._own
            if o.invoked in kept or o.f not in self._spec.reads
        ]
        return judged(known, self._spec, PROBE).validity is Validity.FAIL

    def fewest(self, kept: set[int], candidates: Sequence[int]) -> set[int]:
        """Forget candidates in ever smaller chunks while what is left is wrong."""
        chunk = max(1, len(candidates) // 2)
        while True:
            at = 0
            while at < len(candidates) and self._clock() < self._deadline:
                tried = kept - set(candidates[at : at + chunk])
                if tried and self.is_wrong(tried):
                    kept = tried
                    candidates = [one for one in candidates if one in kept]
                else:
                    at += chunk
            if chunk == 1 or self._clock() >= self._deadline:
                return kept
            chunk //= 2


def _object(operation: Operation, spec: Spec) -> object:
    return None if spec.partition is None else spec.partition(operation)
