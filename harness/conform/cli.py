"""`delphic conform`: the implementation makes the model's steps, in every state."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from .. import data
from ..errors import ExitCode
from . import show
from .binding import Binding, Conformance
from .keyed.bind import KeyedBinding
from .raft.bind import RaftBinding
from .replication.bind import ReplicationBinding
from .subscription.bind import SubscriptionBinding
from .wal.bind import WalBinding

BINDINGS: dict[str, Binding] = {
    binding.name: binding
    for binding in (
        RaftBinding(),
        WalBinding(),
        SubscriptionBinding(),
        KeyedBinding(),
        ReplicationBinding(),
    )
}
"""Every binding by name. To add one: write it in a folder of its own, then one entry here."""


@click.command("conform")
@click.argument("names", metavar="[BINDING]...", nargs=-1)
@click.option("--list", "listing", is_flag=True, help="Bindings, bounds and intended differences.")
@click.option("--small", is_flag=True, help="Bounds of some seconds, not of some minutes.")
@click.option("--bug", "bugs", multiple=True, help="Switch a seeded bug on in the implementation.")
@click.option("--first", is_flag=True, help="End at the first divergence.")
@click.option("--workers", type=click.IntRange(1, 64), help="Threads; by default one a core.")
@data.AS_JSON
@click.option("--junit", type=click.Path(dir_okay=False), help="Write the result as JUnit XML.")
def conform_command(
    names: tuple[str, ...],
    listing: bool,
    small: bool,
    bugs: tuple[str, ...],
    first: bool,
    workers: int | None,
    as_json: bool,
    junit: str | None,
) -> int:
    """Put the implementation into every state that exploring the model reaches, and step it.

    Every step must be the model's, or a sequence of the model's. Exit code 0: all are. 1: one is
    not; the first of each kind is shown.
    """
    chosen = [_binding(name) for name in names or BINDINGS]
    if listing:
        _list(chosen, as_json=as_json)
        return ExitCode.AS_EXPECTED
    switched = _bugs(bugs, chosen)
    console = Console(soft_wrap=True, highlight=False)
    results: list[Conformance] = []
    for result in _conform(chosen, switched, small=small, first=first, workers=workers):
        results.append(result)
        if not as_json:
            if len(results) == 1 or results[-2].binding != result.binding:
                console.print(BINDINGS[result.binding].title, markup=False)
            console.print(show.line(result), markup=False)
    if junit is not None:
        _write(junit, show.as_junit(results))
    conforms = all(result.conforms for result in results)
    code = ExitCode.AS_EXPECTED if conforms else ExitCode.PROMISE_BROKEN
    if as_json:
        data.show(show.as_data(results), code)
    else:
        console.print()
        console.print(show.events(results))
        for result in results:
            for found in result.divergences:
                console.print(show.divergence(found, result.diverged[found.event, found.field]))
        console.print()
        console.print(show.sentence(results), markup=False)
    return code


def _conform(
    chosen: list[Binding], bugs: frozenset[str], *, small: bool, first: bool, workers: int | None
) -> Iterator[Conformance]:
    cores = workers or len(os.sched_getaffinity(0))
    for binding in chosen:
        for bounds in binding.small if small else binding.documented:
            mine = bugs & binding.bugs
            result = binding.conform(bounds, bugs=mine, first=first, workers=cores)
            yield result
            if first and not result.conforms:
                return


def _binding(name: str) -> Binding:
    if name not in BINDINGS:
        raise click.UsageError(f"no binding '{name}'; there are {', '.join(BINDINGS)}")
    return BINDINGS[name]


def _bugs(names: tuple[str, ...], chosen: list[Binding]) -> frozenset[str]:
    known = frozenset[str]().union(*(binding.bugs for binding in chosen))
    for name in names:
        if name not in known:
            told = ", ".join(sorted(known))
            where = " and ".join(binding.name for binding in chosen)
            raise click.UsageError(f"no seeded bug '{name}' in {where}; there are {told}")
    return frozenset(names)


def _list(chosen: list[Binding], *, as_json: bool) -> None:
    if as_json:
        data.show({"bindings": [show.binding_as_data(binding) for binding in chosen]})
        return
    console = Console(soft_wrap=True, highlight=False)
    for binding in chosen:
        console.print(f"{binding.name}: {binding.title}", markup=False)
        for title, many in (("small", binding.small), ("documented", binding.documented)):
            console.print(f"  {title} bounds:")
            for bounds in many:
                console.print(f"    {bounds.title}: {bounds}", markup=False)
        console.print("  differences from the plain model that are meant:")
        for difference in binding.differences:
            console.print(f"    {difference.name}: {difference.reason}", markup=False)
        console.print(f"  seeded bugs: {', '.join(sorted(binding.bugs))}", markup=False)


def _write(path: str, content: bytes) -> None:
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        click.echo(f"error: cannot write {path}: {error.strerror}", err=True)
        sys.exit(ExitCode.WORLD)
