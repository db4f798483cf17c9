"""What a subscriber with a filter was given, held against what it asked for of each batch."""

from collections.abc import Iterator, Mapping, Sequence

from .log.view import LogView

PLACES = 16
"""A row's place is where it stood in its batch, modulo this: that is what subscribers choose by."""


class Filter:
    """Rows of some places of their batches, as far as is known where the table has them."""

    def __init__(self, held: Mapping[int, tuple[int, int]], view: LogView) -> None:
        """`held`: what is at each offset, and which operation told so."""
        self._held = held
        self._offsets = {row: offset for offset, (row, _) in held.items()}
        self._view = view

    def misfits(
        self, start: int, count: int, rows: Sequence[int], places: Sequence[int]
    ) -> Iterator[tuple[str, str, int | None]]:
        """What is wrong with the rows given of `count` of the table from `start` on.

        Each with the promise that it breaks, and the operation that says otherwise, if one does.
        """
        before = start - 1
        for row in rows:
            if row not in self._view.owner:
                yield "HS-12", f"was given row {row}, which nobody appended", None
                continue
            if not self._is_asked_for(row, places):
                yield "HS-13", f"was given row {row}, which its filter leaves out", None
            offset = self._offsets.get(row)
            if offset is None:
                continue
            told = self._held[offset][1]
            if not start <= offset < start + count:
                text = f"was given row {row} among those from {start} to {start + count - 1}, "
                yield "HS-12", f"{text}and the table has it at {offset}", told
            elif offset <= before:
                yield "HS-13", f"was given row {row} of offset {offset} behind later ones", told
            before = max(before, offset)
        given = set(rows)
        for offset in range(start, start + count):
            there = self._held.get(offset)
            if there is not None and there[0] not in given and self._is_asked_for(there[0], places):
                text = f"was not given row {there[0]} of offset {offset}, which it asked for"
                yield "HS-13", text, there[1]

    def _is_asked_for(self, row: int, places: Sequence[int]) -> bool:
        owner = self._view.owner.get(row)
        return owner is not None and owner.rows.index(row) % PLACES in places
