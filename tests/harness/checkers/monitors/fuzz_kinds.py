"""What random histories ask for and how they are tampered with, one kind for each specification."""

import random
from collections.abc import Sequence
from typing import Any

from delphic.harness.checkers.operations import Operation
from delphic.harness.checkers.specs import SPECS
from fuzz_drafts import Kind

NEVER = 999
"""A value that nobody writes."""


def _register_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    if chance.random() < 0.5:
        return "read", None
    # Sometimes a value comes again, or is the one that was there at first.
    value = chance.choice((1, 2, None)) if chance.random() < 0.06 else 10 + begun
    return "write", value


def _cas_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    if chance.random() < 0.5:
        return _register_ask(chance, begun, process)
    expected = chance.choice((None, *range(10, 10 + begun), 9 + begun, 11 + begun))
    return "cas", (expected, expected if chance.random() < 0.03 else 10 + begun)


def _register_answer(state: Any, f: str, argument: Any) -> Any:
    if f == "cas":
        # Most refusals are definite failures; one that is told makes the history ambiguous.
        return state[0] == argument[0] or argument[1] != 15
    return state[0] if f == "read" else None


def _register_tamper(
    chance: random.Random, operation: Operation, others: Sequence[Operation]
) -> Any:
    if operation.f == "cas":
        # A refusal says too little to be interesting more often.
        return chance.random() < 0.9
    if operation.f != "read":
        return operation.result
    values = [o.argument[1] if o.f == "cas" else o.argument for o in others if o.f != "read"]
    return chance.choice((*values, *values, None, NEVER))


KINDS: dict[str, Kind] = {
    kind.spec.name: kind
    for kind in (
        Kind(SPECS["register"], _register_ask, _register_answer, _register_tamper),
        Kind(SPECS["cas-register"], _cas_ask, _register_answer, _register_tamper),
    )
}
