"""The sections of a suite report that count over all runs: trends, promises, steps, the zoo."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from ...harness.prose import plural
from ..markup import Child, Html, el
from ..page.tables import table
from ..prose import shortened
from .gather import Batch, Coverage, Promise, Suite, Trend
from .zoo import Cell as ZooCell
from .zoo import Row as ZooRow
from .zoo import Zoo

_ZOO = {
    "caught": ("✓", "caught", "caught"),
    "missed": ("✕", "missed", "missed"),
    "blind": ("·", "cannot see it", "blind"),
}
_NOTHING = _ZOO | {
    "caught": ("!", "a false alarm", "alarm"),
    "missed": ("✓", "nothing found", "caught"),
}
"""Where there is no mistake, to find one is."""


def day(unix_s: float) -> str:
    """A time for people, or a dash for none."""
    if not 0 < unix_s < 1e11:
        return "–"
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M}"


def find(what: str) -> Html:
    """Where one says which rows are wanted; shown by the script that listens to it."""
    return el(
        "p",
        el("label", f"Find {what} ", el("input", type="search", data_find=True)),
        el("span", role="status", data_found=True),
        class_="find",
        hidden=True,
    )


def trends(suite: Suite) -> Html:
    """Versions one after another, and what the newest made of each scenario."""
    if len(suite.versions) < 2:
        return el("p", "All runs are of one version: there is nothing to compare with.")
    heads = ("version", "first run", "runs", "as expected", "operations per second")
    versions = [
        (
            batch.version,
            day(batch.started),
            f"{batch.runs:,}",
            _share(batch),
            _rate(batch.ok_per_s),
        )
        for batch in suite.versions
    ]
    compared = [trend for trend in suite.trends if len(trend.batches) > 1]
    return el(
        "div",
        table("Versions, in the order in which they were run", heads, versions),
        _compared(sorted(compared, key=_by_badness)) if compared else None,
    )


def _by_badness(trend: Trend) -> tuple[bool, float]:
    return (not trend.is_worse, trend.change or 0.0)


def _compared(trends: Sequence[Trend]) -> Html:
    heads = ("scenario", "target", "as expected", "before", "operations per second", "change", "")
    rows = [
        (
            trend.scenario,
            trend.target,
            el("strong", "▼ ", _share(trend.batches[-1]), class_="state fail")
            if trend.is_worse
            else _share(trend.batches[-1]),
            _share(trend.batches[-2]),
            _rate(trend.batches[-1].ok_per_s),
            "–" if trend.change is None else f"{trend.change:+.0%}",
            _line(trend.batches),
        )
        for trend in trends
    ]
    caption = "The newest version of each scenario against those before, what got worse first"
    return el("div", find("scenarios"), table(caption, heads, rows, class_="stack lead"))


def _share(batch: Batch) -> str:
    return f"{batch.as_expected:,} of {batch.runs:,}"


def _rate(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:,.0f}"


def _line(batches: Iterable[Batch]) -> Child:
    """Operations per second of one version after another, as a small picture."""
    rates = [batch.ok_per_s for batch in batches if batch.ok_per_s is not None]
    if len(rates) < 2 or not max(rates):
        return "–"
    step, top = 72 / (len(rates) - 1), max(rates)
    points = " ".join(
        f"{4 + at * step:.0f},{22 - 18 * rate / top:.0f}" for at, rate in enumerate(rates)
    )
    said = f"Operations per second: {', '.join(map(_rate, rates))}"
    return el(
        "svg",
        el("polyline", points=points),
        viewBox="0 0 80 26",
        width=80,
        height=26,
        class_="line",
        role="img",
        aria_label=said,
    )


def promises(found: Sequence[Promise]) -> Html:
    """Every promise, also those that no run has ever checked."""
    heads = ("promise", "says", "checked in", "kept", "broken", "by seeded bugs", "undecided", "by")
    rows = [
        (
            promise.id,
            promise.text or "–",
            f"{promise.checked:,}" if promise.checked else el("em", "never"),
            f"{promise.kept:,}",
            el("strong", f"✕ {promise.broken:,}", class_="state fail") if promise.broken else "0",
            f"{promise.broken_as_expected:,}",
            f"{promise.undecided:,}",
            ", ".join(promise.checkers) or "–",
        )
        for promise in found
    ]
    caption = "In how many runs each promise was checked, and what came of it"
    return table(caption, heads, rows, class_="stack lead promised")


def coverage(found: Coverage | None) -> Html | None:
    """Which steps of the model all runs together made; None where nobody counted."""
    if found is None:
        return None
    made = found.kinds - len(found.never)
    told = (
        f"{plural(found.runs, 'run')} that counted made {made:,} of the {found.kinds:,} "
        "kinds of steps that exploring the model reaches."
    )
    never = [(event, branch) for event, branch in found.never]
    rare = [(event, branch, f"{count:,}") for event, branch, count in found.rare]
    heads = ("event", "what it would have done")
    return el(
        "div",
        el("p", told),
        el("progress", value=made, max=found.kinds, aria_label="Kinds of steps made"),
        _folded(f"{plural(len(never), 'kind')} that no run made", heads, never),
        _folded("The rarest that some run made", ("event", "what it did", "runs"), rare),
    )


def _folded(title: str, heads: Sequence[str], rows: Sequence[Sequence[Child]]) -> Html | None:
    if not rows:
        return None
    return el("details", el("summary", title), table(title, heads, rows, class_="flow"))


def zoo_section(zoo: Zoo | None) -> Html | None:
    """Every seeded mistake against every check, where somebody asked."""
    if zoo is None:
        return None
    outcomes = [{c.outcome for c in r.cells} for r in zoo.rows if r.family != "nothing"]
    caught = sum("caught" in found for found in outcomes)
    hunted = sum(bool(found - {"blind"}) for found in outcomes)
    told = (
        f"{caught:,} of {plural(hunted, 'mistake')} made on purpose were caught: "
        "✓ caught, ✕ missed, · cannot be seen by that check."
    )
    if hunted < len(outcomes):
        told += f" At {len(outcomes) - hunted:,} more none of these checks could look."
    checks = [check.name for check in zoo.checks]
    rows = [_zoo_row(row, checks) for row in zoo.rows]
    heads = ("mistake", "in", *checks)
    return el(
        "div",
        el("p", told),
        el(
            "details",
            el("summary", f"Every mistake against every check ({len(rows):,})"),
            find("mistakes"),
            table("Mistakes and checks", heads, rows, class_="stack lead"),
        ),
    )


def _zoo_row(row: ZooRow, checks: Sequence[str]) -> list[Child]:
    cells = {cell.check: cell for cell in row.cells}
    about = el("small", row.mistake, class_="about")
    marks = [_zoo_mark(cells.get(check), row.family) for check in checks]
    return [el("span", row.name, about), row.family, *marks]


def _zoo_mark(cell: ZooCell | None, family: str) -> Html:
    if cell is None:
        return el("span", "–", class_="zoo blind")
    outcomes = _NOTHING if family == "nothing" else _ZOO
    sign, word, look = outcomes[cell.outcome]
    return el(
        "span",
        el("span", sign, aria_hidden="true"),
        el("span", word, class_="heard"),
        class_=f"zoo {look}",
        title=shortened(f"{word}. {cell.sentence or cell.reason}", 200),
    )
