"""The key column's filter: which rows of a batch are new, judged by the leader before it logs them.

A row whose key one of the last cacheLimit rows has is dropped; cacheLimit 0 means all rows. Rows
count in the order of the log, logged and waiting ones included, so that the log holds accepted rows
only and all replicas agree without judging (V7). Within one batch the first row of a key wins.

Only a leader has windows. It makes a table's from the table itself when the first batch of its term
comes: by then it has applied all that older terms logged, and its own term has logged no row there.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from ..bugs import PENDING_KEYS_UNKNOWN, RETRIES_FORGOTTEN
from .schema import SchemaError
from .table import StreamTable

Recent = Callable[[], Iterable[pa.RecordBatch]]
"""The last rows of a table as applied, as many as a window holds."""

WINDOW_PART_BYTES = 64 << 20
"""How much of a table is read at once when its keys are collected."""

NO_ROW = -1
"""The offset that is told where every row of a batch was dropped."""


class Window:
    """The keys of a table's last `limit` rows; of all rows if the limit is 0."""

    # Invariant: no key is in _order twice; _known has the same keys.

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._order: deque[Hashable] = deque()
        self._known: set[Hashable] = set()

    def fresh(self, keys: Sequence[Hashable]) -> list[int] | None:
        """The places of the keys that are new here, the first of equal ones; None: all are."""
        known = self._known
        if len(set(keys)) == len(keys) and known.isdisjoint(keys):
            return None
        met: set[Hashable] = set()
        places = []
        for place, key in enumerate(keys):
            if key not in known and key not in met:
                met.add(key)
                places.append(place)
        return places

    def add(self, keys: Sequence[Hashable]) -> None:
        """Rows with these keys, none of them known, follow in the log."""
        self._order.extend(keys)
        self._known.update(keys)
        while self._limit and len(self._order) > self._limit:
            self._known.discard(self._order.popleft())


class Screened:
    """A batch without the rows that are not new. `logged` once it is sure to be logged."""

    def __init__(self, window: Window, keys: list[Hashable], batch: pa.RecordBatch) -> None:
        places = window.fresh(keys)
        self._window = window
        self._keys = keys if places is None else [keys[place] for place in places]
        self.rows = len(self._keys)
        self.body: bytes | None = None
        """The bytes of what is left; None: all of it is."""
        if places is not None:
            left = batch.take(pa.array(places, pa.int64()))
            self.body = left.serialize().to_pybytes()

    def logged(self) -> None:
        """Later batches are judged against this one, too."""
        self._window.add(self._keys)


class Dedup:
    """The windows of a group's tables, by the tables' ids."""

    def __init__(self, bugs: frozenset[str] = frozenset()) -> None:
        self._bugs = bugs
        self._windows: dict[int, Window] = {}

    def reset(self) -> None:
        """The member begins or ends to lead: what it knew may not be what the log holds."""
        self._windows.clear()

    def forget(self, table: int) -> None:
        """The table is dropped; its id never comes back."""
        self._windows.pop(table, None)

    def screen(
        self,
        table: int,
        columns: Sequence[str],
        limit: int,
        batch: pa.RecordBatch,
        recent: Recent,
    ) -> Screened:
        """Drop the rows of a batch that are in the table's window or repeat an earlier one."""
        window = self._windows.get(table)
        if window is None or PENDING_KEYS_UNKNOWN in self._bugs:
            window = self._windows[table] = Window(limit)
            for earlier in () if RETRIES_FORGOTTEN in self._bugs else recent():
                window.add(keys_of(earlier, columns))
        return Screened(window, keys_of(batch, columns), batch)


def check_columns(schema: pa.Schema, columns: Sequence[str]) -> None:
    """Refuse key columns that the table has not, or whose values have no plain equality."""
    if len(set(columns)) < len(columns):
        raise SchemaError("a key column is named twice")
    for column in columns:
        if column not in schema.names:
            raise SchemaError(f"there is no column {column} to be a key")
        kind = schema.field(column).type
        if pa.types.is_floating(kind) or pa.types.is_nested(kind) or pa.types.is_null(kind):
            raise SchemaError(f"column {column}: {kind} is no type for a key")


def keys_of(batch: pa.RecordBatch, columns: Sequence[str]) -> list[Any]:
    """The key of each row: a value, or a tuple of several; nulls are equal to one another."""
    values = [_plain(batch.column(column)).to_pylist() for column in columns]
    return values[0] if len(values) == 1 else list(zip(*values, strict=True))


def _plain(column: pa.Array) -> pa.Array:
    """Moments and spans as numbers: quicker, and nanoseconds have no Python type."""
    kind = column.type
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return column.view(pa.int64() if kind.bit_width == 64 else pa.int32())
    return column


def recent(table: StreamTable, limit: int) -> Iterator[pa.RecordBatch]:
    """The last rows of a table; all that are kept for 0."""
    start = max(table.disk_offset, table.rows - limit if limit else 0)
    while start < table.rows:
        for batch in table.read(start, None, WINDOW_PART_BYTES):
            yield batch
            start += batch.num_rows
