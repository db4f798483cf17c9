"""Any operation in words: who, through which node, when, what was asked and answered."""

from typing import Any

from ..operations import UNKNOWN, Operation

SHOWN_MAX = 4
CHARACTERS_MAX = 60


def value_text(value: Any) -> str:
    """A value, shortened: the first few of a collection."""
    if isinstance(value, tuple | frozenset):
        listed = sorted(value, key=repr) if isinstance(value, frozenset) else list(value)
        shown = ", ".join(value_text(part) for part in listed[:SHOWN_MAX])
        more = f", … ({len(listed):,} values)" if len(listed) > SHOWN_MAX else ""
        return f"[{shown}{more}]"
    text = repr(value)
    return text if len(text) <= CHARACTERS_MAX else f"{text[:CHARACTERS_MAX]}…"


def operation_text(operation: Operation) -> str:
    """`write #4 of 7 by process 2 through n1 from 0.120 s to 0.130 s`."""
    of = "" if operation.argument is None else f" of {value_text(operation.argument)}"
    through = "" if operation.node is None else f" through {operation.node}"
    return (
        f"{operation.f} #{operation.invoked}{of} by process {operation.process}{through} "
        f"{_interval(operation)}"
    )


def answer_text(operation: Operation) -> str:
    """The operation with its answer: `read #5 … returned 7`."""
    if operation.result is UNKNOWN:
        fate = "certainly failed" if operation.failed else "was never answered"
        return f"{operation_text(operation)} {fate}"
    return f"{operation_text(operation)} returned {value_text(operation.result)}"


def sentence_of(key: Any, text: str) -> str:
    """A sentence on the object of a key; the nameless object's begins with a capital."""
    return text[0].upper() + text[1:] if key is None else f"Key {value_text(key)}: {text}"


def summary(operation: Operation) -> dict[str, Any]:
    """An operation of a witness, for programs."""
    return {
        "process": operation.process,
        "f": operation.f,
        "node": operation.node,
        "argument": value_text(operation.argument),
        "result": None if operation.result is UNKNOWN else value_text(operation.result),
        "invoked": operation.invoked,
        "returned": operation.returned,
    }


def began_text(operation: Operation) -> str:
    if not _is_timed(operation):
        return "later"
    return f"at {_time(operation.invoked_ns, operation.invoked_ns)}"


def _interval(operation: Operation) -> str:
    fate = "certainly failed" if operation.failed else "never answered"
    if not _is_timed(operation):
        return f"({fate})" if operation.returned is None else f"(answered at #{operation.returned})"
    end_ns = operation.returned_ns
    if operation.returned is None or end_ns is None:
        return f"(begun at {_time(operation.invoked_ns, operation.invoked_ns)}, {fate})"
    return f"from {_time(operation.invoked_ns, end_ns)} to {_time(end_ns, end_ns)}"


def _is_timed(operation: Operation) -> bool:
    """Whether the history had times: of two zeros nobody learns anything."""
    return operation.invoked_ns != 0 or bool(operation.returned_ns)


def _time(time_ns: int, latest_ns: int) -> str:
    """In seconds, or, where the latest time of an operation is none to speak of, in less."""
    if latest_ns >= 1_000_000:
        return f"{time_ns / 1e9:.3f} s"
    return f"{time_ns / 1e3:.3f} µs" if latest_ns >= 1_000 else f"{time_ns} ns"
