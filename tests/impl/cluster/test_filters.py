"""Filters: what they choose, and that what makes no sense for the columns is refused."""

from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.filters import compiled
from delphic.impl.cluster.operations import Condition

BATCH = pa.record_batch(
    {
        "id": pa.array([1, 2, 3, None], pa.int32()),
        "price": pa.array([0.5, 1.0, None, 2.5], pa.float64()),
        "name": pa.array(["a", "b", None, "d"]),
        "is_new": pa.array([True, False, None, True]),
        "day": pa.array([date(2023, 1, 8), date(2023, 1, 9), None, date(2024, 1, 1)]),
        "at": pa.array(
            [datetime(2023, 1, 8, 9, 30), datetime(2023, 1, 8, 9, 31), None, None],
            pa.timestamp("ms"),
        ),
        "of_day": pa.array([34_200_250, 36_000_000, None, 0], pa.time32("ms")),
        "raw": pa.array([b"a", b"b", None, b"d"]),
    }
)


def chosen(*conditions: tuple[Any, ...]) -> list[int]:
    mask = compiled(tuple(Condition(*one) for one in conditions), BATCH.schema)(BATCH)
    assert mask.null_count == 0
    return [at for at, meant in enumerate(mask.to_pylist()) if meant]


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        (("id", "=", 2), [1]),
        (("id", "!=", 2), [0, 2]),
        (("id", "<", 3), [0, 1]),
        (("id", "<=", 3), [0, 1, 2]),
        (("id", ">", 1), [1, 2]),
        (("id", ">=", 2), [1, 2]),
        (("id", "in", (1, 3, 9)), [0, 2]),
        (("id", "in", ()), []),
        (("id", "=", None), [3]),
        (("id", "!=", None), [0, 1, 2]),
        (("price", ">=", 1), [1, 3]),
        (("name", "<", "b"), [0]),
        (("is_new", "=", True), [0, 3]),
        (("day", "<", "2023-01-09"), [0]),
        (("at", "=", "2023-01-08 09:31:00"), [1]),
        (("at", "in", ("2023-01-08 09:30:00",)), [0]),
        (("of_day", "=", "09:30:00.250"), [0]),
        (("of_day", ">", "09:30"), [0, 1]),
    ],
)
def test_a_condition_chooses_rows_and_never_one_that_it_says_nothing_of(
    condition: tuple[Any, ...], rows: list[int]
) -> None:
    assert chosen(condition) == rows


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
@pytest.mark.parametrize("value", [0.0, -0.0, 0, 1.5, 1e-60, float("nan"), None])
def test_in_a_list_of_one_number_is_what_equals_it(kind: pa.DataType, value: float | None) -> None:
    numbers = pa.array([0.0, -0.0, 1.5, 1e-60, float("nan"), None], kind)
    batch = pa.record_batch({"n": numbers})
    equal, among = (
        compiled((Condition("n", op, wanted),), batch.schema)(batch).to_pylist()
        for op, wanted in (("=", value), ("in", (value,)))
    )
    assert among == equal


def test_a_filter_is_a_conjunction_and_an_empty_one_means_all() -> None:
    assert chosen(("id", ">", 1), ("name", "=", "b")) == [1]
    assert chosen() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (("nothing", "=", 1), "no column nothing; there are id, price"),
        (("id", "=", "1"), "column id is int32; '1' is not"),
        (("id", "=", 1.0), "column id is int32"),
        (("id", "=", True), "column id is int32"),
        (("id", "=", 2**31), "column id is int32"),
        (("id", "<", None), "nothing is < null"),
        (("id", "in", 1), "`in` wants a list"),
        (("id", "=", (1, 2)), "wants one value"),
        (("price", "=", "1"), "column price is double"),
        (("name", "=", 1), "column name is string"),
        (("is_new", "=", 1), "column is_new is bool"),
        (("day", "=", "soon"), "column day is date32"),
        (("raw", "=", "a"), "column raw is binary"),
    ],
)
def test_what_makes_no_sense_for_a_column_is_refused(condition: tuple[Any, ...], why: str) -> None:
    with pytest.raises(RequestError, match=why) as refused:
        chosen(condition)
    assert (refused.value.name, refused.value.definite) == ("BadRequest", True)


def test_filters_that_are_equal_to_python_are_told_apart() -> None:
    """One that was compiled before must not stand for another."""
    assert chosen(("id", "=", 1)) == [0]
    with pytest.raises(RequestError, match="column id is int32; True is not"):
        chosen(("id", "=", True))
    with pytest.raises(RequestError, match=r"column id is int32; 1\.0 is not"):
        chosen(("id", "=", 1.0))
    assert chosen(("is_new", "=", True)) == [0, 3]
