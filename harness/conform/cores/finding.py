"""A step of a core that the model does not make, and what was followed."""

from dataclasses import dataclass, field
from typing import Any

from ...traces import CoreRecord


@dataclass
class Unlike(Exception):
    """A record that the model does not explain: which, in what, and what either side says.

    `rule`: continuity, recovery, agreement, step or queue.
    """

    record: CoreRecord
    rule: str
    what: str
    model: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.what} is {self.found!r}, in the model {self.model!r}"

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        record = self.record
        where = f"step {record.seq} of incarnation {record.inc} of {record.node}"
        return f"{where} ({record.group} {record.event.get('kind')})"

    def to_dict(self) -> dict[str, Any]:
        """For a verdict."""
        record = self.record
        return {
            "member": record.node,
            "core": record.group,
            "incarnation": record.inc,
            "step": record.seq,
            "index": record.index,
            "rule": self.rule,
            "what": self.what,
            "event": record.event,
            "model": repr(self.model),
            "found": repr(self.found),
        }


@dataclass
class Followed:
    """What was replayed of a cluster: steps by core and kind; of each node what is unlike first.

    `unknown`: tasks that a slave took and no trace of the master has.
    """

    steps: dict[str, int] = field(default_factory=dict)
    lives: int = 0
    unlike: list[Unlike] = field(default_factory=list)
    unknown: set[int] = field(default_factory=set)

    @property
    def is_headless(self) -> bool:
        """Whether tasks were committed and no trace tells of anyone who led."""
        led = any(name.startswith("dispatcher ") for name in self.steps)
        return not led and "slave recorded" in self.steps

    def count(self, record: CoreRecord) -> None:
        """One more step."""
        name = f"{record.group} {record.event['kind']}"
        self.steps[name] = self.steps.get(name, 0) + 1
