"""Local states, messages and steps as small integers: Python decides each once.

Every array here is read by the compiled kernel; only this module writes them, between kernel calls.
"""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ..actor import Bag, Broken, Fifo, Kind, Model, Property, Receive, Soup, Step
from .arrays import (
    BAD,
    DISABLED,
    HIT,
    MISS_BUDGET,
    MISS_DELIVERY,
    MISS_INTERNAL,
    MISS_MANY,
    MISS_OBSERVER,
    MISS_PUSH,
    REFUSED,
    U64,
    UNKNOWN,
    empty_arrays,
    grown,
    widened,
)
from .canonical import MASK, hash64
from .facts import COST, FLAG, NOTE, SPECIAL
from .kernel import DROP_BASE, RESET_BASE, ROW_LIMIT
from .laws import TooManyMoves, check_events, check_step, renamed, require_one_class
from .naive import group, verdicts_on_step
from .world import Drop, Move, Reset


class Tables:
    """Interned values and memoised steps of one model."""

    def __init__(self, model: Model, *, seed: int = 0, symmetry: bool = False) -> None:
        self.model = model
        self.seed = seed
        identity = tuple(range(len(model.actors)))
        self.permutations = group(model) if symmetry else [identity]
        self.locals: list[tuple[int, Any]] = []
        self.messages: list[Any] = []
        self.observers: list[tuple[int, Any]] = []
        self.budgets: list[tuple[int, ...]] = []
        self.queues: list[tuple[int, tuple[int, ...]]] = []
        self.notes: list[tuple[Any, ...]] = [()]
        self.results: list[tuple[int, Any, Step | None]] = [(0, None, None)]
        self.findings: dict[int, list[tuple[Property, bool]]] = {}
        self.refusals: dict[tuple[int, int], Broken] = {}
        self.calls = 0
        self._ids: dict[tuple[str, Any], int] = {}
        self._note_ids: dict[tuple[Any, ...], int] = {(): 0}
        self._columns: Counter[int] = Counter()
        self._own = 0
        self._sends = 0
        self._cost_ids = {name: i + 1 for i, (name, _) in enumerate(model.budgets)}
        self.links = [(s, d) for s in identity for d in identity if isinstance(model.network, Fifo)]
        self.watched: set[str] = {p.name for p in model.properties if p.kind is Kind.SOMETIMES}
        self.arrays = empty_arrays(
            actors=len(model.actors),
            observers=len(model.observers),
            links=len(self.links),
            permutations=len(self.permutations),
            size=0 if isinstance(model.network, Soup) else model.network.size,
            costs=len(model.budgets) + 1,
        )
        for link in range(len(self.links)):
            empty = self.queue(link, ())
            self.arrays.queue_empty[link] = empty

    @property
    def words(self) -> int:
        """How many 64-bit words a soup of all known messages takes."""
        return max(1, -(-len(self.messages) // 64))

    # Interning: content in, id out; hashes are those of the content under every permutation.

    def _id(self, kind: str, value: Any, known: list[Any]) -> tuple[int, bool]:
        key = (kind, value)
        found = self._ids.get(key)
        if found is not None:
            require_one_class(known[found], value)
            return found, False
        self._ids[key] = len(known)
        known.append(value)
        return len(known) - 1, True

    def _renamed(self, value: Any, permutation: tuple[int, ...]) -> Any:
        return renamed(self.model, value, permutation)

    def local(self, node: int, state: Any) -> int:
        at, new = self._id("local", (node, state), self.locals)
        if new:
            a = self.arrays
            self.arrays = a = a._replace(
                local_hash=grown(a.local_hash, at + 1),
                local_outside=grown(a.local_outside, at + 1),
                own_start=grown(a.own_start, at + 1, UNKNOWN),
                own_count=grown(a.own_count, at + 1),
                interesting=grown(a.interesting, at + 1, 0),
                sent=grown(a.sent, at + 1),
                delivery=grown(a.delivery, at + 1, UNKNOWN),
            )
            for g, p in enumerate(self.permutations):
                hashed = hash64(self.seed, "local", p[node], self._renamed(state, p))
                a.local_hash[at, g] = hashed
            within = self.model.within
            a.local_outside[at] = within is not None and not within(state)
            a.interesting[at] = self._addressed_to(node)
        return at

    def _addressed_to(self, node: int) -> U64:
        words = np.zeros(self.arrays.interesting.shape[1], np.uint64)
        for mid, message in enumerate(self.messages):
            if message.dst == node:
                words[mid >> 6] |= np.uint64(1 << (mid & 63))
        return words

    def message(self, message: Any) -> int:
        at, new = self._id("message", message, self.messages)
        if new:
            a = self.arrays
            column = self._columns[message.dst]
            self._columns[message.dst] += 1
            self.arrays = a = a._replace(
                message_hash=grown(a.message_hash, at + 1),
                message_dst=grown(a.message_dst, at + 1),
                message_column=grown(a.message_column, at + 1),
                message_link=grown(a.message_link, at + 1),
                interesting=widened(a.interesting, self.words, 0),
                sent=widened(a.sent, self.words, 0),
                delivery=widened(a.delivery, column + 1, UNKNOWN),
            )
            for g, p in enumerate(self.permutations):
                a.message_hash[at, g] = hash64(self.seed, "message", 0, self._renamed(message, p))
            a.message_dst[at] = message.dst
            a.message_column[at] = column
            if self.links:
                a.message_link[at] = self.links.index((message.src, message.dst))
                push = grown(widened(a.queue_push, at + 1, UNKNOWN), 1, UNKNOWN)
                self.arrays = a = a._replace(queue_push=push)
            for lid, (node, _) in enumerate(self.locals):
                if node == message.dst:
                    a.interesting[lid, at >> 6] |= np.uint64(1 << (at & 63))
        return at

    def observer(self, k: int, state: Any) -> int:
        at, new = self._id("observer", (k, state), self.observers)
        if new:
            a = self.arrays
            self.arrays = a = a._replace(
                observer_hash=grown(a.observer_hash, at + 1),
                observer_next=grown(a.observer_next, at + 1, UNKNOWN),
            )
            for g, p in enumerate(self.permutations):
                hashed = hash64(self.seed, "observer", k, self._renamed(state, p))
                a.observer_hash[at, g] = hashed
        return at

    def budget(self, amounts: tuple[int, ...]) -> int:
        at, new = self._id("budget", amounts, self.budgets)
        if new:
            a = self.arrays
            self.arrays = a = a._replace(
                budget_hash=grown(a.budget_hash, at + 1),
                budget_next=grown(a.budget_next, at + 1, UNKNOWN),
            )
            a.budget_hash[at] = hash64(self.seed, "budget", 0, amounts)
        return at

    def queue(self, link: int, messages: tuple[int, ...]) -> int:
        at, new = self._id("queue", (link, messages), self.queues)
        if new:
            a = self.arrays
            self.arrays = a = a._replace(
                queue_hash=grown(a.queue_hash, at + 1),
                queue_head=grown(a.queue_head, at + 1, UNKNOWN),
                queue_rest=grown(a.queue_rest, at + 1, UNKNOWN),
                queue_push=grown(a.queue_push, at + 1, UNKNOWN),
            )
            src, dst = self.links[link]
            for g, p in enumerate(self.permutations):
                content = tuple(self._renamed(self.messages[m], p) for m in messages)
                place = p[src] * len(self.model.actors) + p[dst]
                # An empty queue weighs nothing, as if the link did not exist.
                hashed = hash64(self.seed, "queue", place, content) if messages else 0
                a.queue_hash[at, g] = hashed
            if messages:
                rest = self.queue(link, messages[1:])
                self.arrays.queue_head[at] = messages[0]
                self.arrays.queue_rest[at] = rest
        return at

    # Evaluation: what the kernel found missing.

    def resolve(self, misses: npt.NDArray[np.int64]) -> None:
        """Decide every (kind, a, b) that a kernel call reported."""
        for code in np.unique(misses).tolist():
            kind, a, b = code >> 60, (code >> 30) & 0x3FFFFFFF, code & 0x3FFFFFFF
            if kind == MISS_INTERNAL:
                self._internal(a)
            elif kind == MISS_DELIVERY:
                self._delivery(a, b)
            elif kind == MISS_OBSERVER:
                self._observe(a, b)
            elif kind == MISS_BUDGET:
                self._spend(a, b)
            elif kind == MISS_MANY:
                raise TooManyMoves(self._too_many(a))
            else:
                assert kind == MISS_PUSH
                self._push(a, b)

    def _internal(self, lid: int) -> None:
        node, state = self.locals[lid]
        events = tuple(self.model.events(node, state))
        if lid & 31 == 0:
            check_events(self.model, self.permutations, node, state, events)
        found = [r for event in events if (r := self._evaluate(lid, event)) != DISABLED]
        if len(found) > self._most_moves():
            raise TooManyMoves(self._too_many(lid))
        self.arrays = a = self.arrays._replace(
            own_results=grown(self.arrays.own_results, self._own + len(found))
        )
        a.own_results[self._own : self._own + len(found)] = found
        a.own_start[lid] = self._own
        a.own_count[lid] = len(found)
        self._own += len(found)

    def _most_moves(self) -> int:
        """An actor's part of the moves of a row, those of the network taken off."""
        network = self.model.network
        held = 0 if isinstance(network, Soup) else len(self.links) or network.size
        # Each that is held may be delivered, and may be lost.
        return (ROW_LIMIT - 2 * held) // len(self.model.actors)

    def _too_many(self, lid: int) -> str:
        node, state = self.locals[lid]
        name = self.model.actor_name(node)
        return f"{name} has more than {self._most_moves():,} moves in the state {state!r}"

    def _delivery(self, lid: int, mid: int) -> None:
        result = self._evaluate(lid, Receive(self.messages[mid]))
        if result == DISABLED:
            if isinstance(self.model.network, Fifo):
                result = self._result(lid, Receive(self.messages[mid]), Step(self.locals[lid][1]))
            else:
                self.arrays.interesting[lid, mid >> 6] &= np.uint64(~(1 << (mid & 63)) & MASK)
        self.arrays.delivery[lid, self.arrays.message_column[mid]] = result

    def _evaluate(self, lid: int, event: Any) -> int:
        node, state = self.locals[lid]
        step = self.model.step(node, state, event)
        self.calls += 1
        if self.calls & 31 == 1:
            check_step(self.model, self.permutations, node, state, event, step)
        return DISABLED if step is None else self._result(lid, event, step)

    def _result(self, lid: int, event: Any, step: Step) -> int:
        node, before = self.locals[lid]
        target = self.local(node, step.state)
        sends = step.sends
        if isinstance(self.model.network, Soup):
            sends = tuple(dict.fromkeys(sends))
        mids = [self.message(m) for m in sends]
        at = len(self.results)
        self.results.append((lid, event, step))
        a = self.arrays
        self.arrays = a = a._replace(
            result_facts=grown(a.result_facts, at + 1),
            result_delta=grown(a.result_delta, at + 1),
            sends=grown(a.sends, self._sends + len(mids)),
        )
        note = self._note(step.notes)
        a = self.arrays
        cost = self._cost_ids[step.cost] if step.cost is not None else 0
        flag = self._judge(at, before, event, step)
        taken = self.message(event.message) if isinstance(event, Receive) else UNKNOWN
        special = int(bool(note or cost or flag))
        changed = int(bool(special or target != lid))
        facts = (target, note, cost, flag, self._sends, len(mids), taken, special, changed, node)
        a.result_facts[at, : len(facts)] = facts
        a.result_delta[at] = a.local_hash[target] - a.local_hash[lid]
        a.sends[self._sends : self._sends + len(mids)] = mids
        for mid in mids:
            a.sent[lid, mid >> 6] |= np.uint64(1 << (mid & 63))
        self._sends += len(mids)
        return at

    def _judge(self, at: int, before: Any, event: Any, step: Step) -> int:
        flag = 0
        for prop in self.model.properties:
            for holds in verdicts_on_step(prop, before, event, step):
                if prop.kind is Kind.ALWAYS and not holds:
                    flag |= BAD
                    self.findings.setdefault(at, []).append((prop, False))
                elif prop.kind is Kind.SOMETIMES and holds and prop.name in self.watched:
                    flag |= HIT
                    self.findings.setdefault(at, []).append((prop, True))
        return flag

    def _note(self, notes: tuple[Any, ...]) -> int:
        if not self.model.observers:
            return 0
        at = self._note_ids.setdefault(notes, len(self.notes))
        if at == len(self.notes):
            self.notes.append(notes)
            following = widened(self.arrays.observer_next, at + 1, UNKNOWN)
            self.arrays = self.arrays._replace(observer_next=following)
        require_one_class(self.notes[at], notes)
        return at

    def _observe(self, oid: int, note: int) -> None:
        k, state = self.observers[oid]
        for part in self.notes[note]:
            seen = self.model.observers[k].observe(state, part)
            if isinstance(seen, Broken):
                self.refusals[oid, note] = seen
                self.arrays.observer_next[oid, note] = REFUSED
                return
            state = seen
        after = self.observer(k, state)
        self.arrays.observer_next[oid, note] = after

    def _spend(self, bid: int, cost: int) -> None:
        amounts = self.budgets[bid]
        left = amounts[cost - 1]
        if left == 0:
            self.arrays.budget_next[bid, cost] = REFUSED
            return
        after = self.budget((*amounts[: cost - 1], left - 1, *amounts[cost:]))
        self.arrays.budget_next[bid, cost] = after

    def _push(self, qid: int, mid: int) -> None:
        link, messages = self.queues[qid]
        network = self.model.network
        assert isinstance(network, Fifo)
        if len(messages) == network.size:
            self.arrays.queue_push[qid, mid] = REFUSED
            return
        after = self.queue(link, (*messages, mid))
        self.arrays.queue_push[qid, mid] = after

    def move(self, code: int) -> Move:
        """What the code of a transition stands for: a step, a lost message, a broken connection."""
        if code > 0:
            lid, event, _ = self.results[code]
            return Move(self.locals[lid][0], event)
        if code > RESET_BASE and isinstance(self.model.network, Bag):
            return Move(None, Drop(self.messages[DROP_BASE - code]))
        return Move(None, Reset(*self.links[RESET_BASE - code]))

    def hits_settled(self, names: set[str]) -> None:
        """Stop reporting steps that reach `sometimes` properties already reached."""
        self.watched -= names
        for at, found in self.findings.items():
            facts = self.arrays.result_facts[at]
            if facts[FLAG] & HIT and not any(p.name in self.watched for p, holds in found if holds):
                facts[FLAG] &= ~HIT
                facts[SPECIAL] = bool(facts[NOTE] or facts[COST] or facts[FLAG])

    def coverage(self, fired: npt.NDArray[np.int64]) -> Counter[str]:
        """How often each kind of event fired, from the count of each result."""
        names: Counter[str] = Counter()
        for at in np.flatnonzero(fired[1:]) + 1:
            names[self.model.name_of(self.results[at][1])] += int(fired[at])
        return names
