"""What random histories ask for and how they are tampered with, one kind for each specification."""

import random
from collections.abc import Sequence
from typing import Any

from delphic.harness.checkers.monitors import counter, keyed_log, log_poll, mutex, queue
from delphic.harness.checkers.operations import Operation
from delphic.harness.checkers.specs import SPECS
from fuzz_drafts import Kind
from fuzz_oracle import guaranteed, sequential

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


def _log_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    if chance.random() < 0.5:
        return "read", None
    return "append", 10 if chance.random() < 0.03 else 10 + begun


def _log_answer(state: Any, f: str, argument: Any) -> Any:
    return state if f == "read" else None


def _log_tamper(chance: random.Random, operation: Operation, others: Sequence[Operation]) -> Any:
    if operation.f != "read":
        return operation.result
    return _rows(chance, operation.result, others, "append")


def _rows(chance: random.Random, rows: Any, others: Sequence[Operation], f: str) -> tuple[Any, ...]:
    """Add, drop, exchange or turn round elements, most of which somebody added."""
    known = [o.argument for o in others if o.f == f] * 3 + [NEVER]
    changed = list(rows)
    match chance.choice(("add", "add", "drop", "drop", "exchange", "turn")):
        case "drop" if changed:
            changed.pop(chance.choice((-1, -1, 0)))
        case "exchange" if changed:
            changed[chance.randrange(len(changed))] = chance.choice(known)
        case "turn" if len(changed) > 1:
            at = chance.randrange(len(changed) - 1)
            changed[at : at + 2] = changed[at + 1], changed[at]
        case _:
            changed.append(chance.choice(known))
    return tuple(changed)


def _poll_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    if chance.random() < 0.5:
        return _log_ask(chance, begun, process)[0].replace("read", "append"), 10 + begun
    start = chance.randint(0, 4)
    return chance.choice(("poll", "read")), (start, chance.choice((None, 0, 1, 2, 3)))


def _poll_answer(state: Any, f: str, argument: Any) -> Any:
    if f == "append":
        # Some appends are acknowledged without an offset.
        return None if argument % 4 == 0 else len(state)
    start, most = argument
    return state[start:] if most is None else state[start : start + most]


def _poll_tamper(chance: random.Random, operation: Operation, others: Sequence[Operation]) -> Any:
    if operation.f == "append":
        count = sum(o.f == "append" for o in others)
        return chance.choice((None, *range(count), -1 if chance.random() < 0.1 else count))
    for _ in range(5):
        rows = _rows(chance, operation.result, others, "append")
        if operation.argument[1] is None or len(rows) <= operation.argument[1]:
            break
    return rows


def _set_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    if chance.random() < 0.5:
        return "read", None
    return "add", chance.choice((10, 11, 10 + begun, 10 + begun, 10 + begun))


def _set_answer(state: Any, f: str, argument: Any) -> Any:
    return tuple(sorted(state)) if f == "read" else None


def _set_tamper(chance: random.Random, operation: Operation, others: Sequence[Operation]) -> Any:
    if operation.f != "read":
        return operation.result
    return _rows(chance, operation.result, others, "add")


def _bitmask_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    if chance.random() < 0.5:
        return "read", None
    return "add", 3 if chance.random() < 0.02 else 1 << (0 if chance.random() < 0.02 else begun)


def _sum_answer(state: Any, f: str, argument: Any) -> Any:
    return state if f == "read" else None


def _bitmask_tamper(
    chance: random.Random, operation: Operation, others: Sequence[Operation]
) -> Any:
    if operation.f != "read":
        return operation.result
    amount = chance.choice([o.argument for o in others if o.f == "add"] * 4 + [1 << 20, 1])
    return operation.result ^ amount if chance.random() < 0.95 else -1


def _queue_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    if chance.random() < 0.55:
        return "dequeue", None
    return "enqueue", 10 if chance.random() < 0.04 else 10 + begun


def _queue_answer(state: Any, f: str, argument: Any) -> Any:
    return state[0] if f == "dequeue" and state else None


def _queue_tamper(chance: random.Random, operation: Operation, others: Sequence[Operation]) -> Any:
    if operation.f != "dequeue":
        return operation.result
    values = [o.argument for o in others if o.f == "enqueue"]
    return chance.choice([*values, *values, None, None, NEVER])


def _counter_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    if chance.random() < 0.5:
        return "read", None
    return "add", 2 if chance.random() < 0.01 else chance.choice((1, None))


def _counter_tamper(
    chance: random.Random, operation: Operation, others: Sequence[Operation]
) -> Any:
    if operation.f != "read":
        return operation.result
    changed: int = operation.result + chance.choice((-2, -1, -1, 1, 1, 2))
    return max(changed, -(chance.random() < 0.1))


def _keyed_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    if chance.random() < 0.4:
        return "read", None
    return "append", (chance.choice("aab"), 10 if chance.random() < 0.05 else 10 + begun)


def _keyed_answer(state: Any, f: str, argument: Any) -> Any:
    if f == "read":
        return state
    # Some appends are told whether they were new.
    return all(name != argument[0] for name, _ in state) if argument[1] % 3 else None


def _last_wins(state: Any, f: str, argument: Any, result: Any) -> Any:
    """A log with keys in which a later row takes the place of an earlier one."""
    if f == "append" and any(name == argument[0] for name, _ in state):
        return tuple(argument if name == argument[0] else (name, row) for name, row in state)
    return SPECS["keyed-log"].step(state, f, argument, result)


def _keyed_tamper(chance: random.Random, operation: Operation, others: Sequence[Operation]) -> Any:
    if operation.f == "append":
        return chance.choice((True, False, None))
    match chance.choice(("cut", "rival", "rows")):
        case "cut" if operation.result:
            return operation.result[:-1]
        case "rival" if operation.result:
            name = operation.result[0][0]
            rivals = [o.argument for o in others if o.f == "append" and o.argument[0] == name]
            return (chance.choice(rivals or operation.result), *operation.result[1:])
    rows = _rows(chance, operation.result, others, "append")
    return tuple(("z", 1) if row == NEVER else row for row in rows)


def _owned_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    return chance.choice(("acquire", "release")), f"p{process}"


def _free_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    """A lock without owners, and sometimes one with."""
    mixed = chance.random() < 0.01
    return chance.choice(("acquire", "release")), "somebody" if mixed else None


def _nothing_answered(state: Any, f: str, argument: Any) -> Any:
    return None


def _untampered(chance: random.Random, operation: Operation, others: Sequence[Operation]) -> Any:
    return operation.result


def _element_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    return chance.choice(("add", "remove", "contains", "contains")), chance.choice((1, 1, 1, 2))


def _element_answer(state: Any, f: str, argument: Any) -> Any:
    return argument in state if f == "contains" else None


def _element_tamper(
    chance: random.Random, operation: Operation, others: Sequence[Operation]
) -> Any:
    return not operation.result if operation.f == "contains" else operation.result


def _session_ask(chance: random.Random, begun: int, process: int) -> tuple[str, Any]:
    if chance.random() < 0.6:
        return "read", None
    return chance.choice(("add", "append", "write")), 10 if chance.random() < 0.02 else 10 + begun


def _session_tamper(
    chance: random.Random, operation: Operation, others: Sequence[Operation]
) -> Any:
    """Replicas lag: an element is lacking, most often one of the oldest."""
    if operation.f != "read" or not operation.result:
        return operation.result
    rows = list(operation.result)
    rows.pop(chance.choice((0, 0, -1, chance.randrange(len(rows)))))
    return tuple(rows)


KINDS: dict[str, Kind] = {
    kind.name or kind.spec.name: kind
    for kind in (
        Kind(SPECS["register"], _register_ask, _register_answer, _register_tamper),
        Kind(SPECS["cas-register"], _cas_ask, _register_answer, _register_tamper),
        Kind(SPECS["log"], _log_ask, _log_answer, _log_tamper),
        Kind(SPECS["log-poll"], _poll_ask, _poll_answer, _poll_tamper, counting=log_poll.COUNTING),
        Kind(SPECS["set"], _set_ask, _set_answer, _set_tamper),
        Kind(SPECS["bitmask-counter"], _bitmask_ask, _sum_answer, _bitmask_tamper),
        Kind(SPECS["queue"], _queue_ask, _queue_answer, _queue_tamper, counting=queue.COUNTING),
        Kind(
            SPECS["counter"], _counter_ask, _sum_answer, _counter_tamper, counting=counter.COUNTING
        ),
        Kind(
            SPECS["keyed-log"],
            _keyed_ask,
            _keyed_answer,
            _keyed_tamper,
            counting=keyed_log.COUNTING,
            broken=_last_wins,
        ),
        Kind(SPECS["mutex"], _free_ask, _nothing_answered, _untampered, counting=mutex.COUNTING),
        Kind(
            SPECS["mutex"],
            _owned_ask,
            _nothing_answered,
            _untampered,
            counting=mutex.COUNTING,
            name="mutex-owned",
        ),
        Kind(
            SPECS["element-set"],
            _element_ask,
            _element_answer,
            _element_tamper,
            counting=frozenset(SPECS["element-set"].anomalies),
        ),
        Kind(SPECS["session"], _session_ask, _set_answer, _session_tamper, brute=guaranteed),
        Kind(SPECS["prefix"], _log_ask, _log_answer, _log_tamper, brute=sequential),
        Kind(
            SPECS["prefix-poll"],
            _poll_ask,
            _poll_answer,
            _poll_tamper,
            brute=sequential,
            counting=log_poll.COUNTING,
        ),
    )
}
