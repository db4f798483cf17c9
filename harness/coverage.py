"""Which check covers which promise: the table of docs/promises.md, from the registries."""

import re
from collections.abc import Iterable
from pathlib import Path

import click

from ..impl.bugs import ALL_BUGS
from ..model.models import MODELS
from .checkers import CHECKERS
from .promise import PROMISES

_TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
_PROMISE = re.compile(r"\b(?:HS|PR)-\d+\b")

HEAD = """\
# Promises and what checks them

Printed by `delphic promises`; a test keeps it fresh. Promises without a check belong to features
that do not exist yet. *model*: properties that `delphic explore` checks in every reachable state.
*checkers*: judges of a run's history. *mistakes*: seeded bugs of the implementation that break the
promise, each with its scenario `bug-…`. *tests*: tests that name the promise.

| promise | in short | model | checkers | mistakes | tests |
|---|---|---|---|---|---|
"""


def table(root: Path) -> str:
    """The page as Markdown; tests are read below `root`."""
    tests = _tests(root)
    rows = []
    for promise, text in PROMISES.items():
        cells = (
            _model(promise),
            [c.name for c in CHECKERS.values() if promise in c.promises],
            [bug.name for bug in ALL_BUGS.values() if promise in bug.promises],
            tests.get(promise, []),
        )
        rows.append(f"| {promise} | {text} | " + " | ".join(map(_cell, cells)) + " |")
    return HEAD + "\n".join(rows) + "\n"


def _cell(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _model(promise: str) -> list[str]:
    found = []
    for entry in MODELS.values():
        if not entry.mutants:
            continue  # A model as it is built has the promises of the plain one.
        bounds = {k: True if v is False else v or 1 for k, v in entry.bounds.items()}
        properties = entry.build(bounds, None).properties
        found += [f"{entry.name}: {p.name}" for p in properties if promise in p.promises]
    return found


def _tests(root: Path) -> dict[str, list[str]]:
    """Promises to the tests whose source names them."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        pieces = _TEST.split(path.read_text())
        for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
            for promise in dict.fromkeys(_PROMISE.findall(body)):
                found.setdefault(promise, []).append(f"{path.stem}::{name}")
    return {promise: names[:3] for promise, names in found.items()}


@click.command("promises")
def promises_command() -> None:
    """Print which check covers which promise, as Markdown."""
    click.echo(table(Path(__file__).resolve().parent.parent), nl=False)
