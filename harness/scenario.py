"""What a scenario says: models of its YAML, complaints that name file, line and field."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from .checkers.online import watched
from .errors import ScenarioError
from .fault import Fault
from .language.cluster_part import ClusterPart, unknown_names
from .language.complaints import Complaint, as_error, complaints
from .language.document import Document, Path, parse
from .language.document import spell as spell_path
from .language.doses import DOSES
from .language.selector import closest
from .language.selector import parse as parse_selector
from .language.sides import reach
from .language.steps import Part, RandomPart, Step, StepPart, Word
from .language.units import Duration, Patience, spell
from .nemeses import NEMESES
from .schedule import choice_problems, problems
from .systems import SYSTEMS
from .systems.replication import REPLICATION
from .targets.target import Capability
from .workloads import WORKLOADS, AnyOptions

DURATION_MIN_S, DURATION_MAX_S = 1.0, 3600.0
SEED_MAX = (1 << 63) - 1

PROMISES = (*(f"HS-{n}" for n in range(1, 27)), *(f"PR-{n}" for n in range(1, 32)))
"""Every promise there is, by the id under which docs/promises.md states it."""


def _promise(text: str) -> str:
    if text not in PROMISES:
        raise ValueError(f"{text!r} is no promise; there are HS-1 to HS-26 and PR-1 to PR-31")
    return text


Promise = Annotated[str, AfterValidator(_promise), WithJsonSchema({"enum": list(PROMISES)})]


def _capability(text: str) -> str:
    known = [capability.value for capability in Capability]
    if text not in known:
        raise ValueError(f"unknown capability {text!r}{closest(text, known)}")
    return text


Requirement = Annotated[
    str, AfterValidator(_capability), WithJsonSchema({"enum": [c.value for c in Capability]})
]


def _dose(text: str) -> str:
    if text not in DOSES:
        raise ValueError(f"unknown dose {text!r}{closest(text, list(DOSES))}")
    return text


Doses = Annotated[
    dict[Annotated[str, AfterValidator(_dose)], Annotated[int, Field(ge=1)]],
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                name: {"type": "integer", "minimum": 1, "description": dose.of}
                for name, dose in DOSES.items()
            },
            "additionalProperties": False,
        }
    ),
]


def _run_length(duration_s: float) -> float:
    if not DURATION_MIN_S <= duration_s <= DURATION_MAX_S:
        raise ValueError(
            f"a run lasts at least {spell(DURATION_MIN_S)} and at most {spell(DURATION_MAX_S)}, "
            f"not {spell(duration_s)}"
        )
    return duration_s


class LimitsPart(Part):
    """How long recovery may take after the final heal."""

    leader: Patience = 10.0
    first_ack: Patience = 10.0
    replicas: Patience = 15.0


class ExpectPart(Part):
    """What the run should find. `fail` is for seeded bugs: these promises must be seen to break."""

    verdict: Literal["pass", "fail"] = "pass"
    promises: list[Promise] = Field(default_factory=list)

    @model_validator(mode="after")
    def _a_failure_names_promises(self) -> "ExpectPart":
        if self.verdict == "fail" and not self.promises:
            raise ValueError("a scenario that expects `fail` names the `promises` that break")
        if self.verdict == "pass" and self.promises:
            raise ValueError("`promises` are those that break: they need `verdict: fail`")
        return self


class Scenario(Part):
    """One scenario: a group, what clients do, what goes wrong, and what to expect."""

    name: Word
    title: str = ""
    description: str = ""
    seed: int | None = Field(
        default=None, ge=0, le=SEED_MAX, description="Used where no other is given."
    )
    promises: list[Promise] = Field(default_factory=list)
    cluster: ClusterPart = Field(default_factory=ClusterPart)
    workload: AnyOptions
    duration: Annotated[Duration, AfterValidator(_run_length)]
    faults: list[Step] = Field(default_factory=list)  # type: ignore[valid-type]
    limits: LimitsPart = Field(default_factory=LimitsPart)
    expect: ExpectPart = Field(default_factory=ExpectPart)
    minimum: Doses = Field(
        default_factory=dict, description="Below any of these the run is inconclusive."
    )
    requires: list[Requirement] = Field(
        default_factory=list, description="What the target must be able to do besides the faults."
    )
    stop_on_violation: bool = Field(
        default=False, description="Check while the run goes on, and end it at what is wrong."
    )

    @property
    def steps(self) -> list[StepPart]:
        """The steps, as a type checker can know them."""
        return cast(list[StepPart], self.faults)

    def fixed(self) -> list[tuple[Path, Fault]]:
        """The steps that do not depend on the seed, each with its place."""
        return [
            (("faults", at), step.fault())
            for at, step in enumerate(self.steps)
            if step.random is None
        ]

    def random_parts(self) -> list[tuple[Path, RandomPart]]:
        """The steps that do, each with its place."""
        return [
            (("faults", at, "random"), step.random)
            for at, step in enumerate(self.steps)
            if step.random is not None
        ]

    def needs(self) -> frozenset[Capability]:
        """What a target must be able to do."""
        kinds = [fault.kind for _, fault in self.fixed()]
        kinds += [kind for _, part in self.random_parts() for kind, _ in part.kinds]
        return frozenset(
            {
                *(Capability(word) for word in self.requires),
                *(need for kind in kinds if (need := NEMESES[kind].requires) is not None),
            }
        )


def load(text: str, file: str) -> Scenario:
    """Read a scenario. Raises ScenarioError with every mistake, each with its line."""
    return read(parse(text, file))


def read(document: Document) -> Scenario:
    """Read a scenario that is data already. Raises as `load` does."""
    if not isinstance(document.data, dict):
        sentence = "a scenario is a mapping with the keys name, workload, …"
        raise ScenarioError(sentence, file=document.file)
    try:
        scenario = Scenario.model_validate(document.data)
    except ValidationError as error:
        raise as_error(complaints(error, document, schema()), document) from error
    found = list(_problems(scenario))
    if found:
        raise as_error(found, document)
    return scenario


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a scenario, for editors. Made once: read it, do not change it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Scenario.model_json_schema(by_alias=True),
    }


def _problems(scenario: Scenario) -> Iterator[Complaint]:
    cluster, members = scenario.cluster, scenario.cluster.aliases
    unnamed = list(unknown_names(cluster))
    yield from unnamed
    if not unnamed:
        for path, sentence in SYSTEMS[cluster.system].problems(cluster.setup()):
            yield ("cluster", *path), f"cluster.{sentence}"
    for path, sentence in problems(scenario.fixed(), members, scenario.duration):
        yield path, f"{spell_path(path)}: {sentence}"
    for path, fault in scenario.fixed():
        if fault.when is not None and not cluster.trace:
            where = (*path, "when")
            yield where, f"{spell_path(where)}: waits for what traces tell: `cluster.trace` is off"
    if scenario.minimum and not cluster.trace:
        yield ("minimum",), "minimum: counts what traces tell: `cluster.trace` is off"
    yield from _of_another_system(scenario)
    if not unnamed:
        yield from _kept_by_nobody(scenario)
    never = never_stopped(scenario) if scenario.stop_on_violation else None
    if never is not None:
        yield ("stop_on_violation",), f"stop_on_violation: {never}"
    words = [*members, "leader", *(fault.name for _, fault in scenario.fixed() if fault.name)]
    for path, sentence in scenario.workload.problems(words, scenario.duration):
        yield ("workload", *path), f"{spell_path(('workload', *path))}: {sentence}"
    for path, part in scenario.random_parts():
        if part.until > scenario.duration:
            yield (
                (*path, "until"),
                f"{spell_path(path)}.until: {spell(part.until)} is after the end of the run "
                f"({spell(scenario.duration)}, `duration`)",
            )
        for at, choice in enumerate(part.kinds):
            for sentence in choice_problems(choice, members):
                yield (*path, "from", at), f"{spell_path((*path, 'from', at))}: {sentence}"


def _kept_by_nobody(scenario: Scenario) -> Iterator[Complaint]:
    """Faults of a folder that nobody whom they can hit has: they would never take hold."""
    members, setup = scenario.cluster.aliases, scenario.cluster.setup()
    steps = [
        ((*path, fault.kind), fault.kind, fault.of, fault.target)
        for path, fault in scenario.fixed()
    ]
    steps += [
        ((*path, "from", at), kind, planned.get("of"), planned["target"])
        for path, part in scenario.random_parts()
        for at, (kind, planned) in enumerate(part.kinds)
        if planned is not None and "target" in planned
    ]
    for path, kind, said, target in steps:
        folder = said or NEMESES[kind].of
        if folder is None:
            continue
        selector = parse_selector(target)
        hit = (
            members if selector.negated else [m for w in selector.words for m in reach(w, members)]
        )
        kept = {name for m in hit for name in SYSTEMS[scenario.cluster.system].keeps(setup, m)}
        if folder not in kept:
            has = f"they have {', '.join(sorted(kept))}"
            yield path, f"{spell_path(path)}: none of these members keeps {folder}; {has}"


def never_stopped(scenario: Scenario) -> str | None:
    """Why nothing that is seen while it goes on could stop a run of this scenario, if so."""
    name = scenario.workload.named
    if watched(WORKLOADS[name].checkers):
        return None
    others = [one.name for one in WORKLOADS.values() if watched(one.checkers)]
    return (
        f"no check of `{name}` can be made while a run goes on; of these some can: "
        f"{', '.join(others)}"
    )


def _of_another_system(scenario: Scenario) -> Iterator[Complaint]:
    name, is_several = scenario.workload.named, scenario.cluster.is_several
    if WORKLOADS[name].of_several is is_several:
        return
    needs = f"`{name}` needs `cluster.system: {REPLICATION.name}`"
    other = f"`{name}` is about one group, not about a master and its slaves"
    yield ("workload", "name"), f"workload.name: {other if is_several else needs}"
