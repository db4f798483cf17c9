"""Append-only logs: read whole, by offsets, or from followers that lag behind."""

from dataclasses import replace
from typing import Any

from ..monitors import log, log_poll, prefix
from ..operations import UNKNOWN
from .spec import Shape, Spec, is_count, is_pair, is_sequence

State = tuple[Any, ...]
"""The elements, oldest first."""


def initial() -> State:
    return ()


def step(state: State, f: str, argument: Any, result: Any) -> State | None:
    """The state after an append or a read of the whole log, or None if it is answered wrongly."""
    match f:
        case "append":
            return (*state, argument)
        case "read":
            return state if result is UNKNOWN or tuple(result) == state else None
    return None


def step_by_offset(state: State, f: str, argument: Any, result: Any) -> State | None:
    """The same, where appends answer an offset, and a slice is read."""
    match f:
        case "append":
            fits = not log_poll.is_offset(result) or result == len(state)
            return (*state, argument) if fits else None
        case "poll" | "read":
            start, most = argument
            page = state[start:] if most is None else state[start : start + most]
            return state if result is UNKNOWN or tuple(result) == page else None
    return None


LOG = Spec(
    name="log",
    about="A log to which elements are appended and that is read as a whole.",
    operations=(
        Shape("append", "the element", "nothing, or anything"),
        Shape("read", "nothing", "all elements, oldest first", answers=is_sequence),
    ),
    initial=initial,
    step=step,
    monitor=log.judge,
    anomalies=log.ANOMALIES,
    reads=frozenset({"read"}),
)

PREFIX = replace(
    LOG,
    name="prefix",
    about="A log that followers read behind: each process sees one log grow.",
    monitor=prefix.judge,
    anomalies=prefix.ANOMALIES,
    order="program",
)


def is_slice(argument: Any) -> bool:
    """An offset, and a number of elements or None."""
    if not is_pair(argument):
        return False
    start, most = argument
    return is_count(start) and (most is None or is_count(most))


_SLICE = "[from, max]: the first offset (from 0 on), and how many at most; max null: to the end"

LOG_POLL = Spec(
    name="log-poll",
    about="A log whose appends answer the offset of the element, and that is read in slices.",
    operations=(
        Shape("append", "the element", "its offset, or nothing"),
        Shape("poll", _SLICE, "the elements from there on", is_slice, is_sequence),
        Shape("read", _SLICE, "the elements from there on", is_slice, is_sequence),
    ),
    initial=initial,
    step=step_by_offset,
    monitor=log_poll.judge,
    anomalies=log_poll.ANOMALIES,
    reads=frozenset({"poll", "read"}),
)

PREFIX_POLL = replace(
    LOG_POLL,
    name="prefix-poll",
    about="A log that followers read behind in slices: each process sees one log grow.",
    monitor=log_poll.judge_followers,
    order="program",
)
