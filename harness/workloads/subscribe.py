"""Producers, and subscribers that lose their connections, crash and come back."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from ..checkers import LOG_CHECKERS
from ..checkers.subscriptions import SUBSCRIPTIONS
from .log import (
    TABLE,
    Batch,
    CacheLimit,
    LogGenerator,
    Tail,
    created,
    limited,
    proofs,
    whole,
)
from .workload import Generator, Options, Step, Workload

LATEST, STORED, EARLIEST = -1, -2, -3

BATCH_SIZES = (0, 0, 5)

FILTERS = ([0], None, None, [1, 2])
"""Which places of a batch one subscriber wants, and the next; half of both kinds want all."""


class SubscribeOptions(Options):
    """Appends and polls, and the last of the clients subscribe.

    Every second subscriber, the first one too, stores its offset and goes on from there after a
    crash; the others begin anew, where chance says.
    """

    named: ClassVar[str] = "subscribe"

    name: Literal["subscribe"]
    batch: Batch = Field(default_factory=lambda: Batch(min=1, max=4))
    read_share: float = Field(default=0.1, ge=0, lt=1)
    cache_limit: CacheLimit = 0
    subscribers: int = Field(default=4, ge=1, le=64, description="So many of the clients.")
    filtered: bool = Field(
        default=False, description="Half of them want certain rows of each batch only."
    )
    crashes: float = Field(
        default=0.02, ge=0, le=1, description="Share of a subscriber's operations."
    )
    disconnects: float = Field(
        default=0.02, ge=0, le=1, description="Share of a subscriber's operations."
    )
    failing: float = Field(default=0.02, ge=0, lt=1, description="Share of a handler's calls.")

    @model_validator(mode="after")
    def _some_produce(self) -> "SubscribeOptions":
        if self.subscribers >= self.clients:
            raise ValueError(
                f"of {self.clients} `clients`, {self.subscribers} `subscribers` leave no producer"
            )
        if self.crashes + self.disconnects >= 1:
            raise ValueError("`crashes` and `disconnects` leave no share for receiving")
        return self

    def planned(self) -> dict[str, Any]:
        return {
            **super().planned(),
            **limited(self.cache_limit),
            "batch": [self.batch.min, self.batch.max],
            "read_share": self.read_share,
            "subscribers": self.subscribers,
            **({"filtered": True} if self.filtered else {}),
            "crashes": self.crashes,
            "disconnects": self.disconnects,
            "failing": self.failing,
        }


@dataclass(slots=True)
class SubscriberGenerator:
    """One subscriber: subscribes where it is not, receives, and now and then something happens."""

    random: random.Random
    persists: bool
    crashes: float
    disconnects: float
    failing: float
    places: list[int] | None = None
    """Of which places of a batch it wants the rows; None: of all."""
    is_live: bool = False
    ran: bool = False

    def next(self) -> Step:
        if not self.is_live:
            return Step("subscribe", self._ask())
        kind = self.random.random()
        if kind < self.crashes:
            return Step("crash")
        if kind < self.crashes + self.disconnects:
            return Step("disconnect")
        return Step("receive")

    def completed(self, step: Step, value: Any) -> None:
        ended = any(event[0] == "ended" for event in value)
        self.ran = self.ran or any(event[0] == "live" for event in value)
        self.is_live = step.f != "crash" and not ended

    def _ask(self) -> dict[str, Any]:
        offset = self.random.choice((0, 0, LATEST, EARLIEST))
        filtered = {} if self.places is None else {"places": self.places}
        return {
            **filtered,
            "offset": STORED if self.persists and self.ran else offset,
            "persist": self.persists,
            "batch_size": self.random.choice(BATCH_SIZES),
            "failing": self.failing,
        }


def prepared(options: dict[str, Any]) -> tuple[Step, ...]:
    """The table, with a filter column where subscribers choose by it."""
    steps = created(options)
    return (*steps, Step("filter", "device")) if options.get("filtered") else steps


def roaming(options: dict[str, Any]) -> range:
    """The last clients subscribe."""
    return range(options["clients"] - options["subscribers"], options["clients"])


def generators(options: dict[str, Any], seed: int, _: Sequence[str] = ()) -> list[Generator]:
    """One generator a client, each with its own stream of chance."""
    producers = options["clients"] - options["subscribers"]
    low, high = options["batch"]
    tail = Tail()
    found: list[Generator] = [
        LogGenerator(
            random.Random(f"{seed}/client/{number}"),
            tail,
            number,
            producers,
            (low, high),
            options["read_share"],
        )
        for number in range(producers)
    ]
    for number in roaming(options):
        at = number - producers
        found.append(
            SubscriberGenerator(
                random.Random(f"{seed}/client/{number}"),
                at % 2 == 0,
                options["crashes"],
                options["disconnects"],
                options["failing"],
                FILTERS[at % len(FILTERS)] if options.get("filtered") else None,
            )
        )
    return found


SUBSCRIBE = Workload(
    name="subscribe",
    options=SubscribeOptions,
    checkers=(LOG_CHECKERS[0], SUBSCRIPTIONS.name, *LOG_CHECKERS[1:]),
    key=TABLE,
    setup=prepared,
    generators=generators,
    proof="append",
    proofs=proofs,
    final=whole,
    roaming=roaming,
    farewell=Step("drain"),
)
