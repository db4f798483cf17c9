"""The page of one run: what came of it, or what it does right now, and all that it left."""

import os
import shlex
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse

from ...harness.prose import plural
from ..beneath import Entry, content, entries
from ..index.facts import Facts, State
from ..index.index import Index, integer
from ..index.life import state_of
from ..markup import Child, Html, el
from ..page.tables import table
from ..signs import badge
from ..suite.counted import day
from .frame import page, run_path, section

TEXT_MAX = 100_000
FILES_MAX = 1_000


def render(index: Index, found: Facts) -> HTMLResponse:
    """The page of a run that is there."""
    root = index.root
    verdict = found.verdict
    title = found.plan.title or found.plan.scenario or found.name
    kind = verdict.validity.value if verdict else state_of(root, found)[0].value
    return page(
        f"{kind}: {title}",
        el("p", badge(kind, verdict.as_expected if verdict else None), class_="kind"),
        el("h1", title),
        el("p", " · ".join(_particulars(found)), class_="meta"),
        el("p", verdict.sentence if verdict else _unjudged(kind, root, found), class_="sentence"),
        _links(index, found),
        _live(found) if verdict is None and kind != State.DAMAGED else None,
        _checks(found) if verdict else None,
        section("again", "Again", el("p", el("code", found.plan.command)))
        if found.plan.command
        else None,
        _scenario(root, found.name),
        _files(root, found.name),
    )


def _particulars(found: Facts) -> list[str]:
    said = [found.name]
    if found.plan.seed is not None:
        said.append(f"seed {found.plan.seed}")
    if found.plan.target:
        said.append(f"on {found.plan.target}")
    if found.started:
        said.append(f"{day(found.started)} UTC")
    if found.verdict is not None:
        said.append(f"{found.verdict.duration_s:,.1f} s")
    return said


def _unjudged(kind: str, root: Path, found: Facts) -> str:
    match kind:
        case State.DAMAGED:
            return f"{' '.join(found.problems)} What can be read is below."
        case State.DEAD:
            return (
                "Its harness is gone, and left no verdict. What it recorded can still be judged: "
                + shlex.join(["delphic", "check", str(root / found.name)])
            )
        case State.SILENT:
            return "It has no verdict, and has written nothing for a while; it ran on another host."
        case _:
            return "It is being made right now."


def _links(index: Index, found: Facts) -> Html:
    other = _before(index, found)
    links = [
        el("a", "Report", href=run_path(found.name, "report")) if found.has_report else None,
        el("a", "Download as zip", href=run_path(found.name, "zip")),
        el("a", "Compare with the run before", href=compared(other, found.name)) if other else None,
    ]
    return el("ul", [el("li", link) for link in links if link], class_="links")


def compared(one: str, other: str) -> str:
    """Where two runs stand side by side."""
    return f"/compare?{urlencode([('run', one), ('run', other)])}"


def _before(index: Index, found: Facts) -> str | None:
    """The last run of the same scenario on the same target, of the same seed if there is one."""
    seed = integer(found.plan.seed)
    rows: Sequence[sqlite3.Row] = index.rows(
        "SELECT name FROM run WHERE scenario = ? AND target = ? AND name != ? AND is_judged "
        "AND started <= ? ORDER BY seed IS ? DESC, started DESC LIMIT 1",
        (found.plan.scenario, found.plan.target, found.name, found.started, seed),
    )
    return rows[0]["name"] if rows else None


def _checks(found: Facts) -> Html:
    rows: list[list[Child]] = [
        [
            verdict.checker,
            badge(verdict.validity.value),
            ", ".join(verdict.promises) or "–",
            verdict.sentence,
        ]
        for verdict in sorted(found.verdicts, key=lambda v: -v.validity.severity)
    ]
    heads = ("check", "verdict", "promises", "says")
    return section("checks", "Checks", table("The worst first", heads, rows, class_="stack checks"))


def _live(found: Facts) -> Html:
    """What the script fills in, again and again; without it the page is as it is."""
    return section(
        "live",
        "Live",
        el("noscript", el("p", "Watching needs scripts. Load the page again to see more.")),
        el("div", data_live=run_path(found.name, "live")),
    )


def _scenario(root: Path, name: str) -> Html | None:
    data = content(root, f"{name}/scenario.yaml")
    if not data:
        return None
    text = data[:TEXT_MAX].decode(errors="replace")
    shown = el("pre", text, tabindex=0, role="region", aria_label="Scenario")
    return section("scenario", "Scenario", el("details", el("summary", "scenario.yaml"), shown))


def _files(root: Path, name: str) -> Html:
    found: list[Entry] = list(entries(root, name))
    rows: list[list[Child]] = [
        [el("a", entry.name, href=_file_path(name, entry.name)), _size(entry.size)]
        for entry in found[:FILES_MAX]
    ]
    whole = sum(entry.size for entry in found)
    left = f"; the first {FILES_MAX:,} of them" if len(found) > FILES_MAX else ""
    caption = f"{plural(len(found), 'file')}, {_size(whole)}{left}"
    return section("files", "Files", table(caption, ("file", "size"), rows, class_="facts files"))


def _file_path(run: str, name: str) -> str:
    return run_path(run, f"files/{quote(os.fsencode(name))}")


def _size(count: int) -> str:
    """`512 B`, `1.5 kB`, `20.4 MB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} B"
