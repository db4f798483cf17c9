"""The command `coverage`: which of the model's steps the scenarios that come with Delphic make."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby, product
from multiprocessing import get_context
from typing import Any

import click
import msgspec

from .. import data
from ..language import shipped
from ..plan import Expectation
from ..simulate.campaign import Case
from ..simulate.cli import job_of
from ..simulate.execute import simulate_plan
from ..systems.hastream import HASTREAM
from .kinds import Exercised, Kind, known
from .novelty import Measured, measured

SEEDS = 3

_LATE = "the answer is late: who asked has become something else meanwhile"
_SOON = "has to come within the two messages for which a member is that"

REASONS: tuple[tuple[str, str, str], ...] = (
    ("receive votereply", "follower", _LATE),
    ("receive votereply", "precandidate", _LATE),
    ("receive votereply", "leader", _LATE),
    ("receive prevotereply", "follower", _LATE),
    ("receive prevotereply", "candidate", _LATE),
    ("receive prevotereply", "leader", _LATE),
    ("receive append refused", "follower", _LATE),
    ("receive append refused", "precandidate", _LATE),
    ("receive", "precandidate", _SOON),
    ("receive", "candidate", _SOON),
)
"""How an event and what it did begin, and why that is rare; the first that fits."""

HEAD = """\
# Which of the model's steps are made

Printed by `delphic coverage`. A *kind* is an event of the model with what it did: whether the role
or the term changed, whether the log grew or was cut, what was committed, written, sent at once or
confirmed. Exploring `raft-built` at the bounds of `delphic conform` reaches {kinds} kinds and
{local:,} local steps (kinds together with where the member stood);
`python -m delphic.harness.conform.raft.universe` writes them down. Crashes are no steps:
[doses](scenarios.md#doses) count them.

Scenarios are simulated, seeds 1 to {seeds}, without their seeded bugs. *Beyond*: kinds that no
exploring within those bounds reaches. *Alone*: local steps that no other of these scenarios made.

The model is that of a Raft group, and so are the scenarios: those of replication between clusters
are not here. What their controllers do is held against another model, `replication`, by the checker
`replication-conformance`.

| scenario | steps | kinds of {kinds} | beyond | local steps | alone |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What all seeds of one scenario made."""

    name: str
    exercised: Exercised
    local_steps: frozenset[str]


def of_groups() -> list[str]:
    """The scenarios that come with Delphic whose members are one group."""
    return [
        name for name in shipped.names() if shipped.scenario(name).cluster.system == HASTREAM.name
    ]


def _one(name: str, seed: int) -> Measured:
    """What one world of a scenario made, without its seeded bugs."""
    planned = msgspec.structs.replace(
        job_of(name).plan(Case(seed)), bugs={}, trace=True, expect=Expectation(), minimum={}
    )
    return measured(planned.members, simulate_plan(planned).traces)


def rows(names: Sequence[str], seeds: Sequence[int], jobs: int) -> list[Row]:
    """What every scenario made. Raises UsageError where one cannot be simulated."""
    worlds = list(product(names, seeds))
    if jobs == 1:
        found = [_one(name, seed) for name, seed in worlds]
    else:
        context = get_context("forkserver")
        with ProcessPoolExecutor(jobs, mp_context=context) as pool:
            found = list(pool.map(_one, *zip(*worlds, strict=True)))
    made: dict[str, list[Measured]] = {}
    for (name, _), one in zip(worlds, found, strict=True):
        made.setdefault(name, []).append(one)
    return [_row(name, ones) for name, ones in made.items()]


def _row(name: str, ones: Iterable[Measured]) -> Row:
    union, steps = Exercised(), set[str]()
    for one in ones:
        union.add(one.kinds.to_dict())
        steps |= one.local_steps
    return Row(name, union, frozenset(steps))


def whole_of(found: Sequence[Row]) -> Row:
    """What all scenarios together made."""
    whole = Exercised()
    for row in found:
        whole.counts.update(row.exercised.counts)
    return Row("all", whole, frozenset[str]().union(*(row.local_steps for row in found)))


def alone(row: Row, found: Sequence[Row]) -> int:
    """How many local steps no other scenario made."""
    others = (other.local_steps for other in found if other is not row)
    return len(row.local_steps.difference(*others))


def as_data(found: Sequence[Row], seeds: int) -> dict[str, Any]:
    """The same as the page, for programs."""
    whole = whole_of(found)
    never = [
        {"event": event, "branch": branch, "why": _why(event, branch)}
        for event, branch in whole.exercised.never
    ]
    return {
        "seeds": seeds,
        "kinds": len(known().kinds),
        "local_steps": known().local_steps,
        "scenarios": [{**_counts(row), "alone": alone(row, found)} for row in found],
        "all": _counts(whole),
        "never": never,
    }


def _counts(row: Row) -> dict[str, Any]:
    made = row.exercised
    return {
        "scenario": row.name,
        "steps": made.counts.total(),
        "kinds": len(made.seen),
        "beyond": len(made.beyond),
        "local_steps": len(row.local_steps),
    }


def page(found: Sequence[Row], seeds: int) -> str:
    """The page as Markdown."""
    whole = whole_of(found)
    lines = [HEAD.format(kinds=len(known().kinds), local=known().local_steps, seeds=seeds).rstrip()]
    for row in found:
        lines.append(_line(row.name, row, f"{alone(row, found):,}"))
    lines.append(_line("**all**", whole, ""))
    lines += ["", "## Never made", ""]
    lines += _never(whole.exercised.never)
    return "\n".join(lines) + "\n"


def _line(name: str, row: Row, alone: str) -> str:
    made = row.exercised
    cells = [f"{made.counts.total():,}", f"{len(made.seen)}", f"{len(made.beyond)}"]
    return f"| {name} | " + " | ".join([*cells, f"{len(row.local_steps):,}", alone]) + " |"


def _never(kinds: Sequence[Kind]) -> list[str]:
    if not kinds:
        return ["Nothing: every kind was made."]
    lines = [
        "| event | what it would have done | why it is rare, if that is known |",
        "|---|---|---|",
    ]
    for event, branches in groupby(kinds, key=lambda kind: kind[0]):
        lines += [f"| {event} | {branch} | {_why(event, branch)} |" for _, branch in branches]
    return lines


def _why(event: str, branch: str) -> str:
    for part, done, reason in REASONS:
        if event.startswith(part) and branch.startswith(done):
            return reason
    return ""


@click.command("coverage")
@click.argument("scenarios", nargs=-1, metavar="[NAME|FILE]...")
@click.option("--seeds", type=click.IntRange(1), default=SEEDS, show_default=True)
@click.option("--jobs", type=click.IntRange(1), help="Processes; as many as cores if not said.")
@data.AS_JSON
def coverage_command(
    scenarios: tuple[str, ...], seeds: int, jobs: int | None, as_json: bool
) -> None:
    """Print which of the model's steps scenarios make, as Markdown: all of Raft groups."""
    names = scenarios or tuple(of_groups())
    found = rows(names, range(1, seeds + 1), jobs or os.cpu_count() or 1)
    if as_json:
        data.show(as_data(found, seeds))
    else:
        click.echo(page(found, seeds), nl=False)
