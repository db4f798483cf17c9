"""Two runs side by side: what was planned, what came of it, what was measured, what was broken."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import HTMLResponse

from ...harness.prose import plural
from ...harness.reading import UNDECODABLE
from ...harness.rundir import RunDir
from ..beneath import Outside, content, opened
from ..index.facts import facts
from ..index.life import state_of
from ..markup import Child, Html, el
from ..page.document import Document, document
from ..page.faults import Act, faults
from ..page.tables import table, value_cell
from ..prose import seconds_text
from ..signs import badge
from .frame import page, run_path, section

HISTORY_MAX = 200_000_000
"""Bytes of a history that are still read for a comparison."""

_SAID = frozenset({"schema", "command"})
"""Of a plan, what differs without anything being different."""


class Unfit(Exception):
    """Why a run cannot be compared, as a sentence."""


def render(root: Path, one: str, other: str) -> HTMLResponse:
    """The page. Raises Unfit where a run is not to be read as a whole."""
    runs = [_document(root, name) for name in (one, other)]
    return page(
        f"{one} and {other}",
        el("h1", "Two runs"),
        el("div", [_head(root, run) for run in runs], class_="pair"),
        section("plans", "Plan", _plans(root, one, other)),
        section("verdicts", "Verdicts", _verdicts(runs)),
        section("figures", "Figures", _figures(runs)),
        section("faults", "Faults", _faults(runs)),
        section("places", "Versions and places", _places(runs)),
    )


def _document(root: Path, name: str) -> Document:
    run = RunDir(root / name)
    for path in (run.plan, run.history, run.verdict, run.environment, run.scenario, run.hosts):
        _check(root, path)
    for alias in run.node_aliases():
        _check(root, run.node_log(alias))
    if run.history.is_file() and run.history.stat().st_size > HISTORY_MAX:
        raise Unfit(f"The history of {name} is too long to be compared here.")
    return document(run.path)


def _check(root: Path, path: Path) -> None:
    """What a document is made of has to lie in the run itself."""
    if not path.is_symlink() and not path.exists():
        return
    try:
        opened(root, path.relative_to(root).as_posix()).close()
    except Outside as error:
        raise Unfit(f"{path.relative_to(root)} is no ordinary file of its run.") from error


def _head(root: Path, run: Document) -> Html:
    judged = run.verdict
    kind = judged.validity.value if judged else state_of(root, facts(root, run.name))[0].value
    seed = "" if run.seed is None else f", seed {run.seed}"
    return el(
        "div",
        el("p", badge(kind, judged.as_expected if judged else None)),
        el("h2", el("a", run.title, href=run_path(run.name))),
        el("p", f"{run.name}{seed}, on {run.plan.target or 'an unknown target'}", class_="meta"),
        el("p", judged.sentence if judged else "It has not been judged."),
        class_="card",
    )


def _plans(root: Path, one: str, other: str) -> Html:
    plans = [dict(_flat(_plan(root, name))) for name in (one, other)]
    names = list(dict.fromkeys(name for plan in plans for name in plan))
    rows = [
        (name, *_told_apart(*(plan.get(name) for plan in plans)))
        for name in names
        if plans[0].get(name) != plans[1].get(name)
    ]
    if not rows:
        return el("p", f"Both were planned alike, in all {len(names):,} points.")
    caption = f"{plural(len(rows), 'point')} in which they differ, of {len(names):,}"
    return table(caption, ("what", "first", "second"), rows, class_="stack lead sides")


def _told_apart(first: Any, second: Any) -> tuple[str, str]:
    """Two values that differ: in full where they would look alike."""
    cells = value_cell(first), value_cell(second)
    return cells if cells[0] != cells[1] else (_in_full(first), _in_full(second))


def _in_full(value: Any) -> str:
    return msgspec.json.encode(value).decode(errors="replace")


def _plan(root: Path, name: str) -> Mapping[str, Any]:
    data = content(root, f"{name}/{RunDir(root / name).plan.name}") or b"{}"
    try:
        found = msgspec.json.decode(data, type=dict[str, Any])
    except UNDECODABLE:
        return {}
    return {key: value for key, value in found.items() if key not in _SAID}


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """`faults.2.at_s` and what it says, down to values that hold no others."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _flat(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, below in enumerate(value, start=1):
            yield from _flat(below, f"{path}.{number}")
    else:
        yield path, value


def _verdicts(runs: Sequence[Document]) -> Html:
    found = [{verdict.checker: verdict for verdict in run.verdicts} for run in runs]
    names = list(dict.fromkeys(name for verdicts in found for name in verdicts))
    if not names:
        return el("p", "Neither has been judged.")
    rows: list[list[Child]] = []
    for name in sorted(names, key=lambda name: not _differ(found, name, lambda v: v.validity)):
        cells: list[Child] = []
        for verdicts in found:
            verdict = verdicts.get(name)
            said = verdict and el("div", badge(verdict.validity.value), el("p", verdict.sentence))
            cells.append(said or "–")
        differs = _differ(found, name, lambda verdict: verdict.validity)
        rows.append([el("span", name, el("small", " differs") if differs else None), *cells])
    caption = "By checker; those that differ first"
    return table(caption, ("check", "first", "second"), rows, class_="stack lead sides")


def _differ(found: Sequence[Mapping[str, Any]], name: str, of: Callable[[Any], Any]) -> bool:
    return len({None if name not in each else of(each[name]) for each in found}) > 1


def _figures(runs: Sequence[Document]) -> Html:
    found = [dict(_measured(run)) for run in runs]
    names = list(dict.fromkeys(name for figures in found for name in figures))
    rows = []
    for name in names:
        first, second = (figures.get(name) for figures in found)
        rows.append((name, *map(value_cell, (first, second)), _change(first, second)))
    heads = ("what", "first", "second", "change")
    return table("Measured", heads, rows, class_="stack lead sides")


def _measured(run: Document) -> Iterator[tuple[str, Any]]:
    for figure in run.story:
        yield figure.label, figure.value
    statistics = run.verdict.statistics if run.verdict else {}
    yield "operations per second", statistics.get("ok_per_s")
    operations = statistics.get("operations")
    for f, counts in operations.items() if isinstance(operations, dict) else ():
        latencies = counts.get("latency_ms") if isinstance(counts, dict) else None
        if isinstance(latencies, dict):
            for name in ("p50", "p99", "max"):
                yield f"{f}: latency {name}, ms", latencies.get(name)


def _change(first: Any, second: Any) -> str:
    is_number = type(first) in (int, float) and type(second) in (int, float)
    return f"{second / first - 1:+.0%}" if is_number and first else "–"


def _faults(runs: Sequence[Document]) -> Html:
    found = [{act.number: act for act in faults(run.acts)} for run in runs]
    numbers = sorted({number for acts in found for number in acts if number is not None})
    if not numbers:
        return el("p", "Nothing was broken in either.")
    rows = [
        (
            f"F{number}",
            *(_fault(run, acts.get(number)) for run, acts in zip(runs, found, strict=True)),
        )
        for number in numbers
    ]
    return table(
        "In order of asking", ("fault", "first", "second"), rows, class_="stack lead sides"
    )


def _fault(run: Document, act: Act | None) -> Child:
    if act is None:
        return "–"
    took = {True: "took hold", False: "did not take hold", None: "no receipt says whether"}[act.bit]
    until = "to the end" if act.end is None else f"to {seconds_text(act.end)}"
    return f"{act.label(run.members)}, {seconds_text(act.start)} {until}, {took}"


def _places(runs: Sequence[Document]) -> Html:
    found = [dict(_place(run)) for run in runs]
    names = list(dict.fromkeys(name for place in found for name in place))
    rows = [(name, *(value_cell(place.get(name)) for place in found)) for name in names]
    return table(
        "Where they were made", ("what", "first", "second"), rows, class_="stack lead sides"
    )


def _place(run: Document) -> Iterator[tuple[str, Any]]:
    if run.verdict is not None:
        made = run.verdict.provenance
        yield "version", made.version
        yield "commit", made.git
        yield "uncommitted changes", made.dirty
    for name in ("python", "platform", "host", "cores"):
        yield name, run.environment.get(name)
