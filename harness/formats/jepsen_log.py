"""What Jepsen and Knossos print: process, type, function and value, whatever stands before them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..op import OpType
from .edn import forms
from .edn_ops import plain, value_of
from .format import BadLine, Event, Format, Lines, Recorded
from .joined import joined

_EVENT = re.compile(
    r"(?:^|\s)(?P<process>\d{1,18}|:[\w-]+)\s+:(?P<type>invoke|ok|fail|info)\s+:(?P<f>\S+)(?P<rest>.*)$"
)


def read(lines: Lines, columns: Mapping[str, str]) -> Recorded:
    skipped = [0]
    recorded = joined(_events(lines, skipped))
    recorded.others += skipped[0]
    return recorded


def looks(head: list[str]) -> bool:
    """Whether one of the first lines tells an event."""
    return any(_EVENT.search(line) for line in head)


def _events(lines: Lines, skipped: list[int]) -> Iterator[Event]:
    for number, text in lines:
        found = _EVENT.search(text)
        if found is None:
            skipped[0] += bool(text.strip())
            continue
        f, kind, process = found["f"], OpType(found["type"]), found["process"]
        yield Event(
            number,
            int(process) if process.isdigit() else plain(process),
            kind,
            f,
            value=value_of(f, _value(number, found["rest"], kind)),
        )


def _value(line: int, text: str, kind: OpType) -> Any:
    """The first form of the rest; of what did not end well it tells nothing, whatever it is."""
    if kind in (OpType.FAIL, OpType.INFO):
        return None
    found = [value for _, value in forms([(line, text)], unwrap=False)]
    if not found:
        raise BadLine(line, "the value is missing (nil, where there is none)")
    return found[0]


JEPSEN_LOG = Format(
    name="jepsen-log",
    about="Jepsen's history.txt and jepsen.log: process, :type, :f, value; other lines are skipped",
    looks=looks,
    read=read,
)
