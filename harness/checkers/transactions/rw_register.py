"""Transactions that write and read registers: is there a serial order, in real time?

A read tells who wrote what it found, but not what that replaced. Known is what nobody who forbids
circles of reads and writes allows otherwise: nothing comes before what was there at first, and who
wrote on what it had read came later. Cycles of that have the names of the literature. For a serial
order more is inferred, until nothing new follows: no write lies between another and a read of that.
A cycle that needs it (`no-order`) is proof that there is no serial order, and says nothing about
weaker models. Without any, an order that agrees with all that was inferred is tried; if it explains
all reads, that is proof, too. Else nobody can tell but the search (in general this is NP-complete).

Ambiguous: a value that was written to a register twice and read, or None written.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

from ..monitors.prose import value_text
from ..operations import UNKNOWN, Ambiguous, Finding, Judgement, Operation
from .conclusion import Words, against, concluded, cycles
from .graph import DEPENDENCIES, ORDERS, RW, WR, WW, Edge, in_order, reached
from .graph import Graph as Dependencies
from .missed import missed
from .models import STRICTEST, level, ruled_out
from .observed import name

TWICE = "a value was written to one register twice, or it was None: nobody can tell whose it was"
HARD = "what was read does not tell the order of writes"
INFERRED_MAX = 1_500
"""Of more transactions only what follows at once is inferred."""

Step = Callable[[Any, str, Any, Any], Any | None]


class Registers:
    """Who wrote what, and who read what, by key and value."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations
        self.findings: list[Finding] = []
        self.writer: dict[tuple[Any, Any], int] = {}
        self.aborted: dict[tuple[Any, Any], int] = {}
        self.last: list[dict[Any, Any]] = []
        self.readers: dict[tuple[Any, Any], list[int]] = {}
        self.is_ambiguous = False
        twice: set[tuple[Any, Any]] = set()
        for at, operation in enumerate(operations):
            self.last.append({})
            if operation.failed:
                written = ((key, value) for kind, key, value in operation.argument if kind == "w")
                self.aborted.update(dict.fromkeys(written, at))
                continue
            for kind, key, value in operation.argument:
                if kind == "w":
                    self.last[at][key] = value
                    if (key, value) in self.writer or value is None:
                        twice.add((key, value))
                    self.writer[key, value] = at
            self._read(at, operation)
        if twice.intersection(self.readers):
            self.is_ambiguous = True

    def _read(self, at: int, operation: Operation) -> None:
        if operation.result is UNKNOWN:
            return
        held: dict[Any, Any] = {}
        own: set[Any] = set()
        for (kind, key, value), (_, _, raw) in zip(
            operation.argument, operation.result, strict=True
        ):
            answer = None if raw == () else raw
            if kind == "w":
                held[key] = value
                own.add(key)
            elif key not in held:
                held[key] = answer
                self.readers.setdefault((key, answer), []).append(at)
            elif held[key] != answer:
                before = "written" if key in own else "read"
                told = f"read {value_text(answer)} at key {key!r}, but had {before} "
                self._wrong("internal", told + value_text(held[key]), at)

    def look(self) -> None:
        """Reads of what cannot have been there, and writers of one version's successor."""
        for (key, value), readers in self.readers.items():
            writer = self.writer.get((key, value))
            told = f"read {value_text(value)} at key {key!r}"
            for at in readers:
                failed = self.aborted.get((key, value))
                if value is not None and writer is None and failed is not None:
                    text = f"{told}, which {name(self.operations[failed])} had written"
                    self._wrong("G1a", text, at, failed)
                elif value is not None and writer is None:
                    self._wrong("G1a", f"{told}, which nobody wrote who may have committed", at)
                elif writer == at:
                    self._wrong("internal", f"{told} before it wrote that", at)
                elif writer is not None and self.last[writer][key] != value:
                    behind = f", but {name(self.operations[writer])} wrote "
                    last = value_text(self.last[writer][key])
                    self._wrong("G1b", f"{told}{behind}{last} behind that", at, writer)
            both = [at for at in readers if key in self.last[at]]
            if len(both) > 1:
                other = name(self.operations[both[1]])
                self._wrong("lost-update", f"{told} as {other} did, and both wrote it", *both[:2])

    def _wrong(self, anomaly: str, told: str, *of: int) -> None:
        witness = tuple(sorted({self.operations[at].invoked for at in of}))
        sentence = f"{name(self.operations[of[0]])} {told}."
        self.findings.append(Finding(anomaly, sentence, witness, {"key": None}))

    def happened(self) -> set[int]:
        seen = {self.writer[version] for version in self.readers if version in self.writer}
        return seen | {at for at, one in enumerate(self.operations) if one.returned is not None}

    def edges(self, writers: dict[Any, list[int]], fresh: Iterator[int]) -> Iterator[Edge]:
        """What follows at once from reads; `fresh` numbers nodes of `missed`."""
        for (key, value), readers in self.readers.items():
            writer = self.writer.get((key, value))
            next_ones = [at for at in readers if key in self.last[at]]
            if value is None:
                next_ones = writers.get(key, [])
            for at in readers:
                if writer is not None and writer != at:
                    yield Edge(writer, at, WR, key, value)
            writes = [(at, self.last[at][key]) for at in next_ones]
            yield from missed(readers, writes, key, None, fresh)

    def inferred(self, writers: dict[Any, list[int]], after: list[int]) -> Iterator[Edge]:
        """No write lies between another and a read of that."""
        for (key, value), readers in self.readers.items():
            writer = self.writer.get((key, value))
            if writer is None:
                continue
            for other in writers[key]:
                theirs = self.last[other][key]
                if other == writer:
                    continue
                for at in readers:
                    if at == other:
                        continue
                    if after[writer] >> other & 1 and not after[at] >> other & 1:
                        yield Edge(at, other, RW, key, theirs, is_guess=True)
                    if after[other] >> at & 1 and not after[other] >> writer & 1:
                        yield Edge(other, writer, WW, key, theirs, value, at, is_guess=True)


def judge_by(
    step: Step, initial: Any, model: str = STRICTEST
) -> Callable[[Sequence[Operation]], Judgement | Ambiguous]:
    """A judge of registers by a model; `step` is what an order is tried with."""

    def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
        found = Registers(operations)
        ambiguous = tuple(dict.fromkeys(one.key for one in operations))
        if found.is_ambiguous:
            return Ambiguous(TWICE, ambiguous)
        found.look()
        happened = found.happened()
        writers: dict[Any, list[int]] = {}
        for at in sorted(happened):
            for key in found.last[at]:
                writers.setdefault(key, []).append(at)
        known = list(found.edges(writers, count(2 * len(operations))))
        edges = list(known)

        def inferred(order: int) -> Dependencies:
            _infer(found, writers, edges, DEPENDENCIES | order)
            return Dependencies(operations, edges)

        graph, words = Dependencies(operations, known), Words("wrote", "written")
        findings = [*found.findings, *cycles(operations, lambda _: graph, words)]
        findings += _beyond(findings, cycles(operations, inferred, words))
        if not against(findings, model) and not _is_kept(
            found, edges, happened, (step, initial), model
        ):
            return Ambiguous(HARD, ambiguous)
        keys = len({key for key, _ in (*found.writer, *found.readers)})
        return concluded(operations, keys, edges, findings, model)

    return judge


def _beyond(known: Sequence[Finding], inferred: Iterable[Finding]) -> Iterator[Finding]:
    """Of what was inferred that which rules out more than is known to be ruled out."""
    told = {finding.anomaly for finding in known}
    weakest, stronger = ruled_out(told)
    for finding in inferred:
        models, _ = ruled_out([finding.anomaly])
        if finding.anomaly not in told and not {*weakest, *stronger}.issuperset(models):
            yield finding


def _is_kept(
    found: Registers,
    edges: Sequence[Edge],
    happened: set[int],
    machine: tuple[Step, Any],
    model: str,
) -> bool:
    """Whether it is certain that the model is kept to, where nothing was found against it.

    The two weakest are: an order of versions that agrees with who read whose writes is all that
    they need. The others are if there is a serial order, for that is more.
    """
    if model in ("read-uncommitted", "read-committed"):
        return True
    kinds = DEPENDENCIES | ORDERS[level(model)]
    return _explains(found.operations, edges, happened, machine, kinds)


def _infer(found: Registers, writers: dict[Any, list[int]], edges: list[Edge], kinds: int) -> None:
    """Add what follows until nothing new does, or there is a cycle."""
    while len(found.operations) <= INFERRED_MAX:
        after = reached(found.operations, edges, kinds)
        new = [] if after is None else list(found.inferred(writers, after))
        if not new:
            return
        edges += new


def _explains(
    operations: Sequence[Operation],
    edges: Sequence[Edge],
    happened: set[int],
    machine: tuple[Step, Any],
    kinds: int,
) -> bool:
    """Whether one order that agrees with all edges of these kinds makes every answer right."""
    step, state = machine
    held = dict(state)
    order = in_order(operations, edges, kinds)
    if order is None:
        return False
    for at in order:
        if at in happened:
            one = operations[at]
            keys = {key for _, key, _ in one.argument}
            few = frozenset((key, held[key]) for key in keys if key in held)
            following = step(few, one.f, one.argument, one.result)
            if following is None:
                return False
            held.update(following)
    return True
