"""`delphic explore`: every reachable state of a model, from the command line."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path as File
from typing import Any, NoReturn

import click
from rich.console import Console

from .actor import Bag, Fifo, Model, Network, Soup
from .explore.checkpoint import Checkpoints, WrongCheckpoint, workers_of
from .explore.explorer import explore
from .explore.limits import GOOD_STATES, Limits, Progress
from .explore.result import Finding, Stuck
from .explore.walk import Plan, Walked, walk
from .models import MODELS, Entry
from .only import only
from .summary import (
    BROKEN,
    HOLDS,
    UNDECIDED,
    as_plain,
    code,
    sentence,
    trace,
    walked_as_plain,
    walked_sentence,
)

MOST = 9
"""Of anything that a bound counts: more is out of reach long before."""

GOOD_STATES_ASKED = 5_000_000
"""States of a good phase that are followed where a property asks for it by name."""

OF_SEARCHES = (
    "checkpoint", "resume", "max_states", "max_depth", "max_memory", "symmetry", "bitstate",
    "workers",
)  # fmt: skip
"""Options that mean nothing to walks."""


@click.command("explore")
@click.argument("name", metavar="MODEL", required=False)
@click.option("--list", "listing", is_flag=True, help="Models, their bounds, promises and mutants.")
@click.option("--members", metavar="N", help="The same as --bound members=N.")
@click.option(
    "--bound", "bounds", multiple=True, metavar="NAME=VALUE", help="Set a bound; see --list."
)
@click.option("--property", "properties", multiple=True, help="Check only this one.")
@click.option("--network", help="soup (the default), bag:K or fifo:K.")
@click.option("--mutant", help="Make a known mistake, in its bounds.")
@click.option(
    "--symmetry", is_flag=True, help="One state of each orbit of interchangeable members."
)
@click.option("--workers", type=click.IntRange(1, 64), help="Threads; by default one a core.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of the fingerprints, or walks.",
)
@click.option("--max-states", type=click.IntRange(1), help="Stop there, with exit code 3.")
@click.option("--max-depth", type=click.IntRange(1), help="The same, of steps.")
@click.option(
    "--max-memory", metavar="MIB", type=click.IntRange(1), help="The same, of what is kept."
)
@click.option("--max-seconds", type=click.FloatRange(min=0.1), help="The same, of time.")
@click.option(
    "--bitstate",
    metavar="MIB",
    type=click.IntRange(1),
    help="Keep bits of states, not fingerprints: more states, and some are missed.",
)
@click.option("--walks", type=click.IntRange(1), help="No search: so many random walks.")
@click.option(
    "--depth", type=click.IntRange(1), default=200, show_default=True, help="Steps of a walk."
)
@click.option("--checkpoint", type=click.Path(file_okay=False), help="Keep the search there.")
@click.option(
    "--checkpoint-every",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
)
@click.option(
    "--resume", type=click.Path(file_okay=False, exists=True), help="Go on from a checkpoint."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as data for programs.")
@click.option("--trace-out", type=click.Path(dir_okay=False), help="Write the path: .json or .mmd.")
def explore_command(
    name: str | None, listing: bool, as_json: bool, trace_out: str | None, **options: Any
) -> int:
    """Explore every reachable state of MODEL within its bounds.

    Exit code 0: every promise holds. 1: one is broken, or what should be reached is not. 3: nothing
    was found, but a limit came first, or a promise asked for by name could not be decided, or this
    was a search that may miss states (--walks, --bitstate).
    """
    if listing or name is None:
        _list(as_json=as_json)
        return HOLDS
    entry = MODELS.get(name)
    if entry is None:
        _wrong(f"no model '{name}'; there are {', '.join(MODELS)}")
    model = build(entry, options)
    quiet = as_json or not sys.stderr.isatty()
    if options["symmetry"] and not model.symmetric:
        _wrong(f"--symmetry: {entry.name} has no interchangeable members")
    if options["walks"]:
        _refuse_with_walks(options)
        return _walk(model, options, quiet=quiet, as_json=as_json, trace_out=trace_out)
    return _search(model, options, quiet=quiet, as_json=as_json, trace_out=trace_out)


def _refuse_with_walks(options: dict[str, Any]) -> None:
    """Walks keep nothing, and end by themselves."""
    for name in OF_SEARCHES:
        if options[name]:
            _wrong(f"--walks: --{name.replace('_', '-')} is about a search, and this is none")


def _search(
    model: Model, options: dict[str, Any], *, quiet: bool, as_json: bool, trace_out: str | None
) -> int:
    asked = options["properties"]
    limits = Limits(
        options["max_states"],
        options["max_depth"],
        options["max_memory"] and options["max_memory"] << 20,
        options["max_seconds"],
        GOOD_STATES_ASKED if asked else GOOD_STATES,
    )
    folder, source = options["checkpoint"], options["resume"]
    checkpoints = Checkpoints(
        folder and File(folder),
        every_s=options["checkpoint_every"],
        resume=source and File(source),
    )
    try:
        workers = workers_of(File(source)) if source else os.cpu_count() or 1
        result = explore(
            model,
            symmetry=options["symmetry"],
            workers=options["workers"] or workers,
            seed=options["seed"],
            limits=limits,
            watch=None if quiet else _watcher(),
            checkpoints=checkpoints,
            bitstate=(options["bitstate"] or 0) << 20,
        )
    except WrongCheckpoint as wrong:
        _wrong(f"--resume: {wrong}")
    if as_json:
        _show(as_plain(model, result), code(result, asked))
    else:
        click.echo(sentence(model, result, asked))
    stuck = result.stuck
    _write(trace_out, model, result.violation, None if stuck is None else stuck.stuck)
    return code(result, asked)


def _walk(
    model: Model, options: dict[str, Any], *, quiet: bool, as_json: bool, trace_out: str | None
) -> int:
    plan = Plan(options["walks"], options["depth"], options["seed"], options["max_seconds"])
    walked = walk(model, plan, None if quiet else _walk_watcher(plan))
    exit_code = UNDECIDED if walked.violation is None else BROKEN
    if as_json:
        _show(walked_as_plain(model, walked), exit_code)
    else:
        click.echo(walked_sentence(model, walked))
    _write(trace_out, model, walked.violation, None)
    return exit_code


def _show(plain: dict[str, Any], exit_code: int) -> None:
    """As all commands tell programs: one value, with the code with which the command ends."""
    click.echo(json.dumps({"schema": 1, "exit_code": exit_code, **plain}, indent=2))


def _write(
    trace_out: str | None, model: Model, violation: Finding | None, stuck: Stuck | None
) -> None:
    if trace_out is not None:
        found = trace(model, violation, stuck, diagram=trace_out.endswith(".mmd"))
        if found is not None:
            try:
                File(trace_out).write_text(found, encoding="utf-8")
            except OSError as error:
                _wrong(f"--trace-out: {error}")


def build(entry: Entry, options: dict[str, Any]) -> Model:
    """The model that the options ask for. Raises click.UsageError, saying what is allowed."""
    asked = _bounds(entry, options["bounds"])
    if options["members"]:
        if "members" not in entry.bounds:
            _wrong(f"--members: {entry.name} is about one member")
        asked["members"] = _bound(entry, "members", options["members"], "--members")
    network = None
    if options["network"]:
        if not entry.has_network:
            _wrong(f"--network: {entry.name} sends no messages")
        network = _network(options["network"])
    if options["mutant"]:
        mutant = entry.mutants.get(options["mutant"])
        if mutant is None:
            _wrong(f"no mutant '{options['mutant']}'; there are {', '.join(entry.mutants)}")
        model = mutant.model(asked, network)
    else:
        model = entry.build({**entry.bounds, **asked}, network)
    known = [p.name for p in model.properties]
    for wanted in options["properties"]:
        if wanted not in known:
            names = ", ".join(known)
            _wrong(f"no property '{wanted}' in this configuration; there are {names}")
    return only(model, options["properties"])


def _bounds(entry: Entry, texts: Iterable[str]) -> dict[str, Any]:
    asked = {}
    for text in texts:
        key, _, value = text.partition("=")
        if key not in entry.bounds:
            _wrong(f"--bound: {entry.name} has no '{key}'; it has {', '.join(entry.bounds)}")
        asked[key] = _bound(entry, key, value, f"--bound {key}")
    return asked


def _bound(entry: Entry, key: str, value: str, option: str) -> Any:
    default = entry.bounds[key]
    if isinstance(default, bool):
        if value in ("true", "yes", "1", "on"):
            return True
        if value in ("false", "no", "0", "off"):
            return False
        _wrong(f"{option}: '{value}' is neither true nor false")
    if isinstance(default, Enum):
        choices = [choice.value for choice in type(default)]
        if value not in choices:
            _wrong(f"{option}: '{value}' is none of {', '.join(choices)}")
        return type(default)(value)
    least, most = entry.least.get(key, 0), entry.most.get(key, MOST)
    if not value.isdecimal() or not least <= int(value) <= most:
        _wrong(f"{option}: '{value}' is not a whole number from {least} to {most}")
    return int(value)


def _network(text: str) -> Network:
    match = re.fullmatch(r"soup|(bag|fifo):([1-9]\d?)", text)
    if match is None:
        _wrong(f"--network: '{text}' is none of soup, bag:K, fifo:K (K from 1 to 99)")
    if match[1] is None:
        return Soup()
    return Bag(int(match[2])) if match[1] == "bag" else Fifo(int(match[2]))


def _wrong(message: str) -> NoReturn:
    raise click.UsageError(message)


def _told(default: Any) -> str:
    """A bound's default; of a switch, what else it may be."""
    if isinstance(default, Enum):
        others = ", ".join(choice.value for choice in type(default) if choice is not default)
        return f"{default.value} (or {others})"
    return str(default).lower()


def _list(*, as_json: bool) -> None:
    if as_json:
        _show({"models": [_entry(entry) for entry in MODELS.values()]}, HOLDS)
        return
    for entry in MODELS.values():
        click.echo(f"{entry.name}: {entry.title}")
        bounds = ", ".join(f"{k}={_told(v)}" for k, v in entry.bounds.items())
        click.echo(f"  bounds   {bounds}")
        click.echo(f"  promises {', '.join(_properties(entry))}")
        click.echo(f"  mutants  {', '.join(entry.mutants)}")


def _properties(entry: Entry) -> list[str]:
    return [p.name for p in entry.build(entry.bounds, None).properties]


def _entry(entry: Entry) -> dict[str, Any]:
    bounds = {k: v.value if isinstance(v, Enum) else v for k, v in entry.bounds.items()}
    about = {"name": entry.name, "title": entry.title, "bounds": bounds}
    return {**about, "properties": _properties(entry), "mutants": list(entry.mutants)}


def _walk_watcher(plan: Plan) -> Callable[[Walked], None]:
    status = Console(stderr=True).status("walking")
    status.start()

    def watch(now: Walked) -> None:
        status.update(f"walk {now.walks:,} of {plan.walks:,}  {now.rate:,.0f} steps/s")
        if now.over:
            status.stop()

    return watch


def _watcher() -> Callable[[Progress], None]:
    status = Console(stderr=True).status("exploring")
    status.start()

    def watch(now: Progress) -> None:
        rate = now.transitions / max(now.seconds, 1e-9) / 1e6
        status.update(
            f"depth {now.depth}  {now.states:,} states  {now.queue:,} in the queue  "
            f"{rate:.1f} M transitions/s  {now.bytes_held >> 20:,} MiB"
        )
        if not now.queue:
            status.stop()

    return watch
