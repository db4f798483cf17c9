"""Writes all that CI reads of a gate: the door to this room."""

from contextlib import suppress
from pathlib import Path

import msgspec

from ...harness.errors import WorldError
from ...harness.gate.result import GateResult
from . import alerts, junit, markdown

RESULT = "gate.json"


def write(gate: GateResult, out: Path) -> None:
    """gate.json, and what is made of it. Raises WorldError where the files cannot be written.

    One that cannot be is removed: what an earlier gate said there would be taken for this one's.
    """
    pages = {
        RESULT: msgspec.json.format(msgspec.json.encode(gate), indent=2) + b"\n",
        "junit.xml": junit.render(gate),
        "summary.md": markdown.render(gate).encode("utf-8", errors="replace"),
        "gate.sarif": alerts.sarif(gate),
        "gl-code-quality.json": alerts.gitlab(gate),
    }
    lost: OSError | None = None
    for name, data in pages.items():
        path = out / name
        unfinished = out / f".{name}"
        try:
            out.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(data)
            unfinished.replace(path)
        except OSError as error:
            lost = lost or error
            for one in (path, unfinished):
                with suppress(OSError):
                    one.unlink()
    if lost is not None:
        raise WorldError(f"cannot write {out / RESULT} and its like: {lost.strerror}") from lost
