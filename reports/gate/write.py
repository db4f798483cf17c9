"""Writes all that CI reads of a gate: the door to this room."""

from contextlib import suppress
from pathlib import Path

import msgspec

from ...harness.errors import WorldError
from ...harness.gate.result import GateResult
from ...harness.writing import put
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
    lost: list[WorldError] = []
    for name, data in pages.items():
        try:
            out.mkdir(parents=True, exist_ok=True)
            put(out / name, data)
        except OSError as error:
            lost.append(WorldError(f"cannot write {out}: {error.strerror}"))
        except WorldError as error:
            lost.append(error)
            with suppress(OSError):
                (out / name).unlink()
    if lost:
        raise lost[0]
