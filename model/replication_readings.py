"""Which promises of replication hold under which reading of the documents: a table.

`python -m delphic.model.replication_readings docs/replication-readings.md` writes it. Each choice
that the documents leave is explored in the same bounds, to the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from .actor import Bag, GoodPhase, Kind, Model, Network, Property, Scope, Soup
from .explore.explorer import explore
from .only import only
from .properties.replication_good import EQUAL, everything_finishes
from .replication_group import Calm, actors, replication
from .replication_rules import (
    Failures,
    Gap,
    Grouping,
    Kept,
    Lost,
    Options,
    Rules,
    Skipping,
    Waiting,
)


@dataclass(frozen=True)
class Reading:
    """A choice. `switch`: the bound of `delphic explore replication` that makes it."""

    paragraph: str
    switch: str
    meaning: str
    change: dict[str, Any]


READINGS = (
    Reading("", "", "all that semantics.md recommends", {}),
    Reading(
        "U1", "failures=group", "all failures of a group count", {"failures": Failures.GROUP}
    ),
    Reading(
        "U1", "failures=total", "all failures since a start count", {"failures": Failures.TOTAL}
    ),
    Reading(
        "U3", "waiting=drain", "a stopped slave executes what it has pulled",
        {"waiting": Waiting.DRAIN},
    ),
    Reading(
        "U4", "gap=caught-up", "what a DISABLED master completed is queued at its start",
        {"gap": Gap.CAUGHT_UP},
    ),
    Reading(
        "U6", "skipping=anytime", "tasks are skipped while replication runs",
        {"skipping": Skipping.ANYTIME},
    ),
    Reading(
        "U8", "kept=volatile", "status and failures are in no log", {"kept": Kept.VOLATILE}
    ),
    Reading(
        "U10", "grouping=levelled", "a task joins the first group that it may",
        {"grouping": Grouping.LEVELLED},
    ),
    Reading(
        "U12", "lost=waits", "an attempt that nobody answers does not count",
        {"lost": Lost.WAITS},
    ),
    Reading(
        "U12", "lost=rehashed", "it goes to the next data node, if any, and does not count",
        {"lost": Lost.REHASHED},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Bounds:
    """`good`: what happens eventually is asked for, too; it takes the longest."""

    options: Options
    network: Network
    good: bool

    def __str__(self) -> str:
        plain = Options()
        words = [
            f"{name}={str(getattr(self.options, name)).lower()}"
            for name in plain.__dataclass_fields__
            if getattr(self.options, name) != getattr(plain, name)
        ]
        words.append("soup" if isinstance(self.network, Soup) else "bag:1")
        return ", ".join(words) + ("" if self.good else "; always only")


BOUNDS = (
    Bounds(Options(stops=1, starts=1, skips=1, failovers=1), Bag(1), good=False),
    Bounds(Options(writes=1, stops=1, starts=1, skips=1, failovers=1), Soup(), good=True),
    Bounds(Options(chunks=2), Bag(1), good=False),
    Bounds(Options(attempts=1, limit=1, orders=2), Soup(), good=True),
    Bounds(Options(writes=3, chunks=2, attempts=1, limit=1), Bag(1), good=False),
    Bounds(Options(writes=1, nodes=2, poisons=1), Soup(), good=True),
    Bounds(Options(writes=1, sync=False, crashes=1, skips=1), Soup(), good=True),
)

UNSTOPPED = Property(
    "a dead data node stops nobody", Kind.EVENTUALLY, Scope.TUPLE, everything_finishes,
    ("PR-26",), "§1.10, U12",
)  # fmt: skip

CLAIMS = {
    EQUAL.name: "Whatever a replicated database completes reaches the slaves, also what a master "
    "completed that was stopped: eventual consistency by the letter.",
    UNSTOPPED.name: "All tasks finish although one of a slave's two data nodes never comes back.",
}
"""What no document promises, and a reader may hope for."""


def asked(options: Options, network: Network) -> Model:
    """The model with the claims among its promises."""
    model = replication(options, network)
    wide = replace(options, attempts=options.attempts + 4 * options.limit + 2)
    cast = actors(wide, Rules(), calm=True)
    up = tuple(range(len(cast)))
    claims: tuple[Property, ...] = (EQUAL,) if options.orders else ()
    phases = [GoodPhase("mended, once more", cast, up, Calm(options), (EQUAL.name,))]
    if options.nodes > 1:
        claims = (*claims, UNSTOPPED)
        dead = options.base(0) + 1 + 1 % options.nodes  # Task 1 is for this one.
        left = (*up[:dead], *up[dead + 1 :])
        phases.append(
            GoodPhase("a data node is down", cast, left, Calm(options), (UNSTOPPED.name,))
        )
    return replace(model, properties=(*model.properties, *claims), good=(*model.good, *phases))


@dataclass
class Column:
    """One reading: the fewest steps to a violation of each promise, over all bounds."""

    reading: Reading
    states: int = 0
    steps: dict[str, int] = field(default_factory=dict)
    known: dict[str, Property] = field(default_factory=dict)


def column(reading: Reading) -> Column:
    """Explore all bounds to the end, each promise as if it were the only one."""
    found = Column(reading)
    for bounds in BOUNDS:
        model = asked(replace(bounds.options, **reading.change), bounds.network)
        kinds = (Kind.ALWAYS, Kind.EVENTUALLY) if bounds.good else (Kind.ALWAYS,)
        left = {p.name: p for p in model.properties if p.kind in kinds}
        found.known |= left
        while left:
            result = explore(only(model, tuple(left)))
            if result.violation is not None:
                name, steps = result.violation.property, len(result.violation.path)
            elif result.stuck is not None and result.stuck.stuck is not None:
                stuck = result.stuck.stuck
                name, steps = result.stuck.property, len(stuck.prefix) + len(stuck.stem)
            else:
                assert result.complete
                assert not any(each.skipped for each in result.eventually)
                found.states += result.states
                break
            del left[name]
            found.steps[name] = min(steps, found.steps.get(name, steps))
    return found


HEAD = """# Readings of the documents, and which promises hold under them

Written by `python -m delphic.model.replication_readings docs/replication-readings.md`: do not edit.

The documents of replication between clusters leave choices. Each is a switch of `delphic explore
replication`; its default is what the implementation does. Every reading is explored in the same
{bounds} bounds, each to the end. · : the promise holds in all of them. A number: it is broken, and
so long is the shortest path to that; of what happens eventually, to where it cannot any more.
"""


def page(columns: list[Column]) -> Iterator[str]:
    """The page, in Markdown."""
    yield HEAD.format(bounds=len(BOUNDS))
    yield "| | paragraph | switch | means | states |"
    yield "|---|---|---|---|--:|"
    for number, each in enumerate(columns):
        reading = each.reading
        switch = f"`--bound {reading.switch}`" if reading.switch else "the defaults"
        yield (
            f"| {number} | {reading.paragraph} | {switch} | {reading.meaning} | {each.states:,} |"
        )
    yield "\nStates are those of the explorations that ended without a violation.\n"
    known: dict[str, Property] = {}
    for each in columns:
        known |= each.known
    promises = {name: p for name, p in known.items() if name not in CLAIMS}
    for title, props in (("promise", promises), ("claim", {name: known[name] for name in CLAIMS})):
        yield f"| {title} | ids | {' | '.join(str(n) for n in range(len(columns)))} |"
        yield f"|---|---|{'--:|' * len(columns)}"
        for name, prop in props.items():
            cells = [str(each.steps.get(name, "·")) for each in columns]
            yield f"| {name} | {', '.join(prop.promises)} | {' | '.join(cells)} |"
        yield ""
    yield "Claims are what no document promises, and a reader may hope for:\n"
    yield from (f"- **{name}**: {meaning}" for name, meaning in CLAIMS.items())
    yield "\nThe bounds (what is not said is the default of the model, and no fault happens):\n"
    yield from (f"- {bounds}" for bounds in BOUNDS)
    yield ""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def main(file: Path) -> None:
    """Explore every reading, and write the tables to FILE."""
    columns = []
    for reading in READINGS:
        click.echo(reading.switch or "as recommended", err=True)
        columns.append(column(reading))
    file.write_text("\n".join(page(columns)).rstrip() + "\n")


if __name__ == "__main__":
    main()
