"""Bit-state hashing: visited states as bits in a filter of fixed size, for hunting in large spaces.

A state is taken for seen where all of its bits are set, by itself or by others. So states, and
what lies behind them, may be missed; never is anything reported that is not there. How many are
missed can be estimated: after n of them, a new state is missed with p = (1 - e^(-kn/m))^k, so that
for each state that is entered then, p / (1 - p) are missed. States that only missed ones lead to
come on top.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .frontier import HASHES, Shard

_ONES = np.array([byte.bit_count() for byte in range(256)], np.uint8)
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Bits:
    """A filter after an exploration: its bits (m), those set, and the states entered (n)."""

    size: int
    marked: int
    states: int
    hashes: int = HASHES

    @classmethod
    def of(cls, shards: Iterable[Shard]) -> "Bits":
        """Of all shards together."""
        each = [(shard.store.table, shard.counters) for shard in shards]
        return cls(
            sum(64 * len(table) for table, _ in each),
            sum(ones(table) for table, _ in each),
            sum(int(counters[0] + counters[1]) for _, counters in each),
        )

    def chance(self) -> float:
        """That a new state would be missed now."""
        return (self.marked / self.size) ** self.hashes

    def omitted(self) -> float:
        """How many states are expected to have been missed when they were met."""
        points = 1000
        entered = (np.arange(points) + 0.5) / points * self.states
        chances = (-np.expm1(-self.hashes * entered / self.size)) ** self.hashes
        return float((chances / (1 - chances)).mean() * self.states)

    def coverage(self) -> float:
        """The share of states that was not missed, at best: without those that lie behind."""
        return self.states / max(1.0, self.states + self.omitted())


def ones(table: npt.NDArray[np.uint64]) -> int:
    """How many bits are set."""
    octets = table.view(np.uint8)
    parts = (octets[at : at + _AT_ONCE] for at in range(0, len(octets), _AT_ONCE))
    return sum(int(_ONES[part].sum()) for part in parts)
