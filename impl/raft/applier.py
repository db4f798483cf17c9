"""Executes what is committed and durable here, in order, and lets go on who waits for it."""

from collections.abc import Callable
from typing import Any

from ..client.errors import OVERLOADED, RequestError
from .core import Core
from .debts import CALLS_MAX, PAYLOAD_BYTES_MAX, Answer, Debts
from .machine import Machine
from .owner import Owner

APPLY_ENTRIES_MAX = 512
APPLY_BYTES_MAX = 8 << 20
"""Applied in one turn, so that a long log does not keep heartbeats waiting."""


class Applier:
    """The way from the log into the machine.

    Whoever waits for an entry is answered when it is committed and applied (promise HS-3, V1).

    # Invariant: applied <= durable, applied <= commit; but after a restart the machine may know
    # more than the core, which learns anew what is committed.
    """

    def __init__(self, core: Core, machine: Machine, debts: Debts, owner: Owner) -> None:
        self._core = core
        self._machine = machine
        self._debts = debts
        self._owner = owner
        self._until_serving: list[tuple[Callable[[], None], Answer]] = []
        self._waiting_bytes = 0
        self._serving_from = 0
        self.applied = machine.applied.index
        self.bytes = 0
        """Of entries, since the start."""
        self.is_paused = False
        """A snapshot takes the place of what the machine holds."""

    @property
    def serves(self) -> bool:
        """Whether all is applied that older leaders may have committed."""
        return self.applied >= self._serving_from

    def serve_from(self, index: int) -> None:
        """This member leads: what it does for clients begins when `index` is applied."""
        self._serving_from = index

    def wait(self, go: Callable[[], None], answer: Answer, size: int) -> None:
        """Go on when this member serves; refuses when too many wait, or with too many bytes."""
        held = self._waiting_bytes
        if len(self._until_serving) >= CALLS_MAX or (held and held + size > PAYLOAD_BYTES_MAX):
            answer(RequestError(OVERLOADED, True, "the new leader is not ready yet"))
        else:
            self._until_serving.append((go, answer))
            self._waiting_bytes += size

    def refuse_waiting(self, error: RequestError) -> None:
        """This member leads no more."""
        for _, answer in self._waited():
            answer(error)

    def take_waiting(self) -> list[tuple[Callable[[], None], Answer]]:
        """Who waited, if this member serves now."""
        if not self._until_serving or not self.serves:
            return []
        return self._waited()

    def _waited(self) -> list[tuple[Callable[[], None], Answer]]:
        waiting, self._until_serving, self._waiting_bytes = self._until_serving, [], 0
        return waiting

    def apply(self) -> bool:
        """Execute a piece of the log, answer; true if there is more. Raises OSError."""
        if self.is_paused:
            return False
        entries = self._core.log
        self._owner.applying()
        end = min(entries.commit, entries.durable)
        if self.applied < end:
            self._apply_until(min(end, self.applied + APPLY_ENTRIES_MAX))
        if self.applied == end:
            self._owner.level(self.applied)
        self._debts.settle_reads(self.applied)
        return self.applied < end

    def _apply_until(self, stop: int) -> None:
        """At least one entry; then answer who waits for them."""
        settled: list[tuple[Answer, Any]] = []
        size = 0
        while self.applied < stop and size < APPLY_BYTES_MAX:
            index = self.applied + 1
            entry = self._core.log.entry(index)
            outcome = self._machine.apply(index, entry)
            self.applied = index
            self._owner.applied(entry)
            size += len(entry.payload)
            self.bytes += len(entry.payload)
            answer = self._debts.applied(index)
            if answer is not None:
                settled.append((answer, outcome))
        self._machine.flush()
        for answer, outcome in settled:
            answer(outcome)
