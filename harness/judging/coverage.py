"""Which check covers which promise: the table of docs/promises.md, from the registries."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from ...impl.bugs import ALL_BUGS
from ...model.models import MODELS
from .. import data
from ..checkers import CHECKERS
from ..promise import PROMISES

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

IN_NO_MODEL: dict[str, str] = {
    "HS-7": "only the model of subscriptions tells anybody who leads, and that by construction.",
    "HS-19": "a configuration is judged before anything runs. It has no states.",
    "HS-21": "rows have no size, no age, and one place.",
}
"""Promises that no model states, and why."""

_WHY = """
No model states these:

"""


@dataclass(frozen=True, slots=True)
class Covered:
    """A promise, and the names of all that checks it."""

    promise: str
    text: str
    model: list[str]
    checkers: list[str]
    mistakes: list[str]
    tests: list[str]


def covered(root: Path) -> list[Covered]:
    """All promises; tests are read below `root`."""
    tests = _tests(root)
    return [
        Covered(
            promise,
            text,
            _model(promise),
            [c.name for c in CHECKERS.values() if promise in c.promises],
            [bug.name for bug in ALL_BUGS.values() if promise in bug.promises],
            tests.get(promise, []),
        )
        for promise, text in PROMISES.items()
    ]


def table(root: Path) -> str:
    """The page as Markdown; tests are read below `root`."""
    rows = []
    for one in covered(root):
        cells = map(_cell, (one.model, one.checkers, one.mistakes, one.tests))
        rows.append(f"| {one.promise} | {one.text} | " + " | ".join(cells) + " |")
    reasons = [f"- {promise}: {why}" for promise, why in IN_NO_MODEL.items()]
    return HEAD + "\n".join(rows) + "\n" + _WHY + "\n".join(reasons) + "\n"


def _cell(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _model(promise: str) -> list[str]:
    found = []
    for entry in MODELS.values():
        if not entry.mutants:
            continue  # A model as it is built has the promises of the plain one.
        bounds = {k: True if v is False else v or 1 for k, v in entry.bounds.items()}
        models = [entry.build(bounds, None), *(m.model() for m in entry.mutants.values())]
        names = {p.name: p.promises for model in models for p in model.properties}
        found += [f"{entry.name}: {name}" for name, ids in names.items() if promise in ids]
    return found


def _tests(root: Path) -> dict[str, list[str]]:
    """Promises to the tests whose source names them."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        pieces = _TEST.split(path.read_text(encoding="utf-8"))
        for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
            for promise in dict.fromkeys(_PROMISE.findall(body)):
                found.setdefault(promise, []).append(f"{path.stem}::{name}")
    return {promise: names[:3] for promise, names in found.items()}


@click.command("promises")
@data.AS_JSON
def promises_command(as_json: bool) -> None:
    """Print which check covers which promise, as Markdown."""
    root = Path(__file__).resolve().parents[2]
    if as_json:
        data.show({"promises": covered(root)})
        return
    click.echo(table(root), nl=False)
