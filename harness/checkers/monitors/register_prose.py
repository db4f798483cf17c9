"""What is wrong with a register, in words, with the two to four operations that show it."""

from typing import Any

import numpy as np

from ..operations import Operation
from .columns import BEFORE, Columns, Ints
from .conclusion import Wrong
from .prose import began_text, operation_text, value_text
from .register_values import Values


class Witnesses:
    """Finds the operations of a few values: nothing is computed until something is wrong."""

    def __init__(self, c: Columns, found: Values) -> None:
        self._c = c
        self._found = found
        self._order: Ints | None = None
        self._by_source: Ints | None = None
        self._written: dict[int, int] | None = None
        self._chained: tuple[Ints, Ints] | None = None

    def phantom(self, at: int) -> Wrong:
        """A value that nobody wrote was read, or expected and found."""
        operation = self._c.operations[at]
        saw = operation.result if operation.f == "read" else operation.argument[0]
        sentence = (
            f"{operation_text(operation)} {_found_text(operation, saw)}, which nobody ever wrote."
        )
        return self._wrong("phantom", sentence, [operation])

    def future(self, which: int) -> Wrong:
        """A value was read before its write began."""
        found, c = self._found, self._c
        value = int(found.value[which])
        read, write = c.operations[int(found.at[which])], c.operations[int(found.writer[value])]
        sentence = (
            f"{operation_text(read)} {_found_text(read, found.texts[value])}, which "
            f"{operation_text(write)} only began to write {began_text(write)}."
        )
        return self._wrong("future-read", sentence, [read, write])

    def fork(self, source: int) -> Wrong:
        """Two compare-and-sets replaced one and the same value."""
        found = self._found
        values = self._successors(source)[:2]
        one, other = (self._c.operations[int(found.writer[value])] for value in values)
        sentence = (
            f"{operation_text(one)} and {operation_text(other)} both replaced the value "
            f"{value_text(found.texts[source])}, which was written once: one of "
            "the two updates is lost."
        )
        return self._wrong("lost-update", sentence, [one, other])

    def circle(self, value: int) -> Wrong:
        """Compare-and-sets that found each other's values, and no write with which it began."""
        found = self._found
        one = self._c.operations[int(found.writer[value])]
        other = self._c.operations[int(found.writer[found.source[value]])]
        sentence = (
            f"{operation_text(one)} found what {operation_text(other)} set, which in turn goes "
            f"back to what the first one set: neither can have been first."
        )
        return self._wrong("circular-update", sentence, [one, other])

    def chain(self, value: int, chain: Ints, place: Ints, first: int, last: int) -> Wrong:
        """An operation on a replaced value began after one on its successor had returned."""
        found = self._found
        early = self._member([value], ret=first)
        mine = [v for v in self._values(chain, int(chain[value])) if place[v] < place[value]]
        late, old = next((at, v) for v in mine for at in self._of(v) if self._inv(at) == last)
        old_text = value_text(found.texts[old])
        sentence = (
            f"{operation_text(self._op(late))} {_did(self._op(late), found.texts[old])}, but "
            f"{operation_text(self._op(early))} {_did(self._op(early), found.texts[value])} before "
            f"that began, and {old_text} had been replaced on the way to "
            f"{value_text(found.texts[value])}."
        )
        swap = self._op(int(found.writer[value]))
        shown = [self._op(early), self._op(late), swap]
        kind = "stale-read" if self._op(late).f == "read" else "future-read"
        return self._wrong(kind, sentence, shown)

    def clash(self, chain: Ints, a: int, b: int) -> Wrong:
        """Two blocks of which each must come before the other."""
        one, other = self._values(chain, a), self._values(chain, b)
        return self._between(one, other) or self._between(other, one) or self._crossed(one, other)

    def _between(self, outer: list[int], inner: list[int]) -> Wrong | None:
        """One operation of the inner block lies wholly between two of the outer one."""
        found = self._found
        starts = self._edge(outer, is_first=True)
        ends = self._edge(outer, is_first=False)
        from_ = BEFORE if starts is None else self._ret(starts[0])
        assert ends is not None
        until = self._inv(ends[0])
        for value in inner:
            for at in self._of(value):
                if self._inv(at) > from_ and self._ret(at) < until:
                    late, middle = self._op(ends[0]), self._op(at)
                    shown = [middle, late]
                    after = ""
                    if starts is not None:
                        first = self._op(starts[0])
                        shown.insert(0, first)
                        after = (
                            f", and it began after {operation_text(first)} "
                            f"{_did(first, found.texts[starts[1]])}"
                        )
                    sentence = (
                        f"{operation_text(late)} {_did(late, found.texts[ends[1]])}, but before it "
                        f"began {operation_text(middle)} {_did(middle, found.texts[value])}{after}."
                    )
                    kind = "stale-read" if late.f == "read" else "stale-update"
                    return self._wrong(kind, sentence, shown)
        return None

    def _crossed(self, one: list[int], other: list[int]) -> Wrong:
        """Each block has an operation that ended before one of the other began."""
        texts = self._found.texts
        edges = [
            edge
            for block in (one, other)
            for is_first in (True, False)
            if (edge := self._edge(block, is_first=is_first)) is not None
        ]
        shown = [self._op(at) for at, _ in edges]
        (late_one, value_one), (late_other, value_other) = (
            self._edge(one, is_first=False) or edges[0],
            self._edge(other, is_first=False) or edges[0],
        )
        early_one, early_other = self._edge(one, is_first=True), self._edge(other, is_first=True)
        told = [
            f"{operation_text(self._op(late))} {_did(self._op(late), texts[value])} after "
            f"{operation_text(self._op(early[0]))} {_did(self._op(early[0]), texts[early[1]])}"
            for late, value, early in (
                (late_one, value_one, early_other),
                (late_other, value_other, early_one),
            )
            if early is not None
        ]
        sentence = f"{'; but '.join(told)}: neither value can be the later."
        return self._wrong("two-orders", sentence, shown)

    def _wrong(self, kind: str, sentence: str, shown: list[Operation]) -> Wrong:
        """A finding. Of what was never answered, another operation has to show that it happened."""
        others = [self._proof(o) for o in shown if o.returned is None]
        told = set(shown) | {other for other in others if other is not None}
        distinct = tuple(sorted(told, key=lambda operation: operation.invoked))
        return Wrong(shown[0].key, kind, sentence, distinct)

    def _proof(self, writer: Operation) -> Operation | None:
        """An answered operation that saw the value of one never answered, or what became of it."""
        found, c = self._found, self._c
        if self._written is None:
            self._written = {
                id(c.operations[at]): v for v, at in enumerate(found.writer.tolist()) if at >= 0
            }
        value = self._written[id(writer)]
        met = {value}
        waiting = [value]
        while waiting:
            value = waiting.pop()
            for at in self._of(value):
                if self._op(at).returned is not None:
                    return self._op(at)
            following = set(self._successors(value)) - met
            met |= following
            waiting += following
        return None

    def _edge(self, block: list[int], *, is_first: bool) -> tuple[int, int] | None:
        """The operation that returned first, or began last, with its value.

        None where the first is the state with which the history began.
        """
        if is_first and any(self._found.writer[value] < 0 for value in block):
            return None
        pairs = [(at, value) for value in block for at in self._of(value)]
        if is_first:
            return min(pairs, key=lambda pair: self._ret(pair[0]))
        return max(pairs, key=lambda pair: self._inv(pair[0]))

    def _member(self, block: list[int], ret: int) -> int:
        return next(at for value in block for at in self._of(value) if self._ret(at) == ret)

    def _of(self, value: int) -> list[int]:
        """The operations that wrote or saw a value."""
        found = self._found
        if self._order is None:
            self._order = np.argsort(found.value, kind="stable")
        mine = self._slice(found.value, self._order, value)
        return [int(at) for at in found.at[mine]]

    def _successors(self, source: int) -> list[int]:
        """The values that compare-and-sets put in the place of one."""
        if self._by_source is None:
            self._by_source = np.argsort(self._found.source, kind="stable")
        mine = self._slice(self._found.source, self._by_source, source)
        return [int(value) for value in mine]

    def _values(self, chain: Ints, head: int) -> list[int]:
        if self._chained is None:
            self._chained = (np.argsort(chain, kind="stable"), chain)
        mine = self._slice(chain, self._chained[0], head)
        return [int(value) for value in mine]

    def _slice(self, names: Ints, order: Ints, name: int) -> Ints:
        start = np.searchsorted(names, name, side="left", sorter=order)
        stop = np.searchsorted(names, name, side="right", sorter=order)
        return order[start:stop]

    def _op(self, at: int) -> Operation:
        return self._c.operations[at]

    def _inv(self, at: int) -> int:
        return int(self._c.inv[at])

    def _ret(self, at: int) -> int:
        return int(self._c.ret[at])


def _found_text(operation: Operation, value: Any) -> str:
    verb = "returned" if operation.f == "read" else "found"
    return f"{verb} {value_text(value)}"


def _did(operation: Operation, value: Any) -> str:
    """What an operation has to do with a value."""
    verb = "returned" if operation.f == "read" else "had set" if operation.f == "cas" else "wrote"
    return f"{verb} {value_text(value)}"
