"""What a scenario says: models of its YAML, complaints that name file, line and field."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
    model_validator,
)

from .complaints import Complaint, complaints
from .document import Document, Path, parse
from .document import spell as spell_path
from .errors import ScenarioError
from .fault import Fault
from .nemeses import NEMESES
from .schedule import DRAWABLE, Choice, choice_problems, problems
from .selector import closest
from .system import Option, Setup
from .systems import SYSTEMS
from .targets.target import Capability
from .units import Duration, spell
from .workloads import AnyOptions

MEMBERS_MIN, MEMBERS_MAX = 3, 9
"""A group needs three (HS-19); more than nine processes on one machine measure the machine."""

DURATION_MIN_S, DURATION_MAX_S = 1.0, 3600.0

_WORD = r"[a-z][a-z0-9-]*"

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


def _word(text: str) -> str:
    if not re.fullmatch(_WORD, text):
        raise ValueError(f"must be lower-case letters, digits and hyphens, not {text!r}")
    return text


Word = Annotated[str, AfterValidator(_word), WithJsonSchema({"type": "string", "pattern": _WORD})]


def _run_length(duration_s: float) -> float:
    if not DURATION_MIN_S <= duration_s <= DURATION_MAX_S:
        raise ValueError(
            f"a run lasts at least {spell(DURATION_MIN_S)} and at most {spell(DURATION_MAX_S)}, "
            f"not {spell(duration_s)}"
        )
    return duration_s


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _option(raw: object) -> object:
    if not isinstance(raw, str | int | float | bool):
        raise ValueError(f"must be text, a number, true or false, not {raw!r}")
    return raw


ConfigValue = Annotated[Option, BeforeValidator(_option)]


def _system(name: str) -> str:
    if name not in SYSTEMS:
        raise ValueError(f"unknown system {name!r}{closest(name, list(SYSTEMS))}")
    return name


class ClusterPart(_Part):
    """The group under test."""

    system: Annotated[str, AfterValidator(_system)] = "hastream"
    members: int = Field(default=3, ge=MEMBERS_MIN, le=MEMBERS_MAX)
    config: dict[str, ConfigValue] = Field(
        default_factory=dict, description="Options of every member."
    )
    node_config: dict[str, dict[str, ConfigValue]] = Field(
        default_factory=dict, description="Options of single members, by alias."
    )
    bugs: dict[str, list[str]] = Field(
        default_factory=dict, description="Seeded bugs by alias, or `all`."
    )
    trace: bool = Field(default=True, description="Whether members write traces.")

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(f"n{number}" for number in range(1, self.members + 1))

    def setup(self) -> Setup:
        """What the system is configured with."""
        bugs = {
            alias: tuple(dict.fromkeys([*self.bugs.get("all", []), *self.bugs.get(alias, [])]))
            for alias in self.aliases
        }
        return Setup(
            members=self.aliases,
            config=self.config,
            node_config=self.node_config,
            bugs={alias: found for alias, found in bugs.items() if found},
            trace=self.trace,
        )


class LimitsPart(_Part):
    """How long recovery may take after the final heal."""

    leader: Duration = 10.0
    first_ack: Duration = 10.0
    replicas: Duration = 15.0


class ExpectPart(_Part):
    """What the run should find. `fail` is for seeded bugs: these promises must be seen to break."""

    verdict: Literal["pass", "fail"] = "pass"
    promises: list[Promise] = Field(default_factory=list)

    @model_validator(mode="after")
    def _a_failure_names_promises(self) -> "ExpectPart":
        if self.verdict == "fail" and not self.promises:
            raise ValueError("a scenario that expects `fail` names the `promises` that break")
        return self


def _choice(raw: object) -> Choice:
    kind, value = (
        next(iter(raw.items())) if isinstance(raw, dict) and len(raw) == 1 else (raw, None)
    )
    if kind not in DRAWABLE:
        raise ValueError(f"unknown fault {kind!r}{closest(str(kind), DRAWABLE)}")
    if value is None:
        return kind, None
    try:
        return kind, NEMESES[kind].planned(value)
    except ValidationError as error:
        raise ValueError(
            f"{kind}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
        ) from error


class RandomPart(_Part):
    """Faults that the seed draws before the run: one in every stretch of `every`."""

    kinds: list[
        Annotated[
            Any,
            BeforeValidator(_choice),
            WithJsonSchema({"anyOf": [{"enum": DRAWABLE}, {"type": "object", "maxProperties": 1}]}),
        ]
    ] = Field(alias="from", min_length=1)
    every: Duration
    lasting: Duration = Field(alias="for")
    until: Duration

    @model_validator(mode="after")
    def _fits(self) -> "RandomPart":
        if self.lasting >= self.every:
            raise ValueError("`for` must be shorter than `every`: each fault ends before the next")
        if self.until < 2 * self.every:
            raise ValueError("`until` leaves room for no fault: it is at least twice `every`")
        return self


class StepPart(_Part):
    """One step: a moment (`at`, `after` or `then`) and one kind of fault."""

    at: Duration | None = Field(default=None, description="From the start of the run.")
    after: Literal["new-leader"] | None = Field(
        default=None, description="When a leader of a higher term than at the step before is seen."
    )
    then: Duration | None = Field(default=None, description="So long after the step before it.")
    within: Duration | None = Field(default=None, description="How long `after` waits.")
    lasting: Duration | None = Field(default=None, alias="for", description="Undone so much later.")
    named: Word | None = Field(
        default=None,
        alias="as",
        description="A word for the members that it hits, for later steps.",
    )
    random: RandomPart | None = None

    @property
    def kind(self) -> str:
        """The kind of fault, as YAML says it."""
        return next(kind for kind in (*NEMESES, "random") if self._value(kind) is not None)

    def _value(self, kind: str) -> Any:
        return getattr(self, _field_name(kind))

    def fault(self) -> Fault:
        """The step as the plan has it. Not for `random`."""
        return Fault(
            kind=self.kind,
            at_s=self.at,
            after=self.after,
            then_s=self.then,
            within_s=self.within,
            for_s=self.lasting,
            name=self.named,
            **NEMESES[self.kind].plan(self._value(self.kind)),
        )

    @model_validator(mode="after")
    def _says_one_thing(self) -> "StepPart":
        kinds = [kind for kind in (*NEMESES, "random") if self._value(kind) is not None]
        if len(kinds) != 1:
            said = " and ".join(kinds) or "none"
            raise ValueError(f"says one fault of {', '.join((*NEMESES, 'random'))}; found {said}")
        kind = kinds[0]
        moments = [word for word in ("at", "after", "then") if getattr(self, word) is not None]
        others = [*moments, *(w for w, v in (("for", self.lasting), ("as", self.named)) if v)]
        if kind == "random":
            if others:
                raise ValueError(f"`random` draws its own moments; remove `{others[0]}`")
        elif len(moments) != 1:
            found = " and ".join(moments) or "none"
            raise ValueError(f"needs one moment of at, after, then; found {found}")
        elif self.lasting is not None and NEMESES[kind].undo is None:
            raise ValueError(f"`{kind}` undoes other faults; it has no `for`")
        if (self.within is None) != (self.after is None):
            raise ValueError("`after` and `within` go together: the event, and how long to wait")
        return self


def _field_name(kind: str) -> str:
    return kind.replace("-", "_")


_kinds: dict[str, Any] = {
    _field_name(nemesis.kind): (
        nemesis.value | None,
        Field(default=None, alias=nemesis.kind, description=nemesis.about),
    )
    for nemesis in NEMESES.values()
}
Step = create_model("Step", __base__=StepPart, **_kinds)
"""A step with a key for every kind of fault in the registry."""


class Scenario(_Part):
    """One scenario: a group, what clients do, what goes wrong, and what to expect."""

    name: Word
    title: str = ""
    description: str = ""
    seed: int | None = Field(default=None, ge=0, description="Used where no other is given.")
    promises: list[Promise] = Field(default_factory=list)
    cluster: ClusterPart = Field(default_factory=ClusterPart)
    workload: AnyOptions
    duration: Annotated[Duration, AfterValidator(_run_length)]
    faults: list[Step] = Field(default_factory=list)  # type: ignore[valid-type]
    limits: LimitsPart = Field(default_factory=LimitsPart)
    expect: ExpectPart = Field(default_factory=ExpectPart)
    requires: list[Requirement] = Field(
        default_factory=list, description="What the target must be able to do besides the faults."
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
            {*(Capability(word) for word in self.requires), *(NEMESES[k].requires for k in kinds)}
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
        raise _error(complaints(error, document, schema()), document) from error
    found = list(_problems(scenario))
    if found:
        raise _error(found, document)
    return scenario


def schema() -> dict[str, Any]:
    """The JSON Schema of a scenario, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Scenario.model_json_schema(by_alias=True),
    }


def _problems(scenario: Scenario) -> Iterator[Complaint]:
    cluster, members = scenario.cluster, scenario.cluster.aliases
    unnamed = list(_unknown_names(cluster))
    yield from unnamed
    if not unnamed:
        for path, sentence in SYSTEMS[cluster.system].problems(cluster.setup()):
            yield ("cluster", *path), f"cluster.{sentence}"
    for path, sentence in problems(scenario.fixed(), members, scenario.duration):
        yield path, f"{spell_path(path)}: {sentence}"
    for path, sentence in scenario.workload.problems(members, scenario.duration):
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


def _unknown_names(cluster: ClusterPart) -> Iterator[Complaint]:
    members = cluster.aliases
    for section, words in (
        ("node_config", list(cluster.node_config)),
        ("bugs", [alias for alias in cluster.bugs if alias != "all"]),
    ):
        for alias in words:
            if alias not in members:
                known = (*members, "all") if section == "bugs" else members
                yield (
                    ("cluster", section, alias),
                    f"cluster.{section}.{alias}: no such member{closest(alias, known)}",
                )
    bugs = sorted(SYSTEMS[cluster.system].bugs)
    for alias, names in cluster.bugs.items():
        for at, name in enumerate(names):
            if name not in bugs:
                where = f"cluster.bugs.{alias}[{at}]"
                yield (
                    ("cluster", "bugs", alias, at),
                    f"{where}: unknown bug {name!r}{closest(name, bugs)}",
                )


def _error(found: list[Complaint], document: Document) -> ScenarioError:
    """One error that says all complaints, a line each, in the order of the text."""
    placed = sorted(((document.line(path), text) for path, text in found), key=lambda c: c[0] or 0)
    (line, first), *others = placed
    more = [f"\n{ScenarioError(text, file=document.file, line=at)}" for at, text in others]
    return ScenarioError(first + "".join(more), file=document.file, line=line)
