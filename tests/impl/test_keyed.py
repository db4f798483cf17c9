"""Key columns over sockets and disks: repeated batches, two producers, leaders, a restart."""

import asyncio
import struct
from pathlib import Path

import pyarrow as pa
import pytest
from delphic.impl.client import functions
from delphic.impl.client.errors import RequestError
from delphic.impl.stream.schema import fingerprint
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow


def test_a_repeated_batch_is_stored_once_whoever_leads(tmp_path: Path) -> None:
    """HS-16, HS-9, HS-20: through a change of the leader, and through a restart of all."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session(retry_indeterminate=True)
            await session.create_table(GROUP, "t", SCHEMA, cache_limit=1000, key_columns=["id"])
            assert await session.insert("t", rows(1, 2, 2)) == (0, 2)
            assert await session.insert("t", rows(2, 3)) == (2, 1)
            assert await session.append("t", rows(3, 2)) == -1
            await members.stop(await members.leader())
            assert await session.insert("t", rows(1, 4, 3)) == (3, 1)
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session(retry_indeterminate=True)
            assert await session.insert("t", rows(4, 5)) == (4, 1)
            assert ids(await session.read("t", 0)) == [1, 2, 3, 4, 5]
            tables = await members.statuses_agree()
            while tables["t"]["rows"] < 5:
                tables = await members.statuses_agree()
            assert tables["t"]["rows"] == 5

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_two_producers_of_the_same_rows_share_them(tmp_path: Path) -> None:
    """HS-16: batches under way at once, whose rows are logged and not committed when judged."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA, key_columns=["id", "name"])
            leader = await members.leader()
            one, other = await members.connect(leader), await members.connect(leader)
            inserted = await asyncio.gather(
                *(
                    functions.insert(who, "t", rows(first, first + 1))
                    for first in range(40)
                    for who in (one, other)
                )
            )
            assert sum(each.rows for each in inserted) == 41
            assert sorted(ids(await session.read("t", 0))) == list(range(41))

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_what_was_sent_again_after_its_fate_was_unknown_is_there_once(tmp_path: Path) -> None:
    """HS-2, HS-16: the leader stops with batches under way; each is repeated."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA, cache_limit=5000, key_columns=["id"])
            leader = await members.leader()
            hasty = await members.connect(leader)
            doomed = [
                asyncio.ensure_future(functions.insert(hasty, "t", rows(i, i + 100)))
                for i in range(100)
            ]
            await doomed[3]
            await members.stop(leader)
            fates = await asyncio.gather(*doomed, return_exceptions=True)
            assert all(isinstance(fate, tuple | RequestError) for fate in fates)
            for i in range(100):
                await session.insert("t", rows(i, i + 100))
            found = ids(await session.read("t", 0))
            assert sorted(found) == list(range(200))
            await members.start(leader)
            tables = await members.statuses_agree()
            while tables.get("t", {}).get("rows") != 200:
                tables = await members.statuses_agree()

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def folded(batch: pa.RecordBatch) -> bytes:
    """A batch whose columns all have the same values, which its bytes hold once only."""
    body = batch.serialize().to_pybytes()
    (metadata_bytes,) = struct.unpack_from("<4xi", body)
    start = 8 + metadata_bytes
    size = (len(body) - start) // batch.num_columns

    def places(step: int) -> bytes:
        """Of no nulls and of the values, column by column."""
        starts = [i * step for i in range(batch.num_columns)]
        return b"".join(struct.pack("<qqqq", at, 0, at, size) for at in starts)

    head = body[:start]
    assert head.count(places(size)) == 1
    head = head.replace(places(size), places(0))
    head = head.replace(struct.pack("<q", len(body) - start), struct.pack("<q", size))
    return head + body[start : start + size]


def test_what_is_left_of_a_batch_fits_into_a_frame_or_is_refused(tmp_path: Path) -> None:
    """HS-22: an entry that is too long to be sent would stop the group for ever."""
    columns = 50
    schema = pa.schema([(f"c{i}", pa.int64()) for i in range(columns)])
    keys = pa.array([*range(12_000), 0])
    body = folded(pa.record_batch([keys] * columns, schema=schema))
    assert len(body) < 200_000

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", schema, key_columns=["c0"])
            one = await members.connect(await members.leader())
            with pytest.raises(RequestError) as caught:
                await functions.append_body(one, "t", fingerprint(schema), body)
            assert (caught.value.name, caught.value.definite) == ("FrameTooLarge", True)
            part = pa.record_batch([keys.slice(0, 10)] * columns, schema=schema)
            assert await session.insert("t", part) == (0, 10)

    with Homes(tmp_path, extra="maxFrameSize=4194304\n") as homes:
        run(scenario(homes))
