"""What clients do: which operations, in which proportion, and what is asked at the end."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ..language.complaints import Complaint
from ..language.units import Patience

CLIENTS_MAX = 256
RATE_MAX = 1_000_000


def _rate(raw: object) -> object:
    if raw == "max":
        return 0.0
    # NaN compares with nothing.
    if not isinstance(raw, int | float) or isinstance(raw, bool) or not 0 < raw <= RATE_MAX:
        raise ValueError(
            f"must be operations a second above 0, at most {RATE_MAX:,}, or max, not {raw!r}"
        )
    return float(raw)


OperationRate = Annotated[
    float,
    BeforeValidator(_rate),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": RATE_MAX},
                {"const": "max"},
            ]
        }
    ),
]
"""Operations a second of all clients together; 0 = as fast as answers come."""


class Options(BaseModel):
    """What every workload lets a scenario say."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    clients: int = Field(default=8, ge=1, le=CLIENTS_MAX)
    rate: OperationRate = 300.0
    op_timeout: Patience = 1.0
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


class Step(NamedTuple):
    """What to do: f and value; on the workload's own key unless it says another.

    A step with a `node` asks that member and nobody else, wherever its client is; without one the
    client asks where it is, and goes where refusals point if it is one of those that do.
    """

    f: str
    value: Any = None
    key: Any = None
    node: str | None = None


def no_steps(_: dict[str, Any]) -> tuple[Step, ...]:
    """No steps, whatever the options."""
    return ()


def nobody(_: dict[str, Any]) -> range:
    """No clients, whatever the options."""
    return range(0)


class Generator(Protocol):
    """One client's endless operations.

    Pure: the same seed, and the same answers in the same order, give the same operations.
    """

    def next(self) -> Step: ...

    def completed(self, step: Step, value: Any) -> None:
        """Learn from an operation that went well."""


class Settler(Protocol):
    """Puts a run to rest once its clients have stopped. Pure, as generators are."""

    def next(self) -> Step | None:
        """What to do now; None once there is nothing to wait for any more."""

    def completed(self, step: Step, value: Any) -> None:
        """Learn from an operation that went well."""

    def final(self) -> tuple[Step, ...]:
        """What is asked then."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload. To add one: write its file, then its name in the registry.

    Whatever clients do, the f of an acknowledged write is `append`: that is how checkers of
    recovery know one.
    """

    name: str
    options: type[Options]
    checkers: tuple[str, ...]
    key: str | None
    """What the operations are on; for people, and for checkers that split histories. None where
    each step has a key of its own; replicas are then compared in all that they hold."""
    setup: Callable[[dict[str, Any]], tuple[Step, ...]]
    """Planned options → what is done once before the clients start, again and again until it went
    well."""
    generators: Callable[[dict[str, Any], int, Sequence[str]], list[Generator]]
    """(planned options, seed, members) → what each client does."""
    proof: str
    """The f whose acknowledgement proves that the group serves again."""
    proofs: Callable[[dict[str, Any]], Iterator[Step]]
    """Planned options → endless operations of that kind, for the harness to do where the clients
    follow a script."""
    final: Callable[[dict[str, Any]], tuple[Step, ...]]
    """Planned options → what is asked once everything is quiet."""
    onward: Callable[[Step, int], Step] | None = None
    """(final step that was refused since rows are gone, first row that is there) → what is asked
    instead; None where no row goes."""
    everywhere: Callable[[dict[str, Any]], tuple[Step, ...]] = no_steps
    """Planned options → what every member is asked once the replicas were compared."""
    roaming: Callable[[dict[str, Any]], range] = nobody
    """Planned options → clients that find the members by themselves, and go on when one dies."""
    farewell: Step | None = None
    """What those do last, when everything is quiet."""
    settle: Callable[[dict[str, Any], int, Sequence[str]], Settler] | None = None
    """(planned options, seed, members) → who puts the run to rest, where replicas are not simply
    compared: what members hold is then asked in the final steps alone."""
    of_several: bool = False
    """Whether it is about a master and its slaves, and not about one group."""
    is_scripted: bool = False
    """Whether scenarios may script it (`ops`), so that a failure shrinks to a script."""
