"""The tables of a group as a state machine: what is refused, and what entries in the log do."""

from pathlib import Path

import pyarrow as pa
import pytest
from delphic.impl.client.errors import RequestError
from delphic.impl.raft.messages import Entry, Kind
from delphic.impl.runtime_disk import RealDisk
from delphic.impl.stream.checks import CACHE_LIMIT_MIN
from delphic.impl.stream.commands import TableOptions, decode_create
from delphic.impl.stream.dedup import Dedup
from delphic.impl.stream.schema import fingerprint, to_bytes
from delphic.impl.stream.tables import Tables

SCHEMA = pa.schema([("id", pa.int64())])
OTHER = pa.schema([("price", pa.float64())])
BATCH = pa.record_batch([[7]], schema=SCHEMA).serialize().to_pybytes()


@pytest.fixture
def store(tmp_path: Path) -> Tables:
    return Tables(RealDisk(), str(tmp_path))


def create(store: Tables, index: int, schema: pa.Schema = SCHEMA) -> object:
    payload = store.creation("t", to_bytes(schema), TableOptions())
    return store.apply(index, Entry(1, Kind.CREATE_TABLE, payload))


def name_of(outcome: object) -> str:
    assert isinstance(outcome, RequestError)
    assert outcome.definite
    return outcome.name


def test_rows_logged_before_a_drop_and_applied_after_it_are_refused(store: Tables) -> None:
    """HS-6, HS-18: also if another table of that name is there by then."""
    assert create(store, 1) is None
    late = store.insertion("t", fingerprint(SCHEMA), BATCH).payload
    drop = store.removal("t")
    assert store.apply(2, Entry(1, Kind.APPEND, late)) == 0
    assert store.apply(3, Entry(1, Kind.DROP_TABLE, drop)) is None
    assert name_of(store.apply(4, Entry(1, Kind.APPEND, late))) == "NoSuchTable"
    assert create(store, 5, OTHER) is None
    assert name_of(store.apply(6, Entry(1, Kind.APPEND, late))) == "NoSuchTable"
    assert name_of(store.apply(7, Entry(1, Kind.DROP_TABLE, drop))) == "NoSuchTable"
    store.flush()
    assert store.summary()["t"]["rows"] == 0


VIEWS = (
    pa.string_view(),
    pa.binary_view(),
    pa.run_end_encoded(pa.int32(), pa.int8()),
    pa.list_(pa.string_view()),
)


@pytest.mark.parametrize("kind", VIEWS, ids=str)
def test_a_column_of_which_arrow_cannot_pick_rows_is_refused(
    store: Tables, kind: pa.DataType
) -> None:
    """Else a repeated key, or a filtered subscriber, would end one leader after another."""
    schema = pa.schema([("id", pa.int64()), ("name", kind)])
    with pytest.raises(RequestError, match=r"column name: .* is not supported") as caught:
        create(store, 1, schema)
    assert (caught.value.name, caught.value.definite) == ("BadRequest", True)


def test_a_dropped_table_leaves_no_keys_in_memory(
    store: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[int] = []
    monkeypatch.setattr(Dedup, "forget", lambda _, table: forgotten.append(table))
    assert create(store, 1) is None
    assert store.apply(2, Entry(1, Kind.DROP_TABLE, store.removal("t"))) is None
    assert forgotten == [1]


def test_of_two_creations_the_first_in_the_log_wins(store: Tables) -> None:
    first = store.creation("t", to_bytes(SCHEMA), TableOptions())
    second = store.creation("t", to_bytes(OTHER), TableOptions())
    assert store.apply(1, Entry(1, Kind.CREATE_TABLE, first)) is None
    assert name_of(store.apply(2, Entry(1, Kind.CREATE_TABLE, second))) == "TableExists"
    assert (
        store.apply(
            3, Entry(1, Kind.APPEND, store.insertion("t", fingerprint(SCHEMA), BATCH).payload)
        )
        == 0
    )


def test_a_log_that_is_redone_gives_each_table_of_a_name_its_own_rows(tmp_path: Path) -> None:
    """HS-9: the file of the last one is not taken for that of the first."""
    store = Tables(RealDisk(), str(tmp_path))
    log: list[Entry] = []

    def take(kind: Kind, payload: bytes) -> object:
        log.append(Entry(1, kind, payload))
        return store.apply(len(log), log[-1])

    for schema in (SCHEMA, SCHEMA):
        take(Kind.CREATE_TABLE, store.creation("t", to_bytes(schema), TableOptions()))
        for _ in range(2):
            take(Kind.APPEND, store.insertion("t", fingerprint(schema), BATCH).payload)
        if len(log) < 4:
            take(Kind.DROP_TABLE, store.removal("t"))
    store.flush()
    store.close()
    again = Tables(RealDisk(), str(tmp_path))
    for index, entry in enumerate(log, start=1):
        again.apply(index, entry)
    again.flush()
    assert again.summary() == store.summary()
    assert again.summary()["t"]["rows"] == 2


def test_a_small_cache_limit_is_raised(store: Tables) -> None:
    """C1."""
    payload = store.creation("t", to_bytes(SCHEMA), TableOptions(cache_limit=5))
    assert decode_create(payload).options.cache_limit == CACHE_LIMIT_MIN
    payload = store.creation("t", to_bytes(SCHEMA), TableOptions(cache_limit=0))
    assert decode_create(payload).options.cache_limit == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (TableOptions(cache_limit=-1), "cacheLimit is a number of rows, or 0 for all; got -1"),
        (TableOptions(retention_minutes=0), "retentionMinutes is at least 1; got 0"),
    ],
)
def test_options_out_of_range_are_refused(store: Tables, options: TableOptions, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        store.creation("t", to_bytes(SCHEMA), options)


def test_what_is_read_of_a_wide_table_leaves_room_for_its_columns(store: Tables) -> None:
    """HS-21: an answer has the schema beside the rows."""
    wide = pa.schema([(f"sensor_{i:03}", pa.float64()) for i in range(100)])
    rows = pa.record_batch([[float(i) for i in range(60)]] * 100, schema=wide)
    create(store, 1, wide)
    insertion = store.insertion("t", fingerprint(wide), rows.serialize().to_pybytes())
    assert insertion.beside_bytes == len(to_bytes(wide))
    store.apply(2, Entry(1, Kind.APPEND, insertion.payload))
    room, at = 40_000, 0
    while at < 60:
        found = store.read("t", at, None, room)
        assert len(found["schema"]) + sum(map(len, found["batches"])) <= room
        at += sum(
            pa.ipc.read_record_batch(pa.py_buffer(body), wide).num_rows for body in found["batches"]
        )
    assert at == 60
