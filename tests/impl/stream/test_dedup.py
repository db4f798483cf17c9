"""The key filter: which rows of a batch are new, against the obvious way to tell."""

from collections.abc import Hashable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from delphic.impl.stream.dedup import Dedup, Window, check_columns, keys_of
from delphic.impl.stream.schema import SchemaError
from hypothesis import given
from hypothesis import strategies as st

BATCHES = st.lists(st.lists(st.integers(0, 12), max_size=8), max_size=12)
LIMITS = st.integers(0, 9)


def naively(rows: Sequence[Hashable], limit: int, batch: Sequence[Hashable]) -> list[Any]:
    """The new ones of a batch: in none of the last rows, nor earlier in the batch."""
    window = list(rows)[-limit:] if limit else list(rows)
    new: list[Any] = []
    for key in batch:
        if key not in window and key not in new:
            new.append(key)
    return new


@given(batches=BATCHES, limit=LIMITS)
def test_a_window_drops_what_the_last_rows_have(batches: list[list[int]], limit: int) -> None:
    """HS-16: then no key is twice among any `limit` rows in a row."""
    rows: list[int] = []
    window = Window(limit)
    for batch in batches:
        places = window.fresh(batch)
        new = batch if places is None else [batch[place] for place in places]
        assert new == naively(rows, limit, batch)
        window.add(new)
        rows += new
    reach = limit or len(rows)
    for end in range(len(rows) + 1):
        last = rows[max(0, end - reach) : end]
        assert len(set(last)) == len(last)


@given(batches=BATCHES, limit=LIMITS, leader_changes_at=st.integers(0, 12))
def test_a_window_made_from_the_table_is_the_one_that_grew_with_it(
    batches: list[list[int]], limit: int, leader_changes_at: int
) -> None:
    rows: list[int] = []
    dedup = Dedup()
    for number, batch in enumerate(batches):
        if number == leader_changes_at:
            dedup.reset()
        last = rows[-limit:] if limit else list(rows)
        screened = dedup.screen(7, ("k",), limit, keyed(batch), lambda last=last: [keyed(last)])
        assert screened.rows == len(naively(rows, limit, batch))
        screened.logged()
        rows += naively(rows, limit, batch)


def keyed(keys: Sequence[int]) -> pa.RecordBatch:
    return pa.record_batch({"k": pa.array(keys, pa.int64())})


def test_a_batch_that_was_not_logged_leaves_no_key_behind() -> None:
    dedup = Dedup()
    for _ in range(2):
        assert dedup.screen(7, ("k",), 10, keyed([1, 2]), list).rows == 2


def test_tables_have_windows_of_their_own() -> None:
    dedup = Dedup()
    for table in (7, 8):
        screened = dedup.screen(table, ("k",), 10, keyed([1]), list)
        assert screened.rows == 1
        screened.logged()


def test_a_table_that_is_forgotten_leaves_no_keys() -> None:
    dedup = Dedup()
    for rows in (1, 0):
        screened = dedup.screen(7, ("k",), 0, keyed([1]), list)
        assert screened.rows == rows
        screened.logged()
    dedup.forget(7)
    dedup.forget(8)
    assert dedup.screen(7, ("k",), 0, keyed([1]), list).rows == 1


def test_the_rows_that_are_left_keep_all_columns_and_their_order() -> None:
    schema = pa.schema([("k", pa.string()), ("v", pa.list_(pa.int8()))])
    rows = [["b", "a", "b", None, "c", None], [[1], [2], [3], None, [5], [6]]]
    screened = Dedup().screen(7, ("k",), 0, pa.record_batch(rows, schema=schema), list)
    assert screened.body is not None
    left = pa.ipc.read_record_batch(pa.py_buffer(screened.body), schema)
    assert left.to_pydict() == {"k": ["b", "a", None, "c"], "v": [[1], [2], None, [5]]}


def test_a_key_of_several_columns_is_all_of_them() -> None:
    batch = pa.record_batch({"a": [1, 1, 2, 1], "b": ["x", "y", "x", "x"]})
    assert keys_of(batch, ("a", "b")) == [(1, "x"), (1, "y"), (2, "x"), (1, "x")]
    assert Dedup().screen(7, ("b", "a"), 0, batch, list).rows == 3


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.timestamp("ns"), [1, 2**62, 1, None]),
        (pa.timestamp("s", "UTC"), [1, 2, 1, None]),
        (pa.duration("ns"), [5, 3, 5, None]),
        (pa.time64("ns"), [5, 3, 5, None]),
        (pa.date32(), [date(2026, 1, 31), date(2026, 2, 1), date(2026, 1, 31), None]),
        (pa.decimal128(9, 2), [Decimal("1.10"), Decimal("1.11"), Decimal("1.10"), None]),
        (pa.binary(), [b"", b"\0", b"", None]),
        (pa.bool_(), [True, False, True, None]),
        (pa.uint64(), [2**64 - 1, 0, 2**64 - 1, None]),
    ],
)
def test_values_of_every_type_for_keys_are_told_apart(kind: pa.DataType, values: Any) -> None:
    column = pa.array([None, *values], kind).slice(1)
    keys = keys_of(pa.record_batch({"k": column}), ("k",))
    assert Window(0).fresh(keys) == [0, 1, 3]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (("nil",), "there is no column nil to be a key"),
        (("id", "id"), "a key column is named twice"),
        (("price",), "column price: double is no type for a key"),
        (("tags",), "column tags: list<.*> is no type for a key"),
        (("void",), "column void: null is no type for a key"),
    ],
)
def test_columns_that_cannot_be_keys_are_refused(columns: tuple[str, ...], told: str) -> None:
    """A NaN equals nothing, not even itself; two zeros are equal and differ."""
    schema = pa.schema(
        [
            ("id", pa.int64()),
            ("price", pa.float64()),
            ("tags", pa.list_(pa.string())),
            ("void", pa.null()),
        ]
    )
    check_columns(schema, ("id",))
    with pytest.raises(SchemaError, match=told):
        check_columns(schema, columns)
