"""Changes: what each does to the rows of a chunk, held against plain lists of rows."""

from random import Random
from typing import Any

import pyarrow as pa
import pytest
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.changes import (
    BLOCK_ROWS,
    Append,
    Blocks,
    Change,
    Delete,
    Update,
    Upsert,
    apply,
    encoded,
    rows_of,
)
from delphic.impl.cluster.operations import Condition

SCHEMA = pa.schema([("id", pa.int64()), ("kind", pa.string()), ("n", pa.int32())])
Row = tuple[int | None, str | None, int | None]


def body(*rows: Row) -> memoryview:
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], []]
    return encoded(pa.record_batch(columns, schema=SCHEMA))


def rows(blocks: Blocks) -> list[Row]:
    return [tuple(row.values()) for block in blocks for row in block.to_pylist()]


def done(change: Change, *before: Row) -> tuple[list[Row], int, int]:
    blocks = apply(Append(body(*before)), SCHEMA, ()).blocks
    changed = apply(change, SCHEMA, blocks)
    assert rows(blocks) == list(before), "a change altered what others read"
    return rows(changed.blocks), changed.affected, changed.kept


def test_rows_are_appended_behind_all_others() -> None:
    assert done(Append(body((2, "b", 1))), (1, "a", 0)) == ([(1, "a", 0), (2, "b", 1)], 1, 1)


def test_an_upsert_replaces_rows_with_its_keys_and_adds_the_others() -> None:
    before = ((1, "a", 1), (2, "a", 1), (1, "b", 1), (None, "a", 1))
    new = ((2, "a", 2), (None, "a", 3), (5, None, 4), (2, "a", 5))
    change = Upsert(body(*new), ("id", "kind"))
    after = [(1, "a", 1), (1, "b", 1), (None, "a", 3), (5, None, 4), (2, "a", 5)]
    assert done(change, *before) == (after, 4, 0)


def test_an_update_writes_values_where_the_filter_says() -> None:
    change = Update((("n", 7), ("kind", None)), (Condition("id", ">", 1),))
    before = ((1, "a", 1), (2, "a", 1), (None, "c", 1))
    assert done(change, *before) == ([(1, "a", 1), (2, None, 7), (None, "c", 1)], 1, 0)


def test_a_change_that_means_no_row_leaves_all_as_it_is() -> None:
    before = ((1, "a", 1), (2, "a", 1))
    nothing = (Condition("id", "=", 9),)
    assert done(Update((("n", 7),), nothing), *before) == (list(before), 0, 2)
    assert done(Delete(nothing), *before) == (list(before), 0, 2)
    assert done(Delete(()), *before) == ([], 2, 0)


@pytest.mark.parametrize(
    "change",
    [
        Update((("id", None),), ()),
        Update((("nothing", 1),), ()),
        Update((("n", "1"),), ()),
        Update((("n", 1), ("n", 2)), ()),
        Update((), ()),
        Delete((Condition("nothing", "=", 1),)),
    ],
)
def test_what_makes_no_sense_for_the_columns_is_refused(change: Change) -> None:
    schema = pa.schema([pa.field("id", pa.int64(), nullable=False), ("n", pa.int32())])
    with pytest.raises(RequestError) as refused:
        apply(change, schema, ())
    assert refused.value.definite


def expected(change: Change, new: list[Row], before: list[Row]) -> list[Row]:
    """The same in plain Python."""
    match change:
        case Append():
            return before + new
        case Upsert(keys=keys):
            at = [SCHEMA.names.index(key) for key in keys]

            def key_of(row: Row) -> tuple[Any, ...]:
                return tuple(row[i] for i in at)

            last = {key_of(row): i for i, row in enumerate(new)}
            left = [row for row in before if key_of(row) not in last]
            return left + [row for i, row in enumerate(new) if last[key_of(row)] == i]
        case Update(filter=(condition,)):
            return [(a, b, 99) if a == condition.value else (a, b, c) for a, b, c in before]
        case Delete(filter=(condition,)):
            return [row for row in before if row[0] is None or not row[0] < condition.value]
    raise AssertionError


@pytest.mark.slow
def test_any_sequence_of_changes_does_to_blocks_what_it_does_to_a_list() -> None:
    for seed in range(60):
        chance = Random(seed)
        blocks: Blocks = ()
        model: list[Row] = []
        for _ in range(25):
            new: list[Row] = [
                (
                    chance.choice([None, *range(6)]),
                    chance.choice([None, "a", "b"]),
                    chance.randrange(100),
                )
                for _ in range(chance.randint(1, 5))
            ]
            change: Change = chance.choice(
                [
                    Append(body(*new)),
                    Append(body(*new)),
                    Upsert(body(*new), chance.choice([("id",), ("id", "kind"), ("kind", "id")])),
                    Update((("n", 99),), (Condition("id", "=", chance.randrange(6)),)),
                    Delete((Condition("id", "<", chance.randrange(3)),)),
                ]
            )
            changed = apply(change, SCHEMA, blocks)
            after = expected(change, new, model)
            assert rows(changed.blocks) == after
            assert after[: changed.kept] == model[: changed.kept]
            assert all(block.num_rows for block in changed.blocks)
            blocks, model = changed.blocks, after


@pytest.mark.slow
def test_many_small_appends_make_few_blocks_and_copy_no_large_one() -> None:
    blocks: Blocks = ()
    for i in range(3000):
        blocks = apply(Append(body((i, "a", 0))), SCHEMA, blocks).blocks
    assert rows_of(blocks) == 3000
    assert len(blocks) <= 12
    many = [(i, "a", 0) for i in range(150_000)]
    large = apply(Append(body(*many)), SCHEMA, blocks).blocks
    assert rows_of(large) == 153_000
    assert [block.num_rows for block in large[-3:]] == [BLOCK_ROWS, BLOCK_ROWS, 18_928]
    one = (Condition("id", "=", 149_999),)
    changed = apply(Update((("n", 1),), one), SCHEMA, large).blocks
    assert [a is b for a, b in zip(large, changed, strict=True)].count(False) == 1


def test_both_zeros_are_one_key_of_an_upsert() -> None:
    schema = pa.schema([("key", pa.float64()), ("n", pa.int64())])

    def of(key: float, n: int) -> memoryview:
        return encoded(pa.record_batch([[key], [n]], schema=schema))

    blocks = apply(Append(of(0.0, 1)), schema, ()).blocks
    blocks = apply(Upsert(of(-0.0, 2), ("key",)), schema, blocks).blocks
    assert [value for block in blocks for value in block["n"].to_pylist()] == [2]
