"""The suite report: one page that needs nothing but itself, with links to the runs beside it."""

from collections.abc import Sequence
from urllib.parse import quote

from ...harness.prose import plural
from ..markup import Child, Html, el
from ..page.tables import table
from ..prose import shortened
from ..signs import badge, sign_and_word
from ..standalone import asset, head, page_header
from .counted import coverage, day, find, promises, trends, zoo_section
from .gather import Cell, Flaky, Promise, Row, Run, Suite

SEEDS_MAX = 30
"""So many runs of a cell are shown one by one, those first that need somebody."""

RUNS_MAX = 100
"""So many runs are listed where a list could be of thousands."""


def render(suite: Suite, address: str = "{run}/report.html") -> str:
    """The whole page; where the report of a run lies is up to who shows it."""
    sections = [
        ("overview", "Overview", _overview(suite)),
        ("attention", "Not as expected", _attention(suite, address)),
        ("flaky", "Flaky", _flaky(suite, address)),
        ("matrix", "Scenarios and targets", _matrix(suite, address)),
        ("trends", "Trends", trends(suite)),
        ("promises", "Promises", promises(suite.promises)),
        ("model", "Steps of the model", coverage(suite.coverage)),
        ("zoo", "The zoo", zoo_section(suite.zoo)),
    ]
    shown = [(name, title, content) for name, title, content in sections if content is not None]
    links = [el("li", el("a", title, href=f"#{name}")) for name, title, _ in shown]
    script = asset("suite.js")
    return "".join(
        (
            '<!doctype html>\n<html lang="en">',
            head(f"Suite {suite.name} · Delphic", ("suite.css",), (script,)).text,
            "<body>",
            el("a", "Skip to the report", href="#overview", class_="skip").text,
            page_header(el("nav", el("ul", links), aria_label="Sections")).text,
            el("main", [_shown(*section) for section in shown]).text,
            el("script", Html(script)).text,
            "</body></html>\n",
        )
    )


def _shown(name: str, title: str, content: Html) -> Html:
    heading = el("h2", title, id=f"{name}-title", class_="heard" if name == "overview" else None)
    return el("section", heading, content, id=name, aria_labelledby=f"{name}-title")


def _overview(suite: Suite) -> Html:
    judged = suite.runs - len(suite.unjudged)
    kinds = [el("li", badge(kind), f" {count:,}") for kind, count in sorted(suite.kinds.items())]
    kept = sum(promise.checked > 0 and not promise.broken for promise in suite.promises)
    figures = [
        ("runs", f"{suite.runs:,}", f"{day(suite.first)} to {day(suite.last)} UTC"),
        ("as expected", f"{suite.as_expected:,}", f"of {judged:,} that were judged"),
        ("scenarios", f"{len(suite.matrix):,}", f"on {', '.join(suite.targets) or 'no target'}"),
        ("promises kept", f"{kept:,}", _checked(suite.promises)),
        ("flaky", f"{len(suite.flaky):,}", "same seed and version, other verdict"),
    ]
    return el(
        "div",
        el("h1", f"Suite {suite.name}"),
        el("ul", kinds, class_="kinds"),
        el(
            "dl",
            [
                el("div", el("dt", label), el("dd", el("b", value), el("small", note)))
                for label, value, note in figures
            ],
            class_="story",
        ),
    )


def _checked(promises: Sequence[Promise]) -> str:
    checked = sum(promise.checked > 0 for promise in promises)
    return f"of {checked} checked; {len(promises) - checked} never were"


def _report(run: Run, address: str, *content: Child, **attributes: str | None) -> Html:
    """The content, as a link to the run's report if there is one."""
    if not run.has_report:
        return el("span", *content, **attributes)
    return el("a", *content, href=address.replace("{run}", quote(run.name)), **attributes)


def _attention(suite: Suite, address: str) -> Html | None:
    found = [*suite.unexpected, *suite.unjudged]
    if not suite.runs:
        return el("p", "No run is there yet: delphic run and delphic suite make some.")
    if not found:
        return el("p", "Every run came out as its scenario expects.", class_="well")
    heads = ("run", "verdict", "target", "seed", "when", "what")
    rows = [
        (
            _report(run, address, run.scenario or run.name),
            badge(run.kind, run.as_expected),
            run.target,
            _seed(run.seed),
            day(run.started),
            shortened(run.sentence, 300),
        )
        for run in found[:RUNS_MAX]
    ]
    more = len(found) - RUNS_MAX
    return el(
        "div",
        table(
            f"{plural(len(found), 'run')}, the newest first", heads, rows, class_="stack lead runs"
        ),
        el("p", f"… and {more:,} more, which the matrix counts.") if more > 0 else None,
    )


def _seed(seed: int | None) -> str:
    return "–" if seed is None else str(seed)


def _flaky(suite: Suite, address: str) -> Html | None:
    if not suite.flaky:
        return None
    heads = ("scenario", "target", "seed", "version", "verdicts")
    rows = [_flaky_row(one, address) for one in suite.flaky[:RUNS_MAX]]
    about = (
        "Same scenario, seed, target and version, and not the same verdict. In real processes that "
        "is a race worth finding; in a simulated world, where the seed decides everything, it is "
        "a bug of Delphic."
    )
    return el("div", el("p", about), table("Runs that disagree", heads, rows, class_="stack lead"))


def _flaky_row(one: Flaky, address: str) -> list[Child]:
    runs = [_mark(run, address) for run in one.runs[:SEEDS_MAX]]
    name = el("span", one.scenario, el("small", " a bug of Delphic") if one.is_simulated else None)
    return [name, one.target, _seed(one.seed), one.version, el("span", runs, class_="marks")]


def _mark(run: Run, address: str) -> Html:
    """One run as a square: its sign, and all else for who points at it or hears it."""
    sign, word = sign_and_word(run.kind)
    expected = {True: ", as expected", False: ", not expected", None: ""}[run.as_expected]
    said = f"seed {_seed(run.seed)}: {word.lower()}{expected}"
    is_odd = run.as_expected is False or run.as_expected is None
    return _report(
        run,
        address,
        el("span", sign, aria_hidden="true"),
        el("span", said, class_="heard"),
        class_=f"mark {run.kind} {'odd' if is_odd else 'meant'}",
        title=said,
    )


def _matrix(suite: Suite, address: str) -> Html | None:
    if not suite.matrix:
        return None
    legend = el(
        "p",
        "A square is the newest run of a seed: ",
        el("span", "✓", class_="mark pass meant"),
        " passed, ",
        el("span", "✕", class_="mark fail meant"),
        " broke as its scenario expects (a seeded bug), ",
        el("span", "✕", class_="mark fail odd"),
        " not as expected.",
        class_="legend",
    )
    heads = ("scenario", *suite.targets)
    rows = [_matrix_row(row, suite.targets, address) for row in suite.matrix]
    return el(
        "div",
        legend,
        find("scenarios"),
        table(
            "Newest runs by seed",
            heads,
            rows,
            class_="stack lead matrix",
        ),
    )


def _matrix_row(row: Row, targets: Sequence[str], address: str) -> list[Child]:
    cells = {cell.target: cell for cell in row.cells}
    about = el("small", row.title, class_="about")
    name = el("span", row.scenario or "unknown", about)
    return [name, *(_matrix_cell(cells.get(target), address) for target in targets)]


def _matrix_cell(cell: Cell | None, address: str) -> Child:
    if cell is None:
        return "–"
    # Those that need somebody first, so that they are never among those left out.
    ordered = sorted(cell.newest, key=lambda run: run.as_expected is True)
    shown = sorted(ordered[:SEEDS_MAX], key=lambda run: (run.seed is None, run.seed))
    good = sum(run.as_expected is True for run in cell.newest)
    left = len(ordered) - len(shown)
    told = f"{good:,} of {plural(len(ordered), 'seed')} as expected"
    again = f", {cell.runs:,} runs" if cell.runs > len(ordered) else ""
    return el(
        "div",
        el("div", [_mark(run, address) for run in shown], class_="marks"),
        el("small", told, again, f", {left:,} not shown" if left else None),
    )
