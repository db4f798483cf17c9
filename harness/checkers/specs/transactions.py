"""Transactions on many objects, each at one moment: lists that are appended to, and registers."""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any

from ..operations import UNKNOWN
from ..transactions import list_append, models, rw_register
from .spec import Monitor, Shape, Spec, is_sequence

State = frozenset[tuple[Any, Any]]
"""Pairs of a key and what it holds; a key that was never written is not there."""


def initial() -> State:
    return frozenset()


def step(state: State, f: str, argument: Any, result: Any) -> State | None:
    """The state after a transaction, or None if one of its reads is answered wrongly.

    A micro-operation is ("append", key, element), ("w", key, value) or ("r", key, None); in the
    result a read holds what it found: a list, or a value, or None where nothing was written.
    """
    if f != "txn":
        return None
    answers = argument if result is UNKNOWN else result
    if len(answers) != len(argument):
        return None
    held = dict(state)
    for (kind, key, value), (_, _, answer) in zip(argument, answers, strict=True):
        match kind:
            case "append":
                held[key] = (*held.get(key, ()), value)
            case "w":
                held[key] = value
            case "r" if result is not UNKNOWN and _found(held.get(key)) != _found(answer):
                return None
    return frozenset(held.items())


def _found(answer: Any) -> Any:
    """An empty list is what nobody wrote yet, as None is."""
    return None if answer == () else answer


def is_transaction(argument: Any, kinds: Collection[str]) -> bool:
    return is_sequence(argument) and all(
        isinstance(micro, tuple) and len(micro) == 3 and micro[0] in kinds for micro in argument
    )


def is_same(argument: Any, result: Any) -> bool:
    """Whether a result has the kinds and keys of what was asked, in that order."""
    return [micro[:2] for micro in argument] == [micro[:2] for micro in result]


def _shape(*kinds: str) -> Shape:
    """Transactions of these kinds alone: to a monitor all that is not its own is a read."""
    asked = f"a list of [kind, key, value]; the value of a read is null; kinds: {', '.join(kinds)}"
    answered = "the same with what reads found"
    fits = partial(is_transaction, kinds=kinds)
    return Shape("txn", asked, answered, fits, fits, is_same)


def promising(spec: Spec, monitor: Callable[[str], Monitor], model: str) -> Spec:
    """The specification with a weaker model for its promise, which no search by `step` decides."""
    if model == models.STRICTEST:
        return spec
    about = f"{spec.about.partition(';')[0]}; {model}."
    return replace(spec, monitor=monitor(model), about=about, order="serial")


LIST_APPEND: Spec = Spec(
    name="list-append",
    about="Transactions that append to lists and read them; strictly serializable.",
    operations=(_shape("append", "r"),),
    initial=initial,
    step=step,
    monitor=list_append.judge,
    partition=None,
    anomalies=models.ANOMALIES,
    sees_failures=True,
    models=models.TARGETS,
    promising=lambda model: promising(
        LIST_APPEND, lambda chosen: partial(list_append.judge, model=chosen), model
    ),
)

RW_REGISTER: Spec = Spec(
    name="rw-register",
    about="Transactions that write and read registers; strictly serializable.",
    operations=(_shape("w", "r"),),
    initial=initial,
    step=step,
    monitor=rw_register.judge_by(step, initial()),
    partition=None,
    anomalies=models.ANOMALIES,
    sees_failures=True,
    models=models.TARGETS,
    promising=lambda model: promising(
        RW_REGISTER, lambda chosen: rw_register.judge_by(step, initial(), chosen), model
    ),
)
