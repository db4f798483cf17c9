"""Sequential specifications: what an object does when operations come one at a time.

A specification knows no history, no clock and no failure. A search for a linearization performs
operations in some order, compares answers, and takes them back where it was wrong.
"""

from collections.abc import Sequence

# A prime below 2**61 and a base far from small row ids: two different logs of a run share a
# fingerprint with a chance of about one in 10**18.
_MODULUS = (1 << 61) - 1
_BASE = 1_000_003


class Log:
    """An append-only log of integer rows: appends answer an offset, reads a slice.

    Invariant: the fingerprint is a function of the batches appended and not taken back.
    """

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._lengths: list[int] = []
        self._fingerprints: list[int] = [1]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def fingerprint(self) -> int:
        """A number that equal logs share and different logs practically never do."""
        return self._fingerprints[-1]

    def append(self, rows: Sequence[int]) -> int:
        """Write all rows as one contiguous batch; answer the offset of the first."""
        offset = len(self._rows)
        fingerprint = self._fingerprints[-1]
        for row in rows:
            fingerprint = (fingerprint * _BASE + row + 1) % _MODULUS
        self._lengths.append(offset)
        self._fingerprints.append(fingerprint)
        self._rows.extend(rows)
        return offset

    def read(self, start: int, limit: int | None) -> list[int]:
        """Answer the rows from offset `start` on, at most `limit` of them (None: all)."""
        assert start >= 0
        return self._rows[start:] if limit is None else self._rows[start : start + limit]

    def undo(self) -> None:
        """Take the last append back."""
        del self._rows[self._lengths.pop() :]
        self._fingerprints.pop()
