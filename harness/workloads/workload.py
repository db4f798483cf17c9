"""What clients do: which operations, in which proportion, and what is asked at the end."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ..complaints import Complaint
from ..units import Duration


def _rate(raw: object) -> object:
    if raw == "max":
        return 0.0
    if isinstance(raw, bool) or not isinstance(raw, int | float) or raw <= 0:
        raise ValueError(f"must be operations a second above 0, or max, not {raw!r}")
    return float(raw)


OperationRate = Annotated[
    float,
    BeforeValidator(_rate),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "max"}]}),
]
"""Operations a second of all clients together; 0 = as fast as answers come."""


class Options(BaseModel):
    """What every workload lets a scenario say."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    clients: int = Field(default=8, ge=1, le=256)
    rate: OperationRate = 300.0
    op_timeout: Duration = 1.0
    routing: Literal["mixed", "follow", "home"] = Field(
        default="mixed",
        description="follow: clients go where NotLeader points; home: each stays at its member, "
        "so that both sides of a partition keep clients; mixed: every second client.",
    )

    named: ClassVar[str]

    def planned(self) -> dict[str, Any]:
        """The JSON of these options in plan.json."""
        return {
            "name": self.named,
            "clients": self.clients,
            "rate": self.rate,
            "op_timeout_s": self.op_timeout,
            "routing": self.routing,
        }

    def problems(self, words: Sequence[str], duration_s: float) -> Iterator[Complaint]:
        """What cannot work in a run of this length; places are below `self`.

        `words` are those that mean a member: aliases, `leader`, names that steps give.
        """
        yield from ()


class Scripted(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation of a script, as plan.json has it: who does what, and when.

    `at_s` counts from the start of the main phase. `node` is a word for the member that is asked;
    without one, the client asks where it is.
    """

    client: int
    at_s: float
    f: str
    value: Any
    node: str | None = None


Step = tuple[str, Any]
"""What to do: f and value."""


class Generator(Protocol):
    """One client's endless operations.

    Pure: the same seed, and the same answers in the same order, give the same operations.
    """

    def next(self) -> Step: ...

    def completed(self, step: Step, value: Any) -> None:
        """Learn from an operation that went well."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload. To add one: write its file, then one line in the registry."""

    name: str
    options: type[Options]
    checkers: tuple[str, ...]
    key: str
    """What the operations are on; for people, and for checkers that split histories."""
    setup: tuple[Step, ...]
    """Done once before the clients start, again and again until it went well."""
    generators: Callable[[dict[str, Any], int], list[Generator]]
    """(planned options, seed) → what each client does."""
    proof: str
    """The f whose acknowledgement proves that the group serves again."""
    proofs: Callable[[dict[str, Any]], Iterator[Step]]
    """Planned options → endless operations of that kind, for the harness to do where the clients
    follow a script."""
    final: tuple[Step, ...]
    """Asked once everything is quiet."""
