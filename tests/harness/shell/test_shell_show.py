"""How the shell shows results."""

import json
from datetime import datetime

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
