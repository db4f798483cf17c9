"""Breadth-first search over compiled tables, level by level, on all cores.

A level is finished before a violation is reported, so the path found is a shortest one whatever
the number of workers. `explore_naively` is the same search in obvious Python.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from ..actor import Bag, Fifo, Kind, Model, Scope, Soup
from .bitstate import Bits
from .checkpoint import Checkpoints
from .facts import NOTE
from .frontier import SITUATIONS, Block, Desk, Memo, Rows, Shard, Store
from .good_phase import Starts
from .kernel import ROW_FLAGS
from .kernel_admit import admit
from .kernel_channels import expand_held
from .kernel_memo import take_uses
from .kernel_soup import expand_soup
from .limits import Limits, Progress, exceeded
from .liveness import check_eventually, not_checked
from .naive import never_fired, verdicts_on_state
from .replay import replay
from .result import Eventually, Finding, Path, Result
from .tables import Tables
from .world import World

CHUNK = 1 << 15
"""Rows that a worker expands between two admissions: their candidates stay in cache."""

MISSES = 1 << 16
FLAGS = 2 * ROW_FLAGS


class Explorer:
    """One exploration of one model."""

    def __init__(
        self,
        model: Model,
        *,
        symmetry: bool = False,
        workers: int = 1,
        seed: int = 0,
        limits: Limits | None = None,
        watch: Callable[[Progress], None] | None = None,
        checkpoints: Checkpoints | None = None,
        bitstate: int = 0,
    ) -> None:
        self.model = model
        self.world = World(model)
        self.workers = workers
        self.limits = limits or Limits()
        self.watch = watch
        self.checkpoints = checkpoints
        self.bitstate = bitstate
        self.tables = Tables(model, seed=seed, symmetry=symmetry)
        self.kind = {Soup: 0, Bag: 1, Fifo: 2}[type(model.network)]
        self.result = Result(model.name)
        self.broken: list[tuple[str, str, int, int]] = []
        self.losses = 0
        self.depth = 0
        self.on_state = [
            p
            for p in model.properties
            if p.scope in (Scope.PAIR, Scope.TUPLE) and p.kind is not Kind.EVENTUALLY
        ]
        self.starts = Starts(model, self.limits.good_states)
        self.pairs: set[tuple[int, int]] = set()
        self.hits: dict[str, tuple[int, int]] = {}
        groups = len(self.tables.permutations)
        columns = len(model.actors) + len(model.observers) + 1 + len(self.tables.links)
        words = self._words()
        self.shards = [
            Shard(
                Store.empty(sees_tuples=self._sees_tuples(), bloom_bytes=bitstate // workers),
                Rows.empty(64, columns, words, groups),
                0,
                Rows.empty(64, columns, words, groups),
                np.zeros(6, np.int64),
            )
            for _ in range(workers)
        ]
        capacity = 40 * CHUNK // workers + (1 << 14)
        self.blocks = [Block.empty(workers, capacity) for _ in range(workers)]
        self.memos = [Memo.empty(SITUATIONS[0], words, groups) for _ in range(workers)]
        self.desks = [Desk.empty(self.tables.arrays.shape, words, workers) for _ in range(workers)]
        self.tuples = np.empty((workers * capacity, len(model.actors) + 1), np.int64)
        self.started, self.cpu_started = time.perf_counter(), time.process_time()

    def _sees_tuples(self) -> bool:
        return bool(self.on_state) or self.starts.of_tuples

    def _words(self) -> int:
        network = self.model.network
        if isinstance(network, Bag):
            return max(1, network.size)
        return self.tables.words if isinstance(network, Soup) else 1

    def run(self) -> Result:
        if self.checkpoints is None or not self.checkpoints.take_up(self):
            self._begin()
        with ThreadPoolExecutor(self.workers) as pool:
            while self._goes_on():
                self._level(pool)
        self._finish()
        self.result.eventually = self._eventually()
        return self.result

    # One level.

    def _begin(self) -> None:
        initial, tables = self.world.initial(), self.tables
        row = [tables.local(i, s) for i, s in enumerate(initial.locals)]
        row += [tables.observer(k, s) for k, s in enumerate(initial.observers)]
        row += [tables.budget(initial.budget)]
        row += [int(q) for q in tables.arrays.queue_empty[: len(tables.links)]]
        arrays, n, k = tables.arrays, len(initial.locals), len(initial.observers)
        fps = arrays.budget_hash[row[n + k]].copy()
        for lid in row[:n]:
            fps += arrays.local_hash[lid]
        for oid in row[n : n + k]:
            fps += arrays.observer_hash[oid]
        least = int(fps.min()) or 1
        self.root = (least >> 40) % self.workers
        shard = self.shards[self.root]
        shard.rows.loc[0], shard.rows.net[0], shard.rows.fps[0] = row, 0, fps
        shard.rows.ids[0] = self.root
        shard.store.mark(least)
        shard.counters[0] = shard.counters[4] = shard.count = 1
        self._check_tuple(tuple(row[:n]), self.root)
        self.starts.take_rows(0, shard.rows, 1)

    def _rows_left(self) -> bool:
        return any(shard.count for shard in self.shards)

    def _goes_on(self) -> bool:
        """Asked between two levels, where an exploration can be kept."""
        if self.broken or self.result.stopped_by or not self._rows_left():
            return False
        stop = self._exceeds(inside_level=False)
        if self.checkpoints is not None:
            self.checkpoints.offer(self, last=stop)
        return not stop

    def _level(self, pool: ThreadPoolExecutor) -> None:
        todo = [np.arange(shard.count, dtype=np.int32) for shard in self.shards]
        while any(len(rows) for rows in todo):
            todo = self._chunk(pool, todo)
            if self._exceeds(inside_level=True):
                return
        self._count_uses()
        for shard in self.shards:
            shard.rows, shard.following = shard.following, shard.rows
            shard.count, shard.counters[2] = int(shard.counters[2]), 0
        self.depth += self._rows_left()
        for shard in self.shards:
            self.starts.take_rows(self.depth, shard.rows, shard.count)
        if self.watch is not None:
            self.watch(self.progress())

    def _count_uses(self) -> None:
        for memo, block in zip(self.memos, self.blocks, strict=True):
            take_uses(memo, block.fired)

    def _chunk(
        self, pool: ThreadPoolExecutor, todo: list[npt.NDArray[np.int32]]
    ) -> list[npt.NDArray[np.int32]]:
        """Expand one chunk of every shard, admit what came out; returns the rows still to do."""
        self._fit()
        jobs = [pool.submit(self._expand, w, rows) for w, rows in enumerate(todo)]
        outcomes = [job.result() for job in jobs]
        misses = np.concatenate([misses for misses, _, _, _ in outcomes])
        for w, (_, flags, transitions, _) in enumerate(outcomes):
            self._take_flags(w, flags)
            self.result.transitions += transitions
        list(pool.map(self._admit, range(self.workers)))
        self._check_new_tuples()
        for block in self.blocks:
            block.counts[:] = 0
        self.tables.resolve(misses)
        return [rest for _, _, _, rest in outcomes]

    def _fit(self) -> None:
        words, results = self._words(), len(self.tables.results)
        for shard in self.shards:
            shard.rows = shard.rows.widened(words)
            shard.following = shard.following.widened(words)
        self.blocks = [block.counting(results) for block in self.blocks]
        both = zip(self.memos, self.blocks, strict=True)
        self.memos = [memo.fitted(words, block.fired) for memo, block in both]
        self.desks = [desk.fitted(words) for desk in self.desks]

    def _expand(
        self, worker: int, todo: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], int, npt.NDArray[np.int32]]:
        misses = np.empty(MISSES, np.int64)
        deferred = np.empty(min(len(todo), CHUNK), np.int32)
        flags = np.empty((FLAGS, 3), np.int32)
        stat = np.zeros(8, np.int64)
        now = todo[:CHUNK]
        rows, out, desk = self.shards[worker].rows, self.blocks[worker], self.desks[worker]
        found = (misses, deferred, flags, stat)
        if self.kind == 0:
            stop = expand_soup(
                self.tables.arrays, rows, now, 0, out, self.memos[worker], desk, *found
            )
        else:
            stop = expand_held(self.tables.arrays, rows, now, 0, out, desk, *found)
        self.losses += int(stat[4])
        rest = np.concatenate([deferred[: stat[1]], todo[stop:]])
        return misses[: stat[0]], flags[: stat[2]], int(stat[3]), rest

    def _admit(self, shard: int) -> None:
        mine = self.shards[shard]
        stat = mine.counters
        stat[3] = 0
        mine.reserve(sum(int(block.counts[shard]) for block in self.blocks))
        per = self.tuples.shape[0] // self.workers
        view = self.tuples[shard * per : (shard + 1) * per]
        for source, block in enumerate(self.blocks):
            admit(
                self.tables.arrays, self.kind, self.shards[source].rows, block, shard,
                mine.store, mine.following, view, self.desks[shard], stat,
            )  # fmt: skip
        stat[5] += stat[3]

    # Properties.

    def _take_flags(self, worker: int, flags: npt.NDArray[np.int32]) -> None:
        settled: set[str] = set()
        for row, code, refused in flags.tolist():
            index = int(self.shards[worker].rows.ids[row])
            if refused:
                for name, reason in self._refusals(worker, row, code):
                    self.broken.append((name, reason, index, code))
                continue
            for prop, holds in self.tables.findings[code]:
                if not holds:
                    self.broken.append((prop.name, "", index, code))
                elif prop.name not in self.hits:
                    self.hits[prop.name] = (index, code)
                    self.result.reached[prop.name] = self.depth + 1
                    settled.add(prop.name)
        if settled:
            self.tables.hits_settled(settled)
        self.broken = sorted(self.broken)[:1]

    def _refusals(self, worker: int, row: int, code: int) -> list[tuple[str, str]]:
        n, k = len(self.model.actors), len(self.model.observers)
        note = int(self.tables.arrays.result_facts[code, NOTE])
        ids = self.shards[worker].rows.loc[row, n : n + k].tolist()
        found = [self.tables.refusals.get((oid, note)) for oid in ids]
        return [(b.property, b.reason) for b in found if b is not None]

    def _check_new_tuples(self) -> None:
        if not self._sees_tuples():
            return
        per = self.tuples.shape[0] // self.workers
        n = len(self.model.actors)
        for w, shard in enumerate(self.shards):
            for row in self.tuples[w * per : w * per + int(shard.counters[3])].tolist():
                self._check_tuple(tuple(row[:n]), row[n])

    def _check_tuple(self, lids: tuple[int, ...], index: int) -> None:
        self.starts.take_tuple(self.depth + (index != self.root), lids, index)
        locals_ = tuple(self.tables.locals[lid][1] for lid in lids)
        for prop in self.on_state:
            if prop.scope is Scope.TUPLE:
                for holds in verdicts_on_state(prop, locals_):
                    self._note_state(prop.name, prop.kind, holds, index)
        fresh = [(a, b) for a in lids for b in lids if a != b and (a, b) not in self.pairs]
        for a, b in fresh:
            self.pairs.add((a, b))
            one, two = self.tables.locals[a][1], self.tables.locals[b][1]
            for prop in self.on_state:
                if prop.scope is Scope.PAIR and prop.holds is not None:
                    self._note_state(prop.name, prop.kind, prop.holds(one, two), index)

    def _note_state(self, name: str, kind: Kind, holds: bool, index: int) -> None:
        if kind is Kind.ALWAYS and not holds:
            self.broken.append((name, "", index, 0))
        elif kind is Kind.SOMETIMES and holds and name not in self.hits:
            self.hits[name] = (index, 0)
            self.result.reached[name] = 0 if index == self.root and not self.depth else -1

    # The end.

    def progress(self) -> Progress:
        return Progress(
            self.depth,
            sum(int(s.counters[0]) for s in self.shards),
            self.result.transitions,
            sum(s.count for s in self.shards),
            sum(s.bytes_held() for s in self.shards),
            time.perf_counter() - self.started,
            time.process_time() - self.cpu_started,
        )

    def _exceeds(self, *, inside_level: bool) -> bool:
        self.result.stopped_by = exceeded(self.limits, self.progress(), inside_level=inside_level)
        return bool(self.result.stopped_by)

    def _finish(self) -> None:
        result, tables = self.result, self.tables
        result.states = sum(int(s.counters[0]) for s in self.shards)
        result.cut = sum(int(s.counters[1]) for s in self.shards)
        result.depth = self.depth
        result.complete = not (self.broken or result.stopped_by or self.bitstate)
        result.bits = Bits.of(self.shards) if self.bitstate else None
        self._count_uses()
        coverage: Counter[str] = Counter()
        for block in self.blocks:
            coverage.update(tables.coverage(block.fired))
        if self.losses:
            coverage["drop" if self.kind == 1 else "reset"] += self.losses
        result.coverage = dict(sorted(coverage.items()))
        result.never_fired = never_fired(self.model, coverage)
        if self.broken:
            name, reason, index, code = min(self.broken)
            result.violation = Finding(name, reason, self.path(index, code))
        for name, (index, code) in self.hits.items():
            result.witnesses[name] = self.path(index, code)
            result.reached[name] = len(result.witnesses[name])
        result.unreached = tuple(
            p.name
            for p in self.model.properties
            if p.kind is Kind.SOMETIMES and p.name not in result.reached
        )
        result.statistics = self._statistics()

    def _statistics(self) -> dict[str, Any]:
        now, tables = self.progress(), self.tables
        return {
            "seconds": now.seconds,
            "bytes_held": now.bytes_held,
            "local_states": len(tables.locals),
            "messages": len(tables.messages),
            "step_calls": tables.calls,
            "tuples": sum(int(s.counters[5]) for s in self.shards),
            "workers": self.workers,
            "permutations": len(tables.permutations),
        }

    def _eventually(self) -> tuple[Eventually, ...]:
        if self.broken:
            return ()
        if not self.result.complete:
            cut = "the exploration was cut short"
            return not_checked(self.model, "states may have been missed" if self.bitstate else cut)
        limit, starts = self.limits.good_states, self.starts
        if starts.full:
            return not_checked(self.model, f"more than {starts.limit:,} states to begin in")
        begin = starts.starts(self.tables)
        return check_eventually(self.model, begin, lambda origin: self.path(origin, 0), limit)

    def path(self, index: int, code: int) -> Path:
        """The shortest path to a state, and over one more move; replayed, so it is real."""
        codes = [code] if code else []
        while index != self.root:
            at = self.shards[index % self.workers].store
            codes.append(int(at.code[index // self.workers]))
            index = int(at.parent[index // self.workers])
        codes.reverse()
        return replay(self.world, [self.tables.move(c) for c in codes])


def explore(
    model: Model,
    *,
    symmetry: bool = False,
    workers: int = 1,
    seed: int = 0,
    limits: Limits | None = None,
    watch: Callable[[Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
    bitstate: int = 0,
) -> Result:
    """Explore every reachable state of `model` within `limits`.

    `bitstate`: with a filter of so many bytes instead of every fingerprint; then never complete.
    """
    return Explorer(
        model,
        symmetry=symmetry,
        workers=workers,
        seed=seed,
        limits=limits,
        watch=watch,
        checkpoints=checkpoints,
        bitstate=bitstate,
    ).run()
