"""From what gate.yaml says to steps of which everything is known to be there, before any begins."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape, glob
from pathlib import Path
from typing import Any

import click

from ...model.cli import build
from ...model.models import MODELS
from ..conform.cli import BINDINGS
from ..errors import ScenarioError, UsageError
from ..judging.judge import refuse_a_runs
from ..judging.own import spec_of
from ..language import shipped
from ..language.complaints import Complaint, as_error
from ..language.document import Document, spell
from ..language.selector import closest
from ..launch import check_capabilities
from ..reading import check_name
from ..rundir import RunDir
from ..scenario import Scenario
from ..scenario import load as load_scenario
from ..simulate.campaign import Job
from ..simulate.cli import WORLDS_MAX, are_too_many, seeds_of
from ..targets.find import is_laboratory
from ..targets.registry import TARGETS
from ..targets.sim import SIM
from .config import (
    CheckPart,
    ConformPart,
    ExplorePart,
    GatePart,
    RunPart,
    SimulatePart,
    StepPart,
)
from .step import Check, Conform, Explore, Run, Simulate, Step, Work

Place = tuple[str | int, ...]

RUNS_MAX = 100
"""Runs of one step."""


class Unknown(Exception):
    """What a step names is not there."""


def resolve(gate: GatePart, document: Document) -> list[Step]:
    """Every step, in order. Raises ScenarioError with every mistake, each with its line."""
    steps: list[Step] = []
    wrong: list[Complaint] = []
    base = Path(document.file).parent
    for at, part in enumerate(gate.steps):
        path: Place = ("steps", at)
        try:
            found = list(_steps(part, path, document, base))
        except (Unknown, UsageError) as error:
            wrong.append((path, f"{spell(path)}: {error}"))
            continue
        for step in found:
            taken = next((one for one in steps if one.name == step.name), None)
            if taken is not None:
                wrong.append(
                    (
                        path,
                        f"{spell(path)}: {step.name!r} is on line {taken.line} already: "
                        "give one a `name`",
                    )
                )
            steps.append(step)
    if wrong:
        raise as_error(wrong, document)
    return steps


def _steps(part: StepPart, path: Place, document: Document, base: Path) -> Iterator[Step]:
    works = list(_works(part, base))
    for pattern in part.watch:
        if not matching(base, pattern):
            raise Unknown(f"watch: there is no file {base / pattern}")
    for what, work in works:
        kind = str(work.__struct_config__.tag)
        name = f"{kind} {what}"
        if part.name is not None:
            name = part.name if len(works) == 1 else f"{part.name}: {what}"
        yield Step(name, document.line(path) or 0, work, part.budget, tuple(part.watch))


def _works(part: StepPart, base: Path) -> Iterator[tuple[str, Work]]:
    """What is to be done, each with what it is done to. Raises Unknown, UsageError."""
    match part:
        case ExplorePart():
            for name in part.explore:
                yield name, _explore(name, part)
        case ConformPart():
            for name in part.conform:
                yield name, _conform(name, part)
        case SimulatePart():
            for name in part.simulate:
                yield name, _simulate(name, part, base)
        case RunPart():
            for name in part.run:
                yield from _runs(name, part, base)
        case CheckPart():
            for pattern in part.check:
                yield from _checks(pattern, part, base)


def _explore(name: str, part: ExplorePart) -> Explore:
    if name not in MODELS:
        raise Unknown(f"there is no model {name!r}{closest(name, list(MODELS))}")
    bounds = tuple(f"{key}={value}" for key, value in part.bounds.items())
    work = Explore(
        name, bounds, part.network, part.symmetry, tuple(part.properties), part.mutant, part.expect
    )
    try:
        build(MODELS[name], options_of(work))
    except click.UsageError as error:
        raise Unknown(error.message.removeprefix("--")) from error
    return work


def options_of(work: Explore) -> dict[str, Any]:
    """The options of `delphic explore` that say which model it is."""
    return {
        "bounds": work.bounds,
        "members": None,
        "network": work.network,
        "mutant": work.mutant,
        "properties": work.properties,
    }


def _conform(name: str, part: ConformPart) -> Conform:
    if name not in BINDINGS:
        raise Unknown(f"there is no binding {name!r}{closest(name, list(BINDINGS))}")
    bugs = BINDINGS[name].bugs
    for bug in part.bugs:
        if bug not in bugs:
            raise Unknown(f"{name} has no seeded bug {bug!r}{closest(bug, sorted(bugs))}")
    return Conform(name, part.bounds == "documented", tuple(part.bugs), part.expect)


def _simulate(name: str, part: SimulatePart, base: Path) -> Simulate:
    found = _scenario(name, base)
    check_capabilities(found.scenario, SIM)
    job = Job(found.text, found.file, found.name)
    own = seeds_of(job)
    first, last = (own.start, own.stop - 1) if part.seeds is None else part.seeds
    if are_too_many(range(first, last + 1)):
        raise Unknown(f"seeds: a step tries {WORLDS_MAX:,} worlds at most")
    return Simulate(
        found.name, found.file, found.text, first, last, part.lockstep, part.crash_points
    )


def _runs(name: str, part: RunPart, base: Path) -> Iterator[tuple[str, Run]]:
    found = _scenario(name, base)
    target = part.target
    if target in TARGETS:
        check_capabilities(found.scenario, TARGETS[target])
    elif Path(target).suffix in (".yaml", ".yml"):
        target = str(base / target)
        if not Path(target).is_file():
            raise Unknown(f"target: there is no file {target}")
    elif not is_laboratory(target):
        known = closest(target, [*TARGETS, "lab"])
        raise Unknown(f"target: there is no target {target!r}{known}, and it is no file *.yaml")
    first, last = part.seeds or (None, None)
    seeds = (
        [first] if first is None or last is None else list(range(first, last + 1)[: RUNS_MAX + 1])
    )
    if len(seeds) > RUNS_MAX:
        raise Unknown(f"seeds: a step makes {RUNS_MAX} runs at most; worlds are for more")
    for seed in seeds:
        what = found.name if len(seeds) == 1 else f"{found.name}, seed {seed}"
        yield (
            what,
            Run(found.name, found.file, found.text, target, seed, found.scenario.duration),
        )


def _checks(pattern: str, part: CheckPart, base: Path) -> Iterator[tuple[str, Check]]:
    spec = part.spec
    if spec is not None:
        spec = str(base / spec) if ".py:" in spec else spec
        spec_of(spec)
    paths = matching(base, pattern)
    if not paths:
        raise Unknown(f"there is no file {base / pattern}")
    for path in paths:
        check_name(path)
        if path.is_dir():
            _refuse_of_folder(path, part)
        refuse_a_runs(path)
        if path.is_file() and spec is None:
            raise Unknown(f"{path}: `spec` is missing: delphic check --specs lists them")
        yield str(path), Check(str(path), spec, part.format, part.partition, part.expect)


def _refuse_of_folder(path: Path, part: CheckPart) -> None:
    if not RunDir(path).plan.is_file():
        raise Unknown(f"{path} is no run directory: it has no plan.json")
    if part.spec or part.format or part.partition:
        raise Unknown(f"{path} is a run directory, which says itself what it is a history of")
    if part.expect != "pass":
        raise Unknown(f"{path} is a run directory: its scenario says what it expects")


def matching(base: Path, pattern: str) -> list[Path]:
    """What there is of this name, or of names like it, in order."""
    path = base / pattern
    if path.exists():
        return [path]
    # Of a link that leads nowhere `glob` says that it is there.
    return sorted(one for one in map(Path, glob(str(path), recursive=True)) if one.exists())


def is_matched(base: Path, pattern: str, path: Path) -> bool:
    """Whether a file that is not there any more may have been one of these, or lain below one."""
    # `*` reaches beyond slashes here: rather one too many than one too few.
    plain = os.path.normpath(os.path.join(escape(str(base)), pattern)).replace("**/", "*")
    return any(fnmatchcase(str(path), one) for one in (plain, f"{plain}/*"))


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    text: str
    file: str
    scenario: Scenario


def _scenario(name: str, base: Path) -> _Found:
    """A scenario by its name, or from a file beside gate.yaml. Raises Unknown, UsageError."""
    own = Path(name).suffix in (".yaml", ".yml")
    called = str(base / name) if own else name
    text, file = shipped.text_of(called)
    try:
        return _Found(called, text, file, load_scenario(text, file))
    except ScenarioError as error:
        raise Unknown(str(error)) from error
