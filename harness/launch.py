"""One scenario, by its name or file, at a place: looked up, planned and run."""

import random
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .crash import CrashPoint
from .errors import UsageError
from .language import shipped
from .language.selector import closest
from .lifecycle import Finished, Order, Report, execute
from .plan import NO_SWITCHES, Plan, Switches, plan
from .running import leases
from .running.progress import Progress
from .scenario import Scenario, load
from .simulate.keep import execute_simulated
from .targets.find import find
from .targets.sim import SIM
from .targets.target import RealTarget, Target

SEED_MAX = 999_999


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see run: the words of `delphic run`."""

    scenario: str
    target: str = "local"
    seed: int | None = None
    crash: tuple[CrashPoint, ...] = ()
    switches: Switches = NO_SWITCHES


def launch(
    asked: Asked,
    out: Path,
    show: Progress,
    report: Report,
    *,
    keep: bool = False,
    warn: Callable[[str], object] = lambda _: None,
) -> Finished:
    """Run it; `warn` is told what dead harnesses had left running.

    Raises UsageError before anything starts, WorldError where nothing is left to judge.
    """
    text, file = shipped.text_of(asked.scenario)
    loaded = load(text, file)
    with find(asked.target, loaded.cluster.aliases) as where:
        planned = _planned(loaded, asked, where)
        for sentence in leases.heal()[0]:
            warn(sentence)
        if isinstance(where, RealTarget):
            return execute(Order(planned, text, out, keep, where), show, report)
        return execute_simulated(Order(planned, text, out, keep), show, report)


def _planned(scenario: Scenario, asked: Asked, where: Target) -> Plan:
    """The plan, once everything that it needs is known to be there. Raises UsageError."""
    target = where.name
    check_capabilities(scenario, where)
    chosen = scenario.seed if asked.seed is None else asked.seed
    if chosen is None:
        chosen = random.SystemRandom().randint(0, SEED_MAX)
    _check_crashes(asked.crash, scenario, target)
    if asked.switches.lockstep and target != SIM.name:
        raise UsageError(f"--lockstep: only target {SIM.name} can do it, not {target}")
    asked.switches.check(scenario)
    on = [] if target == "local" else ["--on", target]
    crashes = [word for point in asked.crash for word in ("--crash", str(point))]
    words = ["delphic", "run", asked.scenario, "--seed", str(chosen), *on, *crashes]
    command = shlex.join([*words, *asked.switches.words()])
    return plan(
        scenario,
        seed=chosen,
        target=target,
        command=command,
        crash=asked.crash,
        switches=asked.switches,
        inventory=where.inventory_digest,
    )


def check_capabilities(scenario: Scenario, where: Target) -> None:
    """Raises UsageError, which says what is missing and why."""
    missing = sorted(scenario.needs() - where.capabilities)
    if missing:
        has = ", ".join(sorted(capability.value for capability in where.capabilities))
        why = [f"{one.value}: {where.reasons[one]}" for one in missing if one in where.reasons]
        raise UsageError(
            f"{scenario.name} needs {', '.join(missing)}, which target {where.name} cannot do "
            f"(it can: {has}){''.join(f'; {one}' for one in why)}"
        )


def _check_crashes(crash: tuple[CrashPoint, ...], scenario: Scenario, target: str) -> None:
    """Raises UsageError where there is nobody to crash."""
    if crash and target != SIM.name:
        raise UsageError(f"--crash: only target {SIM.name} can do it, not {target}")
    members = scenario.cluster.aliases
    for point in crash:
        if point.node not in members:
            raise UsageError(f"--crash {point}: no such member{closest(point.node, members)}")
