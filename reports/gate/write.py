"""Writes all that CI reads of a gate: the door to this room."""

from pathlib import Path

import msgspec

from ...harness.errors import WorldError
from ...harness.gate.result import GateResult
from . import alerts, junit, markdown

RESULT = "gate.json"


def write(gate: GateResult, out: Path) -> None:
    """gate.json, and what is made of it. Raises WorldError where the files cannot be written."""
    pages = {
        RESULT: msgspec.json.format(msgspec.json.encode(gate), indent=2) + b"\n",
        "junit.xml": junit.render(gate),
        "summary.md": markdown.render(gate).encode("utf-8", errors="replace"),
        "gate.sarif": alerts.sarif(gate),
        "gl-code-quality.json": alerts.gitlab(gate),
    }
    for name, data in pages.items():
        path = out / name
        unfinished = out / f".{name}"
        try:
            out.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(data)
            unfinished.replace(path)
        except OSError as error:
            raise WorldError(f"cannot write {path}: {error.strerror}") from error
