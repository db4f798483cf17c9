"""Rows, candidate blocks, situations and shards: the arrays that kernel calls pass along.

Shards exchange nothing but blocks of packed candidates and the rows that these refer to, so that a
later engine can put shards on several machines.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .kernel import ROW_LIMIT, spread, unmarked, unseen
from .kernel_memo import ENTRIES, MOVES, STEPS_USED, take_uses

LOAD = 0.7
"""A table grows by half before more of it than this is in use."""

SITUATIONS = 1 << 12, 1 << 19
"""How many situations a worker remembers at first, and at most; then it begins again."""

RECENT = 1 << 13
"""Candidates that a worker remembers to have handed on; more would not fit the nearest cache."""

HASHES = 3
"""Bits of a state in a filter: good where it has five to a hundred bits a state."""

GLANCES = 64
"""Places of a table that are looked at together."""


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
    """Candidates of one worker, sorted by owning shard: fingerprint, parent's row, move."""

    fp: npt.NDArray[np.uint64]
    row: npt.NDArray[np.int32]
    code: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]
    fired: npt.NDArray[np.int64]
    log: npt.NDArray[np.int32]

    @classmethod
    def empty(cls, shards: int, capacity: int) -> "Block":
        return cls(
            np.empty((shards, capacity), np.uint64),
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


class Memo(NamedTuple):
    """The situations that one worker knows (see kernel_memo).

    slots: a hash table of their numbers + 1. keys: the local state, then words of the soup. spans:
    where its moves and steps lie. uses: how often it was met and not yet counted. moves, deltas:
    steps that change something, and what they add to each fingerprint. steps: those that `uses`
    counts. used: how much of `keys`, `moves` and `steps` is in use.
    """

    slots: npt.NDArray[np.int32]
    keys: npt.NDArray[np.uint64]
    spans: npt.NDArray[np.int32]
    uses: npt.NDArray[np.int64]
    moves: npt.NDArray[np.int32]
    deltas: npt.NDArray[np.uint64]
    steps: npt.NDArray[np.int32]
    used: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, situations: int, words: int, groups: int) -> "Memo":
        return cls(
            np.zeros(2 * situations, np.int32),
            np.empty((situations, 1 + words), np.uint64),
            np.empty((situations, 5), np.int32),
            np.zeros(situations, np.int64),
            np.empty(8 * situations, np.int32),
            np.empty((8 * situations, groups), np.uint64),
            np.empty(16 * situations, np.int32),
            np.zeros(3, np.int64),
        )

    def fitted(self, words: int, fired: npt.NDArray[np.int64]) -> "Memo":
        """With room for more situations of a soup of `words`: itself, or a larger and empty one."""
        used, situations = self.used, self.keys.shape[0]
        has_room = (
            2 * used[ENTRIES] < situations
            and 2 * used[MOVES] < self.moves.shape[0]
            and 2 * used[STEPS_USED] < self.steps.shape[0]
        )
        if has_room and self.keys.shape[1] == 1 + words:
            return self
        take_uses(self, fired)
        larger = situations if has_room else min(2 * situations, SITUATIONS[1])
        return Memo.empty(larger, words, self.deltas.shape[1])


class Desk(NamedTuple):
    """Where a worker's kernel calls write things down; nothing here outlives a chunk but `recent`.

    recent: fingerprints of candidates handed on, each at a place that it may lose to another.
    """

    recent: npt.NDArray[np.uint64]
    glance: npt.NDArray[np.uint64]
    key: npt.NDArray[np.uint64]
    found: npt.NDArray[np.int64]
    kept: npt.NDArray[np.int64]
    spare: npt.NDArray[np.int32]
    queues: npt.NDArray[np.int32]
    delta: npt.NDArray[np.uint64]
    misses: npt.NDArray[np.int64]
    unused: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, shape: npt.NDArray[np.int64], words: int, shards: int) -> "Desk":
        """For arrays of the kernel with this `shape`."""
        actors, observers, links, groups, _ = shape.tolist()
        return cls(
            np.zeros(RECENT, np.uint64),
            np.zeros(GLANCES, np.uint64),
            np.zeros(1 + words, np.uint64),
            np.zeros(actors, np.int64),
            np.zeros(shards, np.int64),
            np.zeros(observers, np.int32),
            np.zeros(links, np.int32),
            np.zeros(groups, np.uint64),
            np.zeros(1, np.int64),
            np.zeros(8, np.int64),
        )

    def fitted(self, words: int) -> "Desk":
        if self.key.shape[0] == 1 + words:
            return self
        return self._replace(key=np.zeros(1 + words, np.uint64))


class Store(NamedTuple):
    """What a shard remembers for ever: fingerprints, and how each state was first reached.

    hashes: 0, or the table is a Bloom filter of fixed size in which a state has so many bits.
    """

    table: npt.NDArray[np.uint64]
    parent: npt.NDArray[np.uint32]
    code: npt.NDArray[np.int32]
    tuples: npt.NDArray[np.uint64]
    hashes: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, *, sees_tuples: bool, bloom_bytes: int = 0) -> "Store":
        """With a table that grows or, where `bloom_bytes` are given, a filter of that size."""
        return cls(
            np.zeros(max(1, bloom_bytes // 8) if bloom_bytes else 1 << 12, np.uint64),
            np.empty(1 << 12, np.uint32),
            np.empty(1 << 12, np.int32),
            np.zeros(1 << 10 if sees_tuples else 1, np.uint64),
            np.array([HASHES if bloom_bytes else 0], np.int64),
        )

    def mark(self, fp: int) -> None:
        """Enter a fingerprint from Python."""
        if self.hashes[0]:
            unmarked(self.table, np.uint64(fp), self.hashes[0])
        else:
            unseen(self.table, np.uint64(fp))


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
        tuples = store.tuples
        if tuples.shape[0] > 1:
            tuples = with_room(tuples, int(counters[5]) + candidates)
        table = store.table
        if not store.hashes[0]:
            table = with_room(table, int(counters[0] + counters[1]) + candidates)
        self.store = Store(
            table, longer(store.parent, indices), longer(store.code, indices), tuples, store.hashes
        )
        self.following = self.following.resized(int(counters[2]) + candidates + 1, int(counters[2]))

    def bytes_held(self) -> int:
        arrays: tuple[Any, ...] = (*self.store, *self.rows, *self.following)
        return sum(int(array.nbytes) for array in arrays)


def longer(array: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    """The array with at least `length` items; the new ones hold anything."""
    if length <= array.shape[0]:
        return array
    bigger = np.empty(max(length, array.shape[0] * 3 // 2), array.dtype)
    bigger[: array.shape[0]] = array
    return bigger


def with_room(table: npt.NDArray[np.uint64], entries: int) -> npt.NDArray[np.uint64]:
    """The table of fingerprints with room for `entries`."""
    if entries <= LOAD * table.shape[0]:
        return table
    bigger = np.zeros(max(int(entries / LOAD) + 1, table.shape[0] * 3 // 2), np.uint64)
    spread(table, bigger)
    return bigger
