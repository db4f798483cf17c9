"""Any history against any specification: the monitor where it can tell, and else the search."""

from collections.abc import Sequence

import msgspec

from ..errors import HistoryError, UsageError
from ..evidence import Budget
from ..history import History
from ..prose import plural
from ..verdict import Validity
from .operations import Ambiguous, Judgement, Operation, operations
from .search.judge import search
from .search.second_opinion import second_opinion as compared
from .specs import SPECS
from .specs.spec import Spec

GENEROUS = Budget(seconds=60.0, configurations=200_000_000, memory_mib=2048)
"""What a search may spend on a history that somebody asks about."""


class Misfit(HistoryError):
    """An operation that the specification does not have; `place` is its number from 0 on."""

    def __init__(self, place: int, operation: Operation, message: str) -> None:
        super().__init__(f"operation #{operation.invoked}: {message}")
        self.place = place
        self.message = message


def check(
    history: History | Sequence[Operation],
    spec: Spec | str,
    budget: Budget | None = None,
    *,
    second_opinion: bool = False,
) -> Judgement:
    """Judge a history, or operations in order of invocation.

    The budget is the search's; monitors need none. With `second_opinion`, monitor and search are
    compared on small parts, and a contradiction is a harness error. Raises UsageError where there
    is no such specification, and Misfit at the first operation that it does not have.
    """
    chosen = named(spec) if isinstance(spec, str) else spec
    asked = operations(history) if isinstance(history, History) else history
    for place, operation in enumerate(asked):
        wrong = chosen.misfit(operation) if chosen.operations else None
        if wrong is not None:
            raise Misfit(place, operation, wrong)
    found = judged(asked, chosen, budget or GENEROUS)
    return compared(without_failures(asked), chosen, found) if second_opinion else found


def judged(asked: Sequence[Operation], spec: Spec, budget: Budget) -> Judgement:
    """Judge operations that the specification has."""
    if not any(operation.returned is not None for operation in asked):
        return Judgement(
            Validity.INCONCLUSIVE, "No operation was answered: there is nothing to order."
        )
    happened = without_failures(asked)
    seen = asked if spec.sees_failures else happened
    opinion = None if spec.monitor is None else spec.monitor(seen)
    if isinstance(opinion, Judgement):
        return opinion
    if spec.order != "real-time":
        reason = "" if opinion is None else f": {opinion.reason}"
        sentence = f"Undecided: no judge of {spec.order} order can tell{reason}."
        return Judgement(Validity.UNKNOWN, sentence)
    if opinion is None:
        return search(happened, spec, budget)
    return _searched(happened, spec, opinion, budget)


def without_failures(asked: Sequence[Operation]) -> Sequence[Operation]:
    """Those that happened or may have."""
    if not any(operation.failed for operation in asked):
        return asked
    return [operation for operation in asked if not operation.failed]


def _searched(
    asked: Sequence[Operation], spec: Spec, opinion: Ambiguous, budget: Budget
) -> Judgement:
    """What the search says of the keys that the monitor could not judge; the others are right."""
    keys = set(opinion.keys)
    own = [operation for operation in asked if operation.key in keys]
    found = search(own, spec, budget)
    told = {
        **found.statistics,
        "ambiguous": opinion.reason,
        "judged_by_monitor": len(asked) - len(own),
    }
    sentence = found.sentence
    if found.validity is Validity.PASS and len(own) < len(asked):
        noun = plural(len(asked) - len(own), "other operation")
        sentence = f"{sentence} The {noun} on other keys fit an order, too."
    return msgspec.structs.replace(found, sentence=sentence, statistics=told)


def named(name: str) -> Spec:
    """The specification of this name. Raises UsageError with the names that there are."""
    found = SPECS.get(name)
    if found is None:
        raise UsageError(f"there is no specification {name!r}; there are {', '.join(SPECS)}")
    return found
