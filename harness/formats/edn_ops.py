"""Histories in EDN: Jepsen's and Knossos's operations, Elle's transactions, Porcupine's samples.

All of them are maps with :process, :type, :f and :value. A transaction is a vector of
micro-operations, `[:append 1 2]` or `[:r 1 nil]`; Elle's need not say that they are.
"""

from collections.abc import Mapping
from typing import Any

from ..checkers.operations import TRANSACTION
from ..op import OpType
from .edn import forms
from .format import BadLine, Event, Format, Lines, Recorded
from .joined import joined

_TYPES = {f":{kind.value}": kind for kind in OpType}
_KNOWN = ", ".join(_TYPES)
MICROS = frozenset({":append", ":r", ":w", "append", "r", "w"})
"""What a transaction does, as keywords and as JSON's text."""


def read(lines: Lines, columns: Mapping[str, str]) -> Recorded:
    return joined(event(line, form) for line, form in forms(lines))


def looks(head: list[str]) -> bool:
    """Whether the first lines begin a map with keywords, or forms of EDN around it."""
    first = next((line.lstrip() for line in head if not line.lstrip().startswith(";")), "")
    bare = first.lstrip("([ ")
    return bare.startswith(("{:", "#jepsen", "#knossos")) or first.startswith(("(", "#jepsen"))


def event(line: int, form: Any) -> Event:
    """An operation's map as an event. Raises BadLine saying what it lacks."""
    if not isinstance(form, dict):
        raise BadLine(line, f"{form!r:.40} is no operation: a map with :process, :type and :f is")
    value = form.get(":value")
    f = form.get(":f")
    if f is None and is_transaction(value):
        f = TRANSACTION
    missing = [name for name in (":process", ":type") if form.get(name) is None]
    missing += [":f"] if f is None else []
    if missing:
        raise BadLine(line, f"the operation has no {' and no '.join(missing)}")
    said = form[":type"]
    kind = _TYPES.get(said) if isinstance(said, str) else None
    if kind is None:
        raise BadLine(line, f"the :type {said} is none of {_KNOWN}")
    f = plain(f)
    return Event(
        line,
        _process(form[":process"]),
        kind,
        f,
        form.get(":key"),
        value_of(f, value),
        _whole(line, form, ":index"),
        _whole(line, form, ":time") or 0,
        None if form.get(":node") is None else plain(form[":node"]),
    )


def is_transaction(value: Any) -> bool:
    """Whether a value is a list of micro-operations, as Elle's histories without :f have it."""
    return isinstance(value, tuple | list) and len(value) > 0 and all(map(_is_micro, value))


def _is_micro(part: Any) -> bool:
    is_three = isinstance(part, tuple | list) and len(part) == 3
    return is_three and isinstance(part[0], str) and part[0] in MICROS


def plain(name: Any) -> str:
    """A keyword, symbol or string without what marks it."""
    return str(name).removeprefix(":")


def value_of(f: str, value: Any) -> Any:
    """The value; the kind of each micro-operation of a transaction without its colon."""
    if f != TRANSACTION or not isinstance(value, tuple):
        return value
    return tuple(_micro(part) for part in value)


def _micro(part: Any) -> Any:
    if isinstance(part, tuple) and part and isinstance(part[0], str):
        return (plain(part[0]), *part[1:])
    return part


def _process(found: Any) -> int | str:
    return found if isinstance(found, int) else plain(found)


def _whole(line: int, form: dict[Any, Any], name: str) -> int | None:
    found = form.get(name)
    if found is not None and not isinstance(found, int):
        raise BadLine(line, f"{name} must be a whole number, not {found!r}")
    return found


EDN = Format(
    name="edn",
    about="EDN maps: Jepsen's history.edn, Knossos, Elle's transactions, Porcupine's kv samples",
    looks=looks,
    read=read,
)
