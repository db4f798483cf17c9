"""Which mistake breaks which promise, and after how many steps: `python -m delphic.model.matrix`.

Each promise is checked alone: a mistake that breaks several would otherwise show the first only. A
promise that no mistake breaks is not known to check anything.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from .actor import Kind, Model, Property
from .explore.explorer import explore
from .explore.limits import Limits
from .models import MODELS, Entry, Mutant
from .only import only

STATES = 1_000_000
"""Orbits that are explored in search of more promises that a mistake breaks."""


@dataclass
class Row:
    """One mistake. `steps`: to the shortest violation of each promise; `depth`: explored so far.

    Where the search ended by itself, `complete`, what is not in `steps` is never broken.
    """

    mutant: Mutant
    promises: tuple[str, ...]
    steps: dict[str, int] = field(default_factory=dict)
    depth: int = 0
    complete: bool = False


def row(mutant: Mutant, *, names: Iterable[str] | None = None, states: int = STATES) -> Row:
    """Every promise (or those of `names`) that a mutant breaks when it is checked alone.

    Promises are dropped as they break, the earliest first. That is the same: until something
    breaks, the others' presence changes nothing. The first is looked for until it is found, however
    many states that takes; `states` limits the search for others.
    """
    model = mutant.model()
    every = tuple(p.name for p in promises(model))
    found = Row(mutant, every)
    left = [name for name in every if names is None or name in set(names)]
    while left:
        limits = Limits(states=None if mutant.breaks in left else states)
        asked = only(model, tuple(left))
        result = explore(asked, symmetry=bool(model.symmetric), limits=limits)
        found.depth, found.complete = result.depth, result.complete
        if result.violation is not None:
            name, steps = result.violation.property, len(result.violation.path)
        elif result.stuck is not None and result.stuck.stuck is not None:
            stuck = result.stuck.stuck
            name, steps = result.stuck.property, len(stuck.prefix) + len(stuck.stem)
        else:
            break
        found.steps[name] = steps
        left.remove(name)
    return found


def promises(model: Model) -> list[Property]:
    """What must not be broken: everything but what must be reached."""
    return [p for p in model.properties if p.kind is not Kind.SOMETIMES]


def chapter(entry: Entry, rows: list[Row]) -> Iterator[str]:
    """The tables of one model, in Markdown."""
    known: dict[str, Property] = {}
    for mutant in entry.mutants.values():
        known |= {p.name: p for p in promises(mutant.model())}
    yield f"## {entry.name}: {entry.title}\n"
    yield "| | promise | ids | caught by, steps |"
    yield "|---|---|---|---|"
    for number, (name, prop) in enumerate(known.items(), start=1):
        catching = [(r.steps[name], r.mutant.name) for r in rows if name in r.steps]
        by = ", ".join(f"{mutant} {steps}" for steps, mutant in sorted(catching)) or "nobody"
        ids = ", ".join(filter(None, (*prop.promises, prop.source)))
        yield f"| {number} | {name} | {ids} | {by} |"
    heads = [str(number) for number in range(1, len(known) + 1)]
    yield f"\n| mutant | {' | '.join(heads)} | explored |"
    yield f"|---|{'--:|' * len(heads)}---|"
    for each in rows:
        cells = [_cell(each, prop) for prop in known.values()]
        explored = "to the end" if each.complete else f"to depth {each.depth}"
        yield f"| {each.mutant.name} | {' | '.join(cells)} | {explored} |"
    yield "\n| mutant | the mistake | from |"
    yield "|---|---|---|"
    for each in rows:
        yield f"| {each.mutant.name} | {each.mutant.mistake} | {each.mutant.source} |"
    yield ""


def _cell(each: Row, prop: Property) -> str:
    if prop.name not in each.promises:
        return " "
    if prop.name not in each.steps:
        return "?" if prop.kind is Kind.EVENTUALLY and not each.complete else "·"
    steps = str(each.steps[prop.name])
    return f"**{steps}**" if prop.name == each.mutant.breaks else steps


HEAD = """# Mistakes, and the promises that catch them

Written by `python -m delphic.model.matrix docs/mutants.md`: do not edit.

A number is the length of a shortest path on which the mistake breaks the promise, where that
promise is checked alone; for a promise of what happens eventually, the number of steps to where the
group is stuck for ever. **Bold**: the promise that breaks first when all are checked. · : not
broken as far as it was explored. ? : not decided, because that needs an exploration to the end.
Empty: the mutant's bound does not have that promise.

One mistake that others made is none here: a follower that takes min(leader's commit index, its own
last index) as its commit index. A leader never names a commit index beyond what its message
carries; a test compares all counts.
"""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--states", default=STATES, show_default=True, help="Explore at most so many.")
def main(file: Path, states: int) -> None:
    """Check every promise alone against every known mistake, and write the tables to FILE."""
    lines = [HEAD]
    for entry in MODELS.values():
        if not entry.mutants:
            continue  # A model as it is built has those of the plain one.
        rows = []
        for mutant in entry.mutants.values():
            click.echo(f"{entry.name} {mutant.name}", err=True)
            rows.append(row(mutant, states=states))
        lines.extend(chapter(entry, rows))
    file.write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
