"""What commands tell programs: with --json one value on standard output, and nothing else there."""

import json
from typing import Any

import click
import msgspec

AS_JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as data for programs."
)
"""The option of every command whose result docs/json.md describes."""

SCHEMA = 1


def show(found: Any, exit_code: int = 0) -> None:
    """Print what a command found as it ends, with the code with which it ends."""
    _print({"schema": SCHEMA, "exit_code": exit_code, **_plain(found)}, indent=2)


def line(found: Any) -> None:
    """Print what is told on the way, on one line."""
    _print({"schema": SCHEMA, **_plain(found)}, indent=None)


def finite(text: str) -> Any:
    """What Python wrote as JSON; its NaN and Infinity, which no other reader knows, are null."""
    return json.loads(text, parse_constant=lambda _: None)


def _plain(found: Any) -> dict[str, Any]:
    plain: dict[str, Any] = finite(
        json.dumps(msgspec.to_builtins(found, enc_hook=str, str_keys=True))
    )
    return plain


def _print(plain: dict[str, Any], *, indent: int | None) -> None:
    """As UTF-8, whatever the terminal speaks; half a surrogate pair as JSON escapes it."""
    text = json.dumps(plain, indent=indent, ensure_ascii=False)
    click.echo(text.encode("utf-8", errors="backslashreplace"))
