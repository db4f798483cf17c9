"""Appends through the leader, and polls of what any member has: in the manner of Kafka's log."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..checkers import LOG_CHECKERS
from ..checkers.log_poll import LOG_POLL as CHECKER
from .log import TABLE, Batch, Tail, created, proofs, whole
from .workload import Generator, Options, Step, Workload

_ON_SHARE, _NEAR_SHARE = 0.5, 0.35
"""Of the polls: those that go on where this client has stopped at that member, and those near the
end that any client has seen. The others begin anywhere."""

_NEAR = 20
_POLL_MAX = (5, 20, 100)


class LogPollOptions(Options):
    """Appends of unique rows to one table, and polls at every member."""

    named: ClassVar[str] = "log-poll"

    name: Literal["log-poll"]
    batch: Batch = Field(default_factory=lambda: Batch(min=1, max=4))
    poll_share: float = Field(default=0.6, ge=0, lt=1)

    def planned(self) -> dict[str, Any]:
        batch = [self.batch.min, self.batch.max]
        return {**super().planned(), "batch": batch, "poll_share": self.poll_share}


@dataclass(slots=True)
class LogPollGenerator:
    """One client. Its row ids are `client + n * clients`: unique in the run."""

    random: random.Random
    tail: Tail
    members: Sequence[str]
    next_id: int
    stride: int
    batch: tuple[int, int]
    poll_share: float
    seen: dict[str, int] = field(default_factory=dict)
    """How far this client has come at each member."""

    def next(self) -> Step:
        if self.random.random() < self.poll_share:
            member = self.random.choice(self.members)
            return Step("poll", self._poll(self.seen.get(member, 0)), node=member)
        first = self.next_id
        self.next_id += self.random.randint(*self.batch) * self.stride
        return Step("append", list(range(first, self.next_id, self.stride)))

    def completed(self, step: Step, value: Any) -> None:
        if step.f == "append":
            self.tail.at_least(value + len(step.value))
        elif value:
            assert step.node is not None
            end = step.value[0] + len(value)
            self.tail.at_least(end)
            self.seen[step.node] = max(end, self.seen.get(step.node, 0))

    def _poll(self, seen: int) -> list[int | None]:
        kind, limit = self.random.random(), self.random.choice(_POLL_MAX)
        if kind < _ON_SHARE:
            return [seen, limit]
        if kind < _ON_SHARE + _NEAR_SHARE:
            return [max(0, self.tail.rows - self.random.randint(0, _NEAR)), None]
        return [self.random.randint(0, self.tail.rows), limit]


def generators(options: dict[str, Any], seed: int, members: Sequence[str]) -> list[Generator]:
    """One generator a client, each with its own stream of chance."""
    clients, (low, high) = options["clients"], options["batch"]
    tail = Tail()
    return [
        LogPollGenerator(
            random.Random(f"{seed}/client/{number}"),
            tail,
            members,
            number,
            clients,
            (low, high),
            options["poll_share"],
        )
        for number in range(clients)
    ]


def polled(_: dict[str, Any]) -> tuple[Step, ...]:
    """All rows that a member has."""
    return (Step("poll", [0, None]),)


LOG_POLL = Workload(
    name="log-poll",
    options=LogPollOptions,
    checkers=(LOG_CHECKERS[0], CHECKER.name, *LOG_CHECKERS[1:]),
    key=TABLE,
    setup=created,
    generators=generators,
    proof="append",
    proofs=proofs,
    final=whole,
    everywhere=polled,
)
