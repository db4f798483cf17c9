"""Seeded bugs switched on in the steps of a gate: a gate that stays green then is no gate."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import yaml

from ..conform.cli import BINDINGS
from ..errors import UsageError, WorldError
from ..language.document import parse
from ..language.selector import closest
from ..scenario import load
from ..systems import SYSTEMS
from ..writing import put
from .step import Conform, Run, Simulate, Step


def switched_on(steps: Sequence[Step], bugs: Sequence[str], out: Path) -> list[Step]:
    """The steps with the bugs where they can be; scenarios that have them are written to `out`.

    Scenarios that expect a failure stay as they are. Raises UsageError where no step can have one.
    """
    planted = [_with(step, bugs, out) for step in steps]
    known = sorted({bug for step in steps for bug in _possible(step)})
    for bug in bugs:
        if bug not in known:
            raise UsageError(f"--bug: no step can have {bug!r}{closest(bug, known)}")
    return planted


def _possible(step: Step) -> frozenset[str]:
    """Bugs that the step can have."""
    match step.work:
        case Conform(binding=binding):
            return BINDINGS[binding].bugs
        case Simulate(text=text, file=file) | Run(text=text, file=file):
            scenario = load(text, file)
            if scenario.expect.verdict == "pass":
                return frozenset(SYSTEMS[scenario.cluster.system].bugs)
    return frozenset()


def _with(step: Step, bugs: Sequence[str], out: Path) -> Step:
    mine = [bug for bug in bugs if bug in _possible(step)]
    if not mine:
        return step
    match step.work:
        case Conform() as work:
            changed = msgspec.structs.replace(work, bugs=(*work.bugs, *mine))
            return replace(step, work=changed)
        case Simulate() | Run() as scenario:
            text = _planted(scenario.text, scenario.file, mine)
            # Files of several folders may bear one name; a run is started from what is written.
            mark = hashlib.sha256(text.encode()).hexdigest()[:8]
            name = "-".join([Path(scenario.name).stem, "with", *mine, mark])
            file = out / "scenarios" / f"{name}.yaml"
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise WorldError(f"cannot write {file}: {error.strerror}") from error
            put(file, text.encode())
            return replace(
                step,
                work=msgspec.structs.replace(scenario, text=text, name=str(file), file=str(file)),
            )
    return step


def _planted(text: str, file: str, bugs: Sequence[str]) -> str:
    data = parse(text, file).data
    cluster = data.setdefault("cluster", {})
    everywhere = cluster.setdefault("bugs", {}).setdefault("all", [])
    everywhere.extend(bug for bug in bugs if bug not in everywhere)
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
