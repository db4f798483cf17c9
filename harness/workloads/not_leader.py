"""Clients that never fail over: most of them ask members that do not lead, on purpose."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from ..checkers import LOG_CHECKERS
from ..checkers.refusals import REFUSALS
from .log import TABLE, Batch, LogGenerator, created, generators_of, proofs, whole
from .workload import OperationRate, Options, Workload


class NotLeaderOptions(Options):
    """Appends and reads at each client's own member, whoever leads."""

    named: ClassVar[str] = "not-leader"

    name: Literal["not-leader"]
    clients: int = Field(default=9, ge=1, le=256, description="Client k stays at the k-th member.")
    rate: OperationRate = 150.0
    routing: Literal["home"] = "home"
    batch: Batch = Field(default_factory=lambda: Batch(min=1, max=4))
    read_share: float = Field(default=0.3, ge=0, lt=1)

    def planned(self) -> dict[str, Any]:
        batch = [self.batch.min, self.batch.max]
        return {**super().planned(), "batch": batch, "read_share": self.read_share}


NOT_LEADER = Workload(
    name="not-leader",
    options=NotLeaderOptions,
    checkers=(LOG_CHECKERS[0], REFUSALS.name, *LOG_CHECKERS[1:]),
    key=TABLE,
    setup=created,
    generators=generators_of(LogGenerator),
    proof="append",
    proofs=proofs,
    final=whole,
)
