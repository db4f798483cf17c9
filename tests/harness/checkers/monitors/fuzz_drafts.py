"""Random small histories: of a correct object first, and then tampered with."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from delphic.harness.checkers.operations import UNKNOWN, Operation
from delphic.harness.checkers.specs import Spec
from fuzz_oracle import linearizable

Ask = Callable[[random.Random, int, int], tuple[str, Any]]
"""What a client asks for: from chance, how many operations there were before, and its process."""

Answer = Callable[[Any, str, Any], Any]
"""What a correct object in this state answers."""

Tamper = Callable[[random.Random, Operation, Sequence[Operation]], Any]
"""Another answer to an operation, perhaps from what stands in the others."""


class Kind(msgspec.Struct, frozen=True):
    """How to draw histories of one specification."""

    spec: Spec
    ask: Ask
    answer: Answer
    tamper: Tamper
    brute: Callable[[Spec, Sequence[Operation]], bool] = linearizable
    """The truth about the operations of one key."""
    broken: Callable[[Any, str, Any, Any], Any] | None = None
    """The step of an object with a mistake, from which some of the histories are."""
    name: str = ""
    """Its own, where several kinds are of one specification."""
    counting: frozenset[str] = frozenset()
    """Anomalies that no two or three operations show: something is missing among all of them."""


class _Call(msgspec.Struct):
    process: int
    f: str
    argument: Any
    invoked: int
    result: Any = UNKNOWN
    is_done: bool = False
    is_lost: bool = False


def draw(kind: Kind, chance: random.Random, key: Any, *, operations_max: int) -> list[Operation]:
    """One history of a key: valid, or tampered with at up to four places; perhaps empty."""
    found = _valid(
        kind, chance, key, max(chance.randint(0, operations_max), chance.randint(0, operations_max))
    )
    for _ in range(chance.choice((0, 1, 1, 2, 3, 4))):
        found = _tampered(kind, chance, found)
    if chance.random() < 0.1:
        found = _at_equal_times(found)
    return found


def _valid(kind: Kind, chance: random.Random, key: Any, total: int) -> list[Operation]:
    """Clients of a correct object; some are never answered, whether or not they had an effect."""
    state: Any = kind.spec.initial()
    step = kind.spec.step
    if kind.broken is not None and chance.random() < 0.15:
        step = kind.broken
    width = chance.randint(1, 4)
    lost = chance.choice((0.0, 0.0, 0.15, 0.4))
    idle = list(range(width))
    open_calls: list[_Call] = []
    late: list[_Call] = []
    found: list[Operation] = []
    begun = position = 0
    while begun < total or open_calls:
        if late and chance.random() < 0.2:
            call = late.pop(chance.randrange(len(late)))
            state = step(state, call.f, call.argument, UNKNOWN) or state
        if begun < total and idle and chance.random() < 0.5:
            process = idle.pop(chance.randrange(len(idle)))
            f, argument = kind.ask(chance, begun, process)
            open_calls.append(_Call(process, f, argument, position))
            begun, position = begun + 1, position + 1
            continue
        if not open_calls:
            continue
        call = chance.choice(open_calls)
        if not call.is_done and chance.random() < 0.6:
            call.is_done = True
            if chance.random() < lost:
                call.is_lost = True
                if chance.random() < 0.6:
                    late.append(call)
            else:
                answer = kind.answer(state, call.f, call.argument)
                following = step(state, call.f, call.argument, answer)
                if following is None and chance.random() < 0.2:
                    # The object lies.
                    call.result = answer
                elif following is None:
                    # A definite failure, as of a lock that is held: no operation.
                    open_calls.remove(call)
                    idle.append(call.process)
                else:
                    state, call.result = following, answer
        elif call.is_done:
            open_calls.remove(call)
            found.append(_operation(call, key, position))
            position += 1
            # A process that was not answered is never heard of again; another takes its place.
            idle.append(call.process + width if call.is_lost else call.process)
    return sorted(found, key=lambda operation: operation.invoked)


def _operation(call: _Call, key: Any, position: int) -> Operation:
    is_open = call.is_lost
    return Operation(
        call.process,
        call.f,
        key,
        call.argument,
        UNKNOWN if is_open else call.result,
        call.invoked,
        None if is_open else position,
        node="n1",
    )


def _tampered(kind: Kind, chance: random.Random, found: list[Operation]) -> list[Operation]:
    """Change one thing that a client could have recorded: an answer, an outcome, a time."""
    if not found:
        return found
    answered = [at for at, o in enumerate(found) if o.f in kind.spec.reads and not o.is_open]
    at = chance.randrange(len(found))
    if answered and chance.random() < 0.5:
        at = chance.choice(answered)
    operation = found[at]
    match chance.choice(("answer", "answer", "answer", "move", "move", "open", "gone")):
        case "answer" if not operation.is_open:
            for _ in range(3):
                result = kind.tamper(chance, operation, found)
                if result != operation.result:
                    break
            operation = msgspec.structs.replace(operation, result=result)
        case "open":
            operation = msgspec.structs.replace(operation, result=UNKNOWN, returned=None)
        case "move" if operation.returned is not None:
            operation = _moved(chance, operation, operation.returned)
        case "gone":
            return found[:at] + found[at + 1 :]
    changed = [*found[:at], operation, *found[at + 1 :]]
    return _apart(changed)


def _moved(chance: random.Random, operation: Operation, returned: int) -> Operation:
    """Let it begin or end at another time."""
    if chance.random() < 0.5:
        invoked = max(0, operation.invoked + chance.randint(-4, 2))
        return msgspec.structs.replace(operation, invoked=min(invoked, returned - 1))
    later = max(operation.invoked + 1, returned + chance.randint(-2, 4))
    return msgspec.structs.replace(operation, returned=later)


def _apart(found: list[Operation]) -> list[Operation]:
    """Number all ends anew, so that no two are equal; of equal ones invocations come first."""
    ends = [(o.invoked, 0, at) for at, o in enumerate(found)]
    ends += [(o.returned, 1, at) for at, o in enumerate(found) if o.returned is not None]
    places = {(kind, at): place for place, (_, kind, at) in enumerate(sorted(ends))}
    numbered = [
        msgspec.structs.replace(o, invoked=places[0, at], returned=places.get((1, at)))
        for at, o in enumerate(found)
    ]
    return sorted(numbered, key=lambda operation: operation.invoked)


def _at_equal_times(found: list[Operation]) -> list[Operation]:
    """Halve the resolution of the clock: many ends fall together."""
    return [
        msgspec.structs.replace(
            o,
            invoked=o.invoked // 2,
            returned=None if o.returned is None else max(o.returned // 2, o.invoked // 2),
        )
        for o in found
    ]
