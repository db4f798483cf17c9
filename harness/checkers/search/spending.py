"""What a search has used of its budget: time, configurations, memory."""

from ...evidence import Budget

CLOCK_EVERY = 64
"""Configurations between two looks at the clock."""


class Spending:
    """Counts what the searches of one judgement use together."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._deadline = budget.clock() + budget.seconds
        self.configurations = 0
        self.memory_bytes = 0

    def hit(self) -> str | None:
        """Count one configuration, and name the limit that is exhausted, if one is."""
        self.configurations += 1
        if self.configurations % CLOCK_EVERY == 0:
            return self.limit()
        return self._counted()

    def limit(self) -> str | None:
        """Name the limit that is exhausted, the clock's included."""
        if self._budget.clock() > self._deadline:
            return f"{self._budget.seconds:g} s"
        return self._counted()

    def pardon(self, seconds: float) -> None:
        """Allow so much more time: what took it was no search."""
        self._deadline += seconds

    def now(self) -> float:
        """What the budget's clock says."""
        return self._budget.clock()

    def left(self, share: int = 1) -> Budget:
        """What each of so many searches may spend that go on at the same time."""
        budget = self._budget
        return Budget(
            seconds=max(0.0, self._deadline - budget.clock()),
            configurations=max(0, budget.configurations - self.configurations) // share,
            memory_mib=budget.memory_mib // share,
            clock=budget.clock,
        )

    def _counted(self) -> str | None:
        budget = self._budget
        if self.configurations > budget.configurations:
            return f"{budget.configurations:,} configurations"
        if self.memory_bytes > budget.memory_mib << 20:
            return f"{budget.memory_mib:,} MiB of memory"
        return None
