"""One planned act of breaking things, as it stands in plan.json."""

from typing import Any

import msgspec

from .targets.faults import ClockState, DiskState, MessageFaults, PacketFaults
from .targets.rules import Rule

NEW_LEADER = "new-leader"
"""The event that a step may wait for: a leader of a higher term than at the step before."""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happens, to whom, when. Times are seconds from the start of the main phase.

    Exactly one of `at_s`, `after` and `then_s` (seconds after the step before) says when; a step
    that waits for a state (`when`) may go without, or else begins to wait then. A fault with
    `for_s` is undone that much later, any other lasts until a later step or the final heal.
    `target` is what the scenario asked for, resolved when the moment has come; `order` is the
    member list as the seed shuffled it, which decides every "one of them". `name` is the word by
    which later steps may call the members that were hit.
    """

    kind: str
    target: Any
    at_s: float | None = None
    after: str | None = None
    then_s: float | None = None
    within_s: float | None = None
    when: str | None = None
    for_s: float | None = None
    name: str | None = None
    keeps: str | None = None
    of: str | None = None
    by_s: float | None = None
    rate_bytes_s: float | None = None
    share: float | None = None
    spare_bytes: int | None = None
    every_s: float | None = None
    tail_bytes: int | None = None
    packets: PacketFaults | None = None
    messages: MessageFaults | None = None
    rule: Rule | None = None
    disk: DiskState | None = None
    clock: ClockState | None = None
    order: tuple[str, ...] = ()

    @property
    def asked(self) -> dict[str, Any]:
        """What is to be done to whom, for the history."""
        more = {name: getattr(self, name) for name in _EXTENT if getattr(self, name) is not None}
        if self.rule is not None and self.name is not None:
            # Rules for the same links overlap: only the name tells which of them is undone.
            more["name"] = self.name
        return {"kind": self.kind, "target": self.target, **msgspec.to_builtins(more)}


_EXTENT = (
    *("when", "keeps", "of", "by_s", "rate_bytes_s", "share", "spare_bytes", "every_s"),
    "tail_bytes",
    *("packets", "messages", "rule", "disk", "clock"),
)
"""For which state it waited, and how much of it."""
