"""Garbage where writes and parts of them arrive: refused, never a crash, and nothing is done."""

from random import Random

import pyarrow as pa
import pytest
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.changes import Append, Upsert, Work, apply, encoded
from delphic.impl.cluster.chunk_records import Prepared, RecordError
from delphic.impl.cluster.chunk_records import decode as decode_record
from delphic.impl.cluster.chunk_records import encode as encode_record
from delphic.impl.cluster.operations import Scheme
from delphic.impl.cluster.writes import Layout, Write, decode, encode, parts
from delphic.impl.stream.schema import fingerprint, to_bytes

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), ("raw", pa.binary())])
LAYOUT = Layout(SCHEMA, Scheme("VALUE", "string"), "name")


def batch() -> memoryview:
    columns = [[1, None, 3], ["a", "bb", "a"], [b"", None, b"xyz"]]
    return encoded(pa.record_batch(columns, schema=SCHEMA))


def damaged(data: bytes, chance: Random) -> bytes:
    """Some bytes are others, or there are more, or fewer."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        found[chance.randrange(len(found))] = chance.randrange(256)
    if chance.random() < 0.2:
        del found[chance.randrange(len(found)) :]
    return bytes(found)


@pytest.mark.parametrize("change", [Append(batch()), Upsert(batch(), ("id", "name"))])
def test_a_damaged_write_is_refused_or_is_another_write(change: Append | Upsert) -> None:
    payload = encode(Write(change, fingerprint(SCHEMA)))
    refused: list[RequestError] = []
    done = 0
    for seed in range(1500):
        try:
            found = parts(decode(damaged(payload, Random(seed))), LAYOUT)
        except RequestError as error:
            refused.append(error)
        else:
            done += 1
            for part in (found or {}).values():
                apply(part, SCHEMA, ())
    assert len(refused) > 500
    assert all(error.definite for error in refused)
    assert done > 50


def test_a_damaged_record_of_the_log_is_no_record_or_another_one() -> None:
    payload = encode_record(Prepared(7, "n1", (Work(1, to_bytes(SCHEMA), Append(batch())),)))
    refused = 0
    for seed in range(1500):
        try:
            decode_record(damaged(payload, Random(seed)))
        except RecordError:
            refused += 1
    assert refused > 50
