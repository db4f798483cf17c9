"""How the shell shows results."""

import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from delphic.harness.shell.show import json_lines, on_terminal, plain
from delphic.impl.client.errors import RequestError
from rich.console import Console

TABLE = pa.table({"id": [1, 20], "at": [datetime(2024, 1, 31), None]})


def test_plain_output_has_aligned_columns_and_one_line_a_row() -> None:
    lines: list[str] = []
    look = plain(lines.append, lines.append)
    look.result("", TABLE)
    look.result("", [{"node": "n1", "role": "leader"}, {"node": "n2", "error": "away"}])
    look.result("", {"up": True, "peers": ["n2"], "digest": b"\x01"})
    look.result("", "n3")
    look.result("", None)
    look.error("", RequestError("Timeout", False, "late"))
    assert lines == [
        "id  at",
        "1   2024-01-31 00:00:00",
        "20  null",
        "role    error  node",
        "leader         n1",
        "        away   n2",
        "up    peers   digest",
        'true  ["n2"]  01',
        "n3",
        "done",
        "error: Timeout (perhaps executed): late",
    ]


def test_moments_are_shown_as_such_where_the_column_says_so() -> None:
    lines: list[str] = []
    look = plain(lines.append, lines.append)
    look.result("", [{"submitTime": 1_700_000_000_123_456_789, "taskId": 1_700_000_000}])
    look.result("", {"finishTime": 0, "tid": 7})
    assert lines == [
        "submitTime                     taskId",
        "2023-11-14 22:13:20.123456789  1700000000",
        "finishTime  tid",
        "            7",
    ]


def in_all_looks(value: Any) -> tuple[list[str], str, Any]:
    lines: list[str] = []
    plain(lines.append, lines.append).result("", value)
    written: list[str] = []
    json_lines(written.append).result("", value)
    console = Console(width=60, file=None)
    with console.capture() as shown:
        on_terminal(console, lambda _: None).result("", value)
    return lines, shown.get(), json.loads(written[0])["value"]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (pa.timestamp("ns"), 1_706_693_400_123_456_789, "2024-01-31 09:30:00.123456789"),
        (pa.timestamp("ms"), 1_706_693_400_000, "2024-01-31 09:30:00"),
        (pa.timestamp("s"), 253_402_300_800, "10000-01-01 00:00:00"),
        (pa.time64("ns"), 5, "00:00:00.000000005"),
        (pa.time32("ms"), 34_200_000, "09:30:00"),
        (pa.date32(), 99_999_999, "<value out of range: 99999999>"),
        (pa.duration("ns"), 5, "5"),
    ],
)
def test_times_that_python_does_not_know_are_shown_in_all_looks(
    kind: pa.DataType, value: int, text: str
) -> None:
    table = pa.table({"x": pa.array([value, None], kind)})
    lines, shown, rows = in_all_looks(table)
    assert lines == ["x", text, "null"]
    assert text in shown
    assert rows == [{"x": text}, {"x": None}]


def test_text_of_a_table_cannot_drive_the_terminal_or_make_lines() -> None:
    table = pa.table({"x\n": ["\x1b[2J\x1b]0;x\x07", "a\nb", "\x9b\\n", "ä 漢"]})
    lines, shown, rows = in_all_looks(table)
    told = ["\\x1b[2J\\x1b]0;x\\x07", "a\\nb", "\\x9b\\\\n", "ä 漢"]
    assert lines == ["x\\n", *told]
    assert all(text in shown for text in told)
    assert shown.replace("\n", "").isprintable()
    assert [row["x\n"] for row in rows] == table["x\n"].to_pylist()
    look = plain(lines.append, lines.append)
    look.error("", RequestError("BadRequest", True, "no table \x1b[2J\nat all"))
    assert lines[-1] == "error: BadRequest (not executed): no table \\x1b[2J\nat all"


def test_several_tables_are_shown_by_name_without_the_empty_ones() -> None:
    lines: list[str] = []
    look = plain(lines.append, lines.append)
    look.result("", {"subWorkers": [], "pubTables": [{"tableName": "t"}]})
    look.result("", {"subWorkers": []})
    assert lines == ["pubTables:", "tableName", "t", "nothing"]


def test_json_has_one_object_a_call_with_what_is_certain_about_an_error() -> None:
    lines: list[str] = []
    look = json_lines(lines.append)
    look.result("select(1)", TABLE)
    look.error("f()", RequestError("Timeout", False, "late"))
    rows = [{"id": 1, "at": "2024-01-31 00:00:00"}, {"id": 20, "at": None}]
    assert json.loads(lines[0]) == {"call": "select(1)", "ok": True, "value": rows}
    error = {"name": "Timeout", "definite": False, "message": "late"}
    assert json.loads(lines[1]) == {"call": "f()", "ok": False, "error": error}
    look.result("mean()", float("nan"))
    assert json.loads(lines[2], parse_constant=pytest.fail)["value"] is None


def test_a_terminal_gets_a_table_in_which_markup_is_only_text() -> None:
    console = Console(width=60, record=True, quiet=False, file=None)
    with console.capture() as shown:
        on_terminal(console, lambda _: None).result("", [{"x": "[red]no[/red]"}])
    assert "[red]no[/red]" in shown.get()
