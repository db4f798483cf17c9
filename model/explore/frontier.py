"""Rows, candidate blocks and fingerprint shards: the arrays that kernel calls pass along.

Shards exchange nothing but blocks of packed candidates and the rows that these refer to, so that a
later engine can put shards on several machines.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .kernel import ROW_LIMIT, rehash

LOAD = 0.6
"""A table is doubled before more of it than this is in use."""


class Rows(NamedTuple):
    """Global states of one level: component ids, network, fingerprints, and the state's index."""

    loc: npt.NDArray[np.int32]
    net: npt.NDArray[np.uint64]
    fps: npt.NDArray[np.uint64]
    ids: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, rows: int, columns: int, words: int, groups: int) -> "Rows":
        return cls(
            np.empty((rows, columns), np.int32),
            np.empty((rows, words), np.uint64),
            np.empty((rows, groups), np.uint64),
            np.empty(rows, np.int64),
        )

    def resized(self, rows: int, kept: int) -> "Rows":
        """At least `rows` rows, the first `kept` of them as they were."""
        if rows <= self.loc.shape[0]:
            return self
        rows = max(rows, 2 * self.loc.shape[0])
        bigger = Rows.empty(rows, self.loc.shape[1], self.net.shape[1], self.fps.shape[1])
        bigger.loc[:kept] = self.loc[:kept]
        bigger.net[:kept] = self.net[:kept]
        bigger.fps[:kept] = self.fps[:kept]
        bigger.ids[:kept] = self.ids[:kept]
        return bigger

    def widened(self, words: int) -> "Rows":
        """The same states with room for a soup of more messages."""
        if words <= self.net.shape[1]:
            return self
        net = np.zeros((self.net.shape[0], words), np.uint64)
        net[:, : self.net.shape[1]] = self.net
        return self._replace(net=net)


class Block(NamedTuple):
    """Candidates of one worker, sorted by owning shard: fingerprint, parent's row, move, actor."""

    fp: npt.NDArray[np.uint64]
    row: npt.NDArray[np.int32]
    code: npt.NDArray[np.int32]
    via: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]
    fired: npt.NDArray[np.int64]
    log: npt.NDArray[np.int32]

    @classmethod
    def empty(cls, shards: int, capacity: int) -> "Block":
        return cls(
            np.empty((shards, capacity), np.uint64),
            np.empty((shards, capacity), np.int32),
            np.empty((shards, capacity), np.int32),
            np.empty((shards, capacity), np.int32),
            np.zeros(shards, np.int64),
            np.zeros(256, np.int64),
            np.empty(4 * ROW_LIMIT, np.int32),
        )

    def counting(self, results: int) -> "Block":
        """With room to count `results` kinds of step."""
        if results <= self.fired.shape[0]:
            return self
        fired = np.zeros(max(results, 2 * self.fired.shape[0]), np.int64)
        fired[: self.fired.shape[0]] = self.fired
        return self._replace(fired=fired)


class Store(NamedTuple):
    """What a shard remembers for ever: fingerprints, and how each state was first reached."""

    table: npt.NDArray[np.uint64]
    parent: npt.NDArray[np.uint32]
    code: npt.NDArray[np.int32]
    tuples: npt.NDArray[np.uint64]


@dataclass
class Shard:
    """One owner of fingerprints: its store, its part of the level, and its counters.

    counters: 0 states inside, 1 states outside, 2 rows of the next level, 3 new tuples, 4 indices
    given, 5 tuples in the store.
    """

    store: Store
    rows: Rows
    count: int
    following: Rows
    counters: npt.NDArray[np.int64]

    def reserve(self, candidates: int) -> None:
        """Make sure that so many candidates could all be new."""
        store, counters = self.store, self.counters
        indices = int(counters[4]) + candidates
        if indices > store.parent.shape[0]:
            length = max(indices, 2 * store.parent.shape[0])
            # In place: the allocator moves pages instead of copying them.
            store.parent.resize(length, refcheck=False)
            store.code.resize(length, refcheck=False)
        table = _roomy(store.table, int(counters[0] + counters[1]) + candidates)
        tuples = store.tuples
        if tuples.shape[0] > 1:
            tuples = _roomy(tuples, int(counters[5]) + candidates)
        self.store = store._replace(table=table, tuples=tuples)
        self.following = self.following.resized(int(counters[2]) + candidates + 1, int(counters[2]))

    def bytes_held(self) -> int:
        arrays: tuple[Any, ...] = (*self.store, *self.rows, *self.following)
        return sum(int(array.nbytes) for array in arrays)


def _roomy(table: npt.NDArray[np.uint64], entries: int) -> npt.NDArray[np.uint64]:
    size = table.shape[0]
    while entries > LOAD * size:
        size *= 2
    if size == table.shape[0]:
        return table
    bigger = np.zeros(size, np.uint64)
    rehash(table, bigger)
    return bigger
