"""gate.yaml: models of its YAML, complaints that name file, line and field."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    WithJsonSchema,
)

from ..errors import ScenarioError
from ..formats import FORMATS
from ..judging.partition import Partition
from ..language.complaints import BRANCH, Complaint, as_error, complaints
from ..language.document import Document, parse
from ..language.selector import closest
from ..language.steps import Part, Word
from ..language.units import Duration
from ..schema import IDENTIFIER
from ..simulate.cli import seeds_in
from .step import KINDS, Expected


def _seeds(raw: object) -> tuple[int, int]:
    """`1..20`, both included, or 20 for the same."""
    found = seeds_in(str(raw)) if isinstance(raw, str | int) else None
    if found is None or isinstance(raw, bool):
        raise ValueError(f"must be seeds like 1..20, or 20 for the same, not {raw!r}")
    return found.start, found.stop - 1


def _several(raw: object) -> object:
    return [raw] if isinstance(raw, str) else raw


def _option(raw: object) -> str:
    """A bound as the command line has it."""
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, int | str):
        return str(raw)
    raise ValueError(f"must be a whole number, true, false or a word, not {raw!r}")


SeedRange = Annotated[
    tuple[int, int],
    BeforeValidator(_seeds),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1},
                              {"type": "string", "pattern": r"^\d+\.\.\d+$"}]}),
]  # fmt: skip
Names = Annotated[
    list[str],
    BeforeValidator(_several),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Bound = Annotated[
    str, BeforeValidator(_option), WithJsonSchema({"type": ["integer", "boolean", "string"]})
]


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(f"unknown format {text!r}{closest(text, [*FORMATS])}")
    return text


Format = Annotated[str, AfterValidator(_format), WithJsonSchema({"enum": [*FORMATS]})]


class StepPart(Part):
    """What every step may say."""

    name: str | None = Field(default=None, min_length=1, description="How summaries call it.")
    budget: Duration | None = Field(default=None, description="The longest that it may take.")
    watch: list[str] = Field(
        default_factory=list,
        description="Files, as patterns, that it depends on besides those that Delphic knows of.",
    )


class ExplorePart(StepPart):
    """Every reachable state of a model."""

    explore: Names = Field(description="Models: delphic explore --list.")
    bounds: dict[str, Bound] = Field(default_factory=dict)
    network: str | None = Field(default=None, description="soup, bag:K or fifo:K.")
    symmetry: bool = False
    properties: list[str] = Field(default_factory=list, description="These only.")
    mutant: str | None = Field(default=None, description="Make a known mistake.")
    expect: Expected = "pass"


class ConformPart(StepPart):
    """The implementation against its models."""

    conform: Names = Field(description="Bindings: delphic conform --list.")
    bounds: Literal["small", "documented"] = "small"
    bugs: list[str] = Field(default_factory=list, description="Seeded bugs to switch on.")
    expect: Expected = "pass"


class SimulatePart(StepPart):
    """Simulated worlds of scenarios; what they show is no flake, and never retried."""

    simulate: Names = Field(description="Scenarios by name, or files of your own.")
    seeds: SeedRange | None = Field(default=None, description="Like 1..20.")
    lockstep: bool = False
    crash_points: bool = False


class RunPart(StepPart):
    """Runs of scenarios on real processes, here or on hosts."""

    run: Names = Field(description="Scenarios by name, or files of your own.")
    target: str = Field(default="local", description="local, lab, lab:N or a file of hosts.")
    seeds: SeedRange | None = Field(default=None, description="A run for each; else one.")


class CheckPart(StepPart):
    """Histories, or run directories, that are given."""

    check: Names = Field(description="Files, patterns of files, or run directories.")
    spec: str | None = Field(default=None, description="What they are histories of.")
    format: Format | None = None
    partition: Literal["key", "first", "none"] | None = None
    expect: Expected = "pass"


PARTS = {
    "explore": ExplorePart,
    "conform": ConformPart,
    "simulate": SimulatePart,
    "run": RunPart,
    "check": CheckPart,
}
assert tuple(PARTS) == KINDS
assert {one.value for one in Partition} == {"key", "first", "none"}


def _branch(raw: Any) -> str:
    said = [kind for kind in PARTS if kind in raw] if isinstance(raw, dict) else []
    return f"{BRANCH}{said[0] if said else 'explore'}"


AnyPart = Annotated[
    Annotated[ExplorePart, Tag(f"{BRANCH}explore")]
    | Annotated[ConformPart, Tag(f"{BRANCH}conform")]
    | Annotated[SimulatePart, Tag(f"{BRANCH}simulate")]
    | Annotated[RunPart, Tag(f"{BRANCH}run")]
    | Annotated[CheckPart, Tag(f"{BRANCH}check")],
    Discriminator(_branch),
]

Retriable = Literal["inconclusive", "hosts", "broken"]
_RETRIED: tuple[Retriable, ...] = ("inconclusive", "hosts")


class FlakesPart(Part):
    """Which runs on real processes are tried again. Simulated ones never are."""

    retries: int = Field(default=0, ge=0, le=5)
    of: list[Retriable] = Field(default_factory=lambda: list(_RETRIED))


class GatePart(Part):
    """A gate: what is done, in this order, and how long all of it may take."""

    name: Word = "gate"
    budget: Duration = 600.0
    jobs: int | None = Field(default=None, ge=1, le=64, description="By default one a core.")
    baseline: str | None = Field(default=None, description="The file of known failures.")
    flakes: FlakesPart = Field(default_factory=FlakesPart)
    ignore: list[str] = Field(
        default_factory=lambda: ["*.md", "docs/**", "LICENSE"],
        description="Files, as patterns, of which --since knows that nothing depends on them.",
    )
    steps: list[AnyPart] = Field(min_length=1)


def load(text: str, file: str) -> tuple[GatePart, Document]:
    """Read a gate. Raises ScenarioError with every mistake, each with its line."""
    document = parse(text, file)
    if not isinstance(document.data, dict):
        sentence = "a gate is a mapping with the keys budget, steps, …"
        raise ScenarioError(sentence, file=file)
    unclear = list(_unclear(document))
    if unclear:
        raise as_error(unclear, document)
    try:
        return GatePart.model_validate(document.data), document
    except ValidationError as error:
        raise as_error(complaints(error, document, schema()), document) from error


def _unclear(document: Document) -> Iterator[Complaint]:
    """Steps of which nobody knows what they do; whatever else they say cannot be judged."""
    steps = document.data.get("steps")
    for at, raw in enumerate(steps if isinstance(steps, list) else ()):
        path = ("steps", at)
        if not isinstance(raw, dict):
            yield path, f"steps[{at}]: must be a mapping like {{explore: raft}}, not {raw!r}"
            continue
        said = [kind for kind in PARTS if kind in raw]
        if len(said) > 1:
            yield path, f"steps[{at}]: does {' and '.join(said)}: make a step of each"
        elif not said:
            first = next(iter(raw), "")
            yield path, f"steps[{at}]: does nothing{closest(first, KINDS)}"


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of gate.yaml, for editors. Made once: read it, do not change it."""
    return {"$schema": IDENTIFIER, **GatePart.model_json_schema(by_alias=True)}
