"""Partitions: which rows belong where, the same everywhere and for ever; what is refused."""

import zlib
from itertools import pairwise

import pyarrow as pa
import pytest
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.operations import Scheme
from delphic.impl.cluster.partitions import check_column, check_scheme, initial_keys, split


def parts(scheme: Scheme, values: pa.Array) -> dict[str, list[int]]:
    """The positions of the rows of each partition."""
    check_scheme(scheme)
    batch = pa.record_batch({"key": values, "at": pa.array(range(len(values)))})
    check_column(scheme, batch.schema, "key")
    return {key: part["at"].to_pylist() for key, part in split(scheme, batch, "key").items()}


def test_a_value_is_its_own_partition_and_rows_keep_their_order() -> None:
    scheme = Scheme("VALUE", "int32", (1, 2))
    assert parts(scheme, pa.array([2, 1, 2, 7, 1], pa.int32())) == {
        "1": [1, 4],
        "2": [0, 2],
        "7": [3],
    }
    assert initial_keys(scheme) == ["1", "2"]


def test_moments_may_be_partitioned_by_their_dates() -> None:
    scheme = Scheme("VALUE", "date32[day]", ("2023-01-08",))
    moments = [1_673_222_399, 1_673_222_400, 1_673_136_000, -1]
    assert parts(scheme, pa.array(moments, pa.timestamp("s"))) == {
        "1969-12-31": [3],
        "2023-01-08": [0, 2],
        "2023-01-09": [1],
    }
    assert initial_keys(scheme) == ["2023-01-08"]


def test_buckets_of_numbers_are_never_negative_and_those_of_texts_are_checksums() -> None:
    numbers = pa.array([0, 5, -1, -3, 2**62], pa.int64())
    found = parts(Scheme("HASH", "int64", buckets=3), numbers)
    assert found == {"0": [0, 3], "1": [4], "2": [1, 2]}
    assert {int(k): v for k, v in found.items()} == {
        bucket: [i for i, n in enumerate(numbers.to_pylist()) if n % 3 == bucket]
        for bucket in range(3)
    }
    largest = pa.array([2**64 - 1], pa.uint64())
    assert parts(Scheme("HASH", "uint64", buckets=10), largest) == {"5": [0]}
    texts = ["a", "ä", "", "a"]
    assert parts(Scheme("HASH", "string", buckets=7), pa.array(texts)) == {
        str(bucket): [i for i, t in enumerate(texts) if zlib.crc32(t.encode()) % 7 == bucket]
        for bucket in sorted({zlib.crc32(t.encode()) % 7 for t in texts})
    }


def test_a_range_begins_with_its_lower_border_and_ends_before_the_upper_one() -> None:
    scheme = Scheme("RANGE", "int64", (0, 10, 20))
    assert parts(scheme, pa.array([10, 0, 19, 9])) == {"0_10": [1, 3], "10_20": [0, 2]}
    for outside in (-1, 20):
        with pytest.raises(RequestError, match="lies in no range"):
            parts(scheme, pa.array([5, outside]))


def test_every_row_is_in_exactly_one_part() -> None:
    values = pa.array([(i * 7919) % 1000 for i in range(5000)], pa.int64())
    for scheme in (
        Scheme("VALUE", "int64"),
        Scheme("HASH", "int64", buckets=13),
        Scheme("RANGE", "int64", (0, 1, 500, 1000)),
    ):
        found = parts(scheme, values)
        assert sorted(at for rows in found.values() for at in rows) == list(range(5000))
        assert all(a < b for rows in found.values() for a, b in pairwise(rows))
        assert list(found) == sorted(found)


def test_a_null_belongs_nowhere() -> None:
    with pytest.raises(RequestError, match="a null in key") as refused:
        parts(Scheme("HASH", "int64", buckets=2), pa.array([1, None]))
    assert refused.value.definite


@pytest.mark.parametrize(
    ("scheme", "why"),
    [
        (Scheme("HASH", "double", buckets=2), "no partitions by double"),
        (Scheme("HASH", "int64"), "buckets"),
        (Scheme("HASH", "int64", (1,), 2), "no values"),
        (Scheme("HASH", "int64", buckets=10_001), "buckets"),
        (Scheme("VALUE", "int64", buckets=1), "has no buckets"),
        (Scheme("VALUE", "int64", ("1",)), "'1' is not"),
        (Scheme("VALUE", "int8", (300,)), "300 is not"),
        (Scheme("VALUE", "string", ("a", "a")), "twice"),
        (Scheme("VALUE", "string", ("",)), "names no partition"),
        (Scheme("VALUE", "string", ("a\n",)), "names no partition"),
        (Scheme("VALUE", "date32[day]", ("yesterday",)), "is not"),
        (Scheme("RANGE", "int64", (1,)), "two borders"),
        (Scheme("RANGE", "int64", (2, 1)), "ascending"),
        (Scheme("RANGE", "int64", (1, 1)), "twice"),
    ],
)
def test_what_is_no_way_to_partition_is_refused(scheme: Scheme, why: str) -> None:
    with pytest.raises(RequestError, match=why) as refused:
        check_scheme(scheme)
    assert (refused.value.name, refused.value.definite) == ("BadRequest", True)


def test_a_column_of_another_type_is_refused() -> None:
    schema = pa.schema([("key", pa.int32())])
    with pytest.raises(RequestError, match="column key is int32"):
        check_column(Scheme("VALUE", "int64"), schema, "key")
    with pytest.raises(RequestError, match="no column other; there are key"):
        check_column(Scheme("VALUE", "int32"), schema, "other")


def test_moments_that_no_calendar_has_are_refused() -> None:
    far = pa.array([2**62, -(2**62)], pa.int64()).view(pa.timestamp("s"))
    dates = Scheme("VALUE", "date32[day]"), Scheme("HASH", "date32[day]", buckets=3)
    for scheme in (*dates, Scheme("VALUE", "timestamp[s]")):
        for at in range(2):
            with pytest.raises(RequestError, match=r"too far away|names no partition"):
                parts(scheme, far[at : at + 1])
    there = pa.array([0], pa.int64()).view(pa.timestamp("s", tz="Europe/Berlin"))
    with pytest.raises(RequestError, match="partitioned by date32"):
        parts(Scheme("VALUE", "date32[day]"), there)


def test_a_value_that_would_be_no_name_is_refused() -> None:
    with pytest.raises(RequestError, match="names no partition"):
        parts(Scheme("VALUE", "string"), pa.array(["good", "x" * 201]))


@pytest.mark.parametrize(
    ("scheme", "values"),
    [
        (Scheme("HASH", "int64", buckets=4), pa.array([7, -3, 0, 8, -(2**63), 2**63 - 1, -1])),
        (Scheme("HASH", "uint64", buckets=3), pa.array([2**64 - 1, 0, 5, 4, 1], pa.uint64())),
        (Scheme("HASH", "date32[day]", buckets=3), pa.array([-1, 0, 8, 4, -7], pa.date32())),
        (Scheme("HASH", "timestamp[ms]", buckets=5), pa.array([-1, 9, 4], pa.timestamp("ms"))),
        (Scheme("HASH", "string", buckets=4), pa.array(["b", "a", "", "b", "c"])),
        (Scheme("VALUE", "int64", (1,)), pa.array([3, 1, 3, 2, 1])),
        (Scheme("RANGE", "int64", (0, 5, 9)), pa.array([8, 0, 4, 5, 1])),
        (Scheme("HASH", "int64", buckets=2), pa.array([], pa.int64())),
    ],
)
def test_few_rows_belong_where_they_would_among_many(
    monkeypatch: pytest.MonkeyPatch, scheme: Scheme, values: pa.Array
) -> None:
    few = parts(scheme, values)
    assert sorted(at for part in few.values() for at in part) == list(range(len(values)))
    monkeypatch.setattr("delphic.impl.cluster.partitions.FEW_ROWS", -1)
    assert parts(scheme, values) == few


def test_nanoseconds_of_the_day_that_is_cut_off_have_no_date() -> None:
    scheme = Scheme("VALUE", "date32[day]", ("2024-01-01",))
    day_ns = 86_400 * 10**9
    first = -((2**63) // day_ns) * day_ns
    batch = pa.record_batch({"at": pa.array([first], pa.timestamp("ns"))})
    assert list(split(scheme, batch, "at")) == ["1677-09-22"]
    for far in (first - 1, -(2**63) + 1):
        batch = pa.record_batch({"at": pa.array([far], pa.timestamp("ns"))})
        with pytest.raises(RequestError, match="too far away"):
            split(scheme, batch, "at")
