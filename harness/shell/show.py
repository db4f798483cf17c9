"""How results look: tables on a terminal, plain columns or JSON lines elsewhere."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from numpy import datetime64
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...impl.client.errors import RequestError
from .. import data
from ..characters import printable

Write = Callable[[str], None]

_NO_FRACTION = re.compile(r"(:[0-9]{2})\.0+(?![0-9])")


class Everywhere(list[dict[str, Any]]):
    """What several nodes told, a row each with the alias of its node in the column `where`."""

    def __init__(self, told: Sequence[tuple[str, dict[str, Any]]], *, are_theirs: bool) -> None:
        """`are_theirs`: rows of users' tables, in which no name means anything to us."""
        self.are_theirs = are_theirs
        self.where = "node"
        # Nor may our column hide one of theirs.
        while any(self.where in row for _, row in told):
            self.where += "_"
        super().__init__({**row, self.where: alias} for alias, row in told)


@dataclass(frozen=True, slots=True)
class Look:
    """One way to show what came out of a call, and what went wrong with one."""

    result: Callable[[str, Any], None]
    error: Callable[[str, Exception], None]


def on_terminal(console: Console, write_error: Write) -> Look:
    """Tables with frames."""

    def result(_: str, value: Any) -> None:
        for title, part in parts(value):
            one(title, part)

    def one(title: str, value: Any) -> None:
        names, lines = cells(value)
        if not names:
            console.print(Text(_said(value)))
            return
        table = Table(title=Text(printable(title)) if title else None, title_justify="left")
        for name in names:
            table.add_column(Text(printable(name)))
        for line in lines:
            table.add_row(*(Text(cell) for cell in line))
        console.print(table)
        if isinstance(value, pa.Table):
            console.print(Text(f"{len(lines)} rows"), style="dim")

    return Look(result, lambda _, error: write_error(_complaint(error)))


def plain(write: Write, write_error: Write) -> Look:
    """Columns, one line a row."""

    def result(_: str, value: Any) -> None:
        for title, part in parts(value):
            if title:
                write(f"{printable(title)}:")
            one(part)

    def one(value: Any) -> None:
        names, lines = cells(value)
        if not names:
            write(_said(value))
            return
        grid = [[printable(name) for name in names], *lines]
        widths = [max(len(line[at]) for line in grid) for at in range(len(names))]
        for line in grid:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            write("  ".join(padded).rstrip())

    return Look(result, lambda _, error: write_error(_complaint(error)))


def json_lines(write: Write) -> Look:
    """One object a call; what went wrong stands in it, too."""

    def result(call: str, value: Any) -> None:
        rows = records(value) if isinstance(value, pa.Table) else value
        told = {"call": call, "ok": True, "value": rows}
        write(json.dumps(data.finite(json.dumps(told, default=_text))))

    def error(call: str, problem: Exception) -> None:
        told: dict[str, Any] = {"message": str(problem)}
        if isinstance(problem, RequestError):
            told = {"name": problem.name, "definite": problem.definite, "message": problem.message}
        write(json.dumps({"call": call, "ok": False, "error": told}))

    return Look(result, error)


def parts(value: Any) -> list[tuple[str, Any]]:
    """Several tables, each with its name, without the empty ones; or the one value, without any."""
    if isinstance(value, dict) and value and all(isinstance(one, list) for one in value.values()):
        return [(name, rows) for name, rows in value.items() if rows] or [("", "nothing")]
    return [("", value)]


def cells(value: Any) -> tuple[list[str], list[list[str]]]:
    """The names of columns, and rows of text; no names where the value is no table."""
    match value:
        case pa.Table():
            columns = [_values(column) for column in value.columns]
            rows = [[_text(cell) for cell in row] for row in zip(*columns, strict=True)]
            return list(value.column_names), rows
        case dict():
            flat = {name: _cell(name, cell) for name, cell in value.items()}
            return list(flat), [list(flat.values())]
        case list() if value and all(isinstance(row, dict) for row in value):
            names = list(dict.fromkeys(name for row in value for name in row))
            # Where from is best read last, as in the documents' pnodeRun.
            where = "node"
            cell: Callable[[str, Any], str] = _cell
            if isinstance(value, Everywhere):
                where = value.where
                if value.are_theirs:
                    cell = _theirs
            names.sort(key=lambda name: name == where)
            return names, [[cell(name, row.get(name, "")) for name in names] for row in value]
    return [], []


def records(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table by name; times are texts."""
    columns = [_values(column) for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Times as Arrow writes them: Python's know no nanoseconds, and no year 10000."""
    kind = column.type
    if not pa.types.is_temporal(kind) or pa.types.is_interval(kind):
        values: list[Any] = column.to_pylist()
        return values
    texts = column.cast(pa.string()).to_pylist()
    return [None if text is None else _NO_FRACTION.sub(r"\1", text) for text in texts]


def _said(value: Any) -> str:
    """What is no table; a function without a result has done what it does."""
    return "done" if value is None else _text(value)


def _cell(name: str, value: Any) -> str:
    """Times of day come as nanoseconds since 1970, under names that say so (`submitTime`)."""
    if name.endswith("Time") and type(value) is int:
        return str(datetime64(value, "ns")).replace("T", " ") if value else ""
    return _text(value)


def _theirs(_: str, value: Any) -> str:
    return _text(value)


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return printable(value.replace("\\", r"\\"))
        case bytes():
            return value.hex()
        case list() | dict() | tuple():
            return json.dumps(value, default=_text)
    return str(value)


def _complaint(error: Exception) -> str:
    return f"error: {printable(str(error), but=chr(10))}"
