"""All that is decided about a run before anything starts: pure data, from a seed."""

import random
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from .crash import CrashPoint
from .errors import UsageError
from .evidence import Limits
from .fault import Fault
from .reading import from_data, from_json
from .scenario import Scenario, never_stopped
from .schedule import draw, ordered
from .system import Option, Setup, SideSetup
from .systems import SYSTEMS
from .workloads import WORKLOADS
from .workloads.workload import Scripted

SCHEMA = 1

_OF_OURS = "a plan of this version of Delphic"


class Expectation(msgspec.Struct, frozen=True):
    """What the run should find: no broken promise, or one of these broken."""

    validity: Literal["pass", "fail"] = "pass"
    promises: tuple[str, ...] = ()


class Load(msgspec.Struct, frozen=True):
    """What every workload plans; the rest of `Plan.workload` is the workload's own."""

    name: str
    clients: int
    rate: float
    op_timeout_s: float
    routing: Literal["mixed", "follow", "home"]
    ops: tuple[Scripted, ...] | None = None
    """Everything that clients do, where it is scripted."""

    def script(self, client: int) -> tuple[Scripted, ...]:
        """What one client does, where it is scripted."""
        return tuple(op for op in self.ops or () if op.client == client)


class Plan(msgspec.Struct, frozen=True):
    """plan.json. The same scenario and the same seed give the same bytes."""

    schema: int
    scenario: str
    title: str
    description: str
    seed: int
    target: str
    system: str
    members: tuple[str, ...]
    config: dict[str, Option]
    node_config: dict[str, dict[str, Option]]
    bugs: dict[str, tuple[str, ...]]
    trace: bool
    workload: dict[str, Any]
    duration_s: float
    faults: tuple[Fault, ...]
    limits: Limits
    promises: tuple[str, ...]
    expect: Expectation
    requires: tuple[str, ...]
    command: str
    crash: tuple[CrashPoint, ...] = ()
    """Where members crash in their first life; simulated worlds alone can do it."""
    lockstep: bool = False
    """Whether the model runs beside every member and ends the run at the first step that is none of
    its own; simulated worlds alone can do it."""
    minimum: dict[str, int] = {}
    """How much of what the run must have to say something: names of doses."""
    sides: tuple[SideSetup, ...] = ()
    """The clusters, where the system is several."""
    facts: dict[str, Any] = {}
    """What the configuration says about what is right, for checkers."""
    inventory: str | None = None
    """Where members live on hosts of a file: the SHA-256 of its text, which holds no secrets."""
    stop_on_violation: bool = False
    """Whether checks are made while the run goes on, and what one sees ends its main phase."""

    @property
    def load(self) -> Load:
        """The part of the workload that the runner needs."""
        return msgspec.convert(self.workload, Load)

    @property
    def setup(self) -> Setup:
        """What the system is configured with."""
        return Setup(self.members, self.config, self.node_config, self.bugs, self.trace, self.sides)


@dataclass(frozen=True, slots=True)
class Switches:
    """What the command, and not the scenario alone, says about what ends a run early."""

    lockstep: bool = False
    stop_on_violation: bool = False

    def words(self) -> list[str]:
        """The options of a command that says the same."""
        options = {"--lockstep": self.lockstep, "--stop-on-violation": self.stop_on_violation}
        return [option for option, is_on in options.items() if is_on]

    def check(self, scenario: Scenario) -> None:
        """Raises UsageError where there would be nothing to stop at."""
        never = never_stopped(scenario) if self.stop_on_violation else None
        if never is not None:
            raise UsageError(f"--stop-on-violation: {never}")


NO_SWITCHES = Switches()


def plan(
    scenario: Scenario,
    *,
    seed: int,
    target: str,
    command: str,
    crash: tuple[CrashPoint, ...] = (),
    switches: Switches = NO_SWITCHES,
    inventory: str | None = None,
) -> Plan:
    """Decide everything that chance decides before a run; `command` is what repeats it."""
    setup = scenario.cluster.setup()
    return Plan(
        schema=SCHEMA,
        scenario=scenario.name,
        title=scenario.title,
        description=scenario.description,
        seed=seed,
        target=target,
        system=scenario.cluster.system,
        members=setup.members,
        config=setup.config,
        node_config=setup.node_config,
        bugs=setup.bugs,
        trace=setup.trace,
        workload=scenario.workload.planned(),
        duration_s=scenario.duration,
        faults=_faults(scenario, seed),
        limits=Limits(
            leader_s=scenario.limits.leader,
            first_ack_s=scenario.limits.first_ack,
            replicas_s=scenario.limits.replicas,
        ),
        promises=tuple(scenario.promises),
        expect=Expectation(scenario.expect.verdict, tuple(scenario.expect.promises)),
        requires=tuple(sorted(capability.value for capability in scenario.needs())),
        command=command,
        crash=crash,
        lockstep=switches.lockstep,
        minimum=scenario.minimum,
        sides=setup.sides,
        facts=SYSTEMS[scenario.cluster.system].facts(setup),
        inventory=inventory,
        stop_on_violation=switches.stop_on_violation or scenario.stop_on_violation,
    )


def _faults(scenario: Scenario, seed: int) -> tuple[Fault, ...]:
    """The steps as written, then those that the seed drew."""
    members = scenario.cluster.aliases
    faults = [fault for _, fault in scenario.fixed()]
    for number, (_, part) in enumerate(scenario.random_parts()):
        faults += draw(
            part.kinds,
            every_s=part.every,
            for_s=part.lasting,
            until_s=part.until,
            members=members,
            chance=random.Random(f"{seed}/faults/{number}"),
        )
    return ordered(faults, members, seed)


def encode(planned: Plan) -> bytes:
    """plan.json, indented for people."""
    return msgspec.json.format(msgspec.json.encode(planned), indent=2) + b"\n"


def decode(data: bytes, file: str) -> Plan:
    """Read plan.json. Raises UsageError where it is none, or of another version."""
    found = from_json(data, Plan, file, _OF_OURS)
    load = from_data(found.workload, Load, f"{file}: workload", _OF_OURS)
    strange = {
        f"schema {found.schema}, not {SCHEMA}": found.schema != SCHEMA,
        f"there is no workload {load.name!r}": load.name not in WORKLOADS,
        f"there is no system {found.system!r}": found.system not in SYSTEMS,
    }
    for sentence, is_so in strange.items():
        if is_so:
            raise UsageError(f"{file}: not {_OF_OURS}: {sentence}")
    return found
