"""Our own format: one JSON object a line, each something that began or how it ended."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ..checkers.operations import TRANSACTION
from ..op import OpType
from ..schema import schema_of, schema_text
from .edn_ops import is_transaction
from .format import BadLine, Event, Format, Lines, Recorded
from .joined import joined


class Line(msgspec.Struct):
    """One line of a history: what a process began (`invoke`), or how that ended.

    `ok`: it happened. `fail`: it certainly did not. `info`: nobody knows. The order of lines is
    the order of events.
    """

    process: Annotated[
        int | str,
        Meta(
            description="Who; does one thing at a time. nemesis, observer, harness: not a client."
        ),
    ]
    type: Literal["invoke", "ok", "fail", "info"]
    f: Annotated[
        str | None,
        Meta(description="What: an operation of the specification; txn may be left out."),
    ] = None
    key: Annotated[Any, Meta(description="On which object, where there are several.")] = None
    value: Annotated[Any, Meta(description="Of an invoke the argument, of an ok the result.")] = (
        None
    )
    index: Annotated[
        int | None, Meta(description="Increases from line to line; on all lines or on none.")
    ] = None
    time_ns: Annotated[int, Meta(description="For people; it does not decide order.")] = 0
    node: Annotated[str | None, Meta(description="Who answered, or was asked last.")] = None
    error: Annotated[str | None, Meta(description="Why it failed, or is not known.")] = None


_decoder = msgspec.json.Decoder(Line)
_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_BYTE = re.compile(r"\(byte (\d+)\)$")
_TYPES = {kind.value: kind for kind in OpType}


def history_schema_text() -> bytes:
    """The file docs/schemas/history.schema.json: what each line must be."""
    return schema_text(schema_of(Line, "One line of a history"))


def read(lines: Lines, columns: Mapping[str, str]) -> Recorded:
    return joined(_events(lines))


def read_array(lines: Lines, columns: Mapping[str, str]) -> Recorded:
    return joined(_of_array(lines))


def looks_like_array(head: list[str]) -> bool:
    """Whether the first lines begin an array of JSON objects."""
    return "".join("".join(head).split()).startswith(('[{"', "[]"))


def looks(head: list[str]) -> bool:
    """Whether the first line begins a JSON object."""
    return head[0].lstrip().replace(" ", "").startswith(('{"', "{}"))


def _events(lines: Lines) -> Iterator[Event]:
    decode = _decoder.decode
    for number, text in lines:
        if not text.strip():
            continue
        try:
            line = decode(text)
        except msgspec.DecodeError as error:
            raise BadLine(number, str(error)) from error
        yield _event(number, line)


def _of_array(lines: Lines) -> Iterator[Event]:
    data = "".join(text for _, text in lines).encode()
    try:
        found = _array_decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BadLine(_place(error, data), str(error)) from error
    number, end = 1, 0
    for raw in found:
        # Between two elements there is white space and a comma.
        start = data.index(raw, end)
        number += data.count(b"\n", end, start)
        try:
            line = _decoder.decode(raw)
        except msgspec.DecodeError as error:
            raise BadLine(number, str(error)) from error
        yield _event(number, line)
        end = start + len(memoryview(raw))
        number += data.count(b"\n", start, end)


def _place(error: msgspec.DecodeError, data: bytes) -> int:
    """The line on which text ceases to be JSON: what is told is a byte, or that there is no end."""
    if isinstance(error, msgspec.ValidationError):
        return 1
    at = _BYTE.search(str(error))
    return data.count(b"\n", 0, int(at[1]) if at else len(data.rstrip())) + 1


def _event(number: int, line: Line) -> Event:
    f = line.f
    if f is None:
        if not is_transaction(line.value):
            raise BadLine(number, "there is no f, which says what was done")
        f = TRANSACTION
    return Event(
        number,
        line.process,
        _TYPES[line.type],
        f,
        line.key,
        line.value,
        line.index,
        line.time_ns,
        line.node,
    )


JSON_LINES = Format(
    name="jsonl",
    about="A JSON object a line (docs/schemas/history.schema.json)",
    looks=looks,
    read=read,
)

JSON_ARRAY = Format(
    name="json",
    about="The same objects in one array, as other tools write Elle's and Knossos's histories",
    looks=looks_like_array,
    read=read_array,
)
