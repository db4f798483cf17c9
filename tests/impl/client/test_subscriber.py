"""Subscribers of a group on loopback: they follow the leader, miss nothing, and come back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from delphic.impl.client import functions
from delphic.impl.client.cursor import EARLIEST, STORED
from delphic.impl.client.errors import RequestError
from delphic.impl.client.offsets import Offsets
from delphic.impl.client.subscriber import Subscriber
from delphic.impl.client.subscription import BEATS_MAX
from delphic.impl.runtime_asyncio import ThreadWorker
from delphic.impl.runtime_disk import RealDisk
from delphic.impl.stream.broker import BEAT_S
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow


async def until(true: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(15):
        while True:
            if true():
                return
            await asyncio.sleep(0.01)


class Seen:
    """A handler that keeps the ids it was given."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.calls: list[list[int]] = []
        self.fails_at: int | None = None

    def __call__(self, table: pa.Table) -> None:
        got = ids(table)
        self.calls.append(got)
        if self.fails_at in got:
            self.fails_at = None
            raise ValueError("this one not")
        self.ids += got

    async def until(self, count: int) -> None:
        await until(lambda: len(self.ids) >= count)


@asynccontextmanager
async def subscriber(
    members: Members, folder: Path, only: str | None = None
) -> AsyncIterator[Subscriber]:
    sites = members.homes.sites
    if only is not None:
        sites = [f"127.0.0.1:{members.homes.ports[only]}"]
    worker = ThreadWorker(asyncio.get_running_loop())
    offsets = Offsets(RealDisk(), worker, str(folder))
    async with Subscriber(sites, offsets=offsets) as found:
        yield found
    await worker.close()
    offsets.close()


async def failure(call: Any) -> str:
    with pytest.raises(RequestError) as caught:
        await call
    return caught.value.name


def scenario(tmp_path: Path, body: Callable[[Members, Path], Any], **changes: Any) -> None:
    async def whole(homes: Homes) -> None:
        async with Members(homes, **changes) as members:
            await members.start(*ALIASES)
            await members.session().create_table(GROUP, "t", SCHEMA)
            await body(members, tmp_path / "offsets")

    with Homes(tmp_path) as homes:
        run(whole(homes))


def test_a_subscriber_that_knows_a_follower_gets_every_row_once_in_order(tmp_path: Path) -> None:
    """Promise HS-13."""

    async def body(members: Members, folder: Path) -> None:
        session, seen = members.session(), Seen()
        await session.append("t", rows(1, 2))
        leader = await members.leader()
        follower = next(alias for alias in ALIASES if alias != leader)
        async with subscriber(members, folder, follower) as found:
            topic = await found.subscribe_table("t", seen, offset=0, msg_as_table=True)
            assert topic == "t/"
            await session.append("t", rows(3))
            await seen.until(3)
            assert seen.ids == [1, 2, 3]
            assert found.get_topic_processed_offset(topic) == -1
            assert await failure(found.subscribe_table("t", seen)) == "TopicExists"

    scenario(tmp_path, body)


def test_two_subscribers_cannot_have_one_topic_and_a_table_with_one_is_not_dropped(
    tmp_path: Path,
) -> None:
    """Promise HS-17."""

    async def body(members: Members, folder: Path) -> None:
        session, seen = members.session(), Seen()
        async with subscriber(members, folder) as one, subscriber(members, folder / "2") as two:
            await one.subscribe_table("t", seen)
            assert await failure(two.subscribe_table("t", seen)) == "TopicExists"
            await two.subscribe_table("t", seen, action="mine")
            drop = "dropStreamTable"
            assert await failure(session.call(drop, ("t",), timeout_s=5)) == "HasSubscriptions"
            await one.unsubscribe_table("t")
            await two.unsubscribe_table("t", "mine")
            await session.call(drop, ("t",), timeout_s=5)

    scenario(tmp_path, body)


def test_when_the_leader_stops_a_subscriber_misses_nothing(tmp_path: Path) -> None:
    """Promises HS-13 and HS-24."""

    async def body(members: Members, folder: Path) -> None:
        session, seen = members.session(), Seen()
        async with subscriber(members, folder) as found:
            await found.subscribe_table(
                "t", seen, offset=EARLIEST, msg_as_table=True, reconnect=True
            )
            for number in range(20):
                await session.append("t", rows(number))
                if number == 10:
                    await members.stop(await members.leader())
            await seen.until(20)
            assert seen.ids == list(range(20))

    scenario(tmp_path, body)


def test_without_reconnect_a_subscription_ends_with_its_leader(tmp_path: Path) -> None:
    async def body(members: Members, folder: Path) -> None:
        async with subscriber(members, folder) as found:
            topic = await found.subscribe_table("t", Seen())
            await members.stop(await members.leader())
            await until(lambda: found.failure(topic) is not None)
            assert isinstance(found.failure(topic), RequestError)

    scenario(tmp_path, body)


def test_minus_two_goes_on_behind_the_row_recorded_last(tmp_path: Path) -> None:
    """Promise HS-14, and that it records where it begins (V9)."""

    async def body(members: Members, folder: Path) -> None:
        session, seen = members.session(), Seen()
        wishes: dict[str, Any] = {"persist_offset": True, "msg_as_table": True}
        async with subscriber(members, folder) as found:
            assert await failure(found.subscribe_table("t", seen, offset=STORED, **wishes)) == (
                "NoStoredOffset"
            )
            await session.append("t", rows(1, 2))
            topic = await found.subscribe_table("t", seen, **wishes)
            assert found.get_topic_processed_offset(topic) == 1
        await session.append("t", rows(3, 4))
        async with subscriber(members, folder) as found:
            await found.subscribe_table("t", seen, offset=STORED, **wishes)
            await seen.until(2)
            await session.append("t", rows(5))
            await seen.until(3)
            assert seen.ids == [3, 4, 5]
            await until(lambda: found.get_topic_processed_offset(topic) == 4)
            await found.unsubscribe_table("t", remove_offset=False)
            assert found.get_topic_processed_offset(topic) == 4
            await found.remove_topic_offset(topic)
            assert found.get_topic_processed_offset(topic) == -1

    scenario(tmp_path, body)


def test_what_a_handler_fails_with_comes_again_before_anything_else(tmp_path: Path) -> None:
    """Promise HS-14 (V21)."""

    async def body(members: Members, folder: Path) -> None:
        session, seen = members.session(), Seen()
        seen.fails_at = 2
        async with subscriber(members, folder) as found:
            topic = await found.subscribe_table(
                "t", seen, offset=0, msg_as_table=True, persist_offset=True
            )
            for number in range(4):
                await session.append("t", rows(number))
            await seen.until(4)
            assert seen.ids == [0, 1, 2, 3]
            subscription = found.subscription(topic)
            assert subscription is not None
            assert subscription.failed_count == 1
            assert subscription.last_error == "ValueError: this one not"

    scenario(tmp_path, body)


def test_a_batch_is_all_that_waits_or_what_there_is_when_time_is_up(tmp_path: Path) -> None:
    async def body(members: Members, folder: Path) -> None:
        session, seen = members.session(), Seen()
        async with subscriber(members, folder) as found:
            await found.subscribe_table(
                "t", seen, offset=0, msg_as_table=True, batch_size=30, throttle_s=1
            )
            for number in range(30):
                await session.append("t", rows(number))
            await seen.until(30)
            assert seen.calls == [list(range(30))]
            await session.append("t", rows(30))
            await seen.until(31)

    scenario(tmp_path, body)


def test_a_handler_may_be_slow_and_async_and_want_columns_and_the_id(tmp_path: Path) -> None:
    async def body(members: Members, folder: Path) -> None:
        session = members.session()
        got: list[tuple[int, int]] = []
        done = asyncio.get_running_loop().create_future()

        async def handle(columns: tuple[Any, ...], last: int) -> None:
            await asyncio.sleep(0.02)
            got.append((len(columns[0]), last))
            if last == 29:
                done.set_result(None)

        async with subscriber(members, folder) as found:
            await found.subscribe_table("t", handle, offset=0, handler_need_msg_id=True)
            for number in range(30):
                await session.append("t", rows(number))
            async with asyncio.timeout(10):
                await done
        assert sum(count for count, _ in got) == 30
        assert BEATS_MAX * BEAT_S >= 1

    scenario(tmp_path, body)


def test_a_leader_tells_who_is_subscribed_and_how_far(tmp_path: Path) -> None:
    async def body(members: Members, folder: Path) -> None:
        session, seen = members.session(), Seen()
        await session.append("t", rows(1, 2, 3))
        leader = await members.connect(await members.leader())
        async with subscriber(members, folder) as found:
            await found.subscribe_table("t", seen, action="mine", offset=1, msg_as_table=True)
            await seen.until(2)
            stat = await functions.get_streaming_stat(leader)
            (published,), (connection,) = stat["pubTables"], stat["pubConns"]
            assert published == {
                "tableName": "t",
                "subscriber": connection["client"],
                "msgOffset": 3,
                "actions": "mine",
            }
            assert connection["client"].startswith("127.0.0.1:")
            assert (connection["queueDepth"], connection["tables"]) == (0, "t")

    scenario(tmp_path, body)


def test_what_is_recorded_of_a_table_is_nothing_to_another_one_of_that_name(
    tmp_path: Path,
) -> None:
    """Promise HS-14: the other one's first rows would never be processed."""

    async def body(members: Members, folder: Path) -> None:
        session, seen = members.session(), Seen()
        wishes = {"persist_offset": True, "msg_as_table": True}
        await session.append("t", rows(1, 2))
        async with subscriber(members, folder) as found:
            topic = await found.subscribe_table("t", seen, offset=0, **wishes)
            await until(lambda: found.get_topic_processed_offset(topic) == 1)
            await found.unsubscribe_table("t", remove_offset=False)
            await session.drop_table("t")
            await session.create_table(GROUP, "t", SCHEMA)
            await session.append("t", rows(101, 102, 103))
            again = found.subscribe_table("t", seen, offset=STORED, **wishes)
            assert await failure(again) == "TableReplaced"
            await found.subscribe_table("t", seen, offset=0, **wishes)
            await seen.until(5)
            assert seen.ids == [1, 2, 101, 102, 103]
            await until(lambda: found.get_topic_processed_offset(topic) == 2)
            await found.unsubscribe_table("t", remove_offset=False)
            await found.subscribe_table("t", seen, offset=STORED, **wishes)

    scenario(tmp_path, body)


def test_a_start_that_is_recorded_already_is_recorded_as_the_new_tables(tmp_path: Path) -> None:
    """Promise HS-14."""

    async def body(members: Members, folder: Path) -> None:
        session, seen = members.session(), Seen()
        wishes = {"persist_offset": True, "msg_as_table": True}
        async with subscriber(members, folder) as found:
            await found.subscribe_table("t", seen, offset=0, **wishes)
            await found.unsubscribe_table("t", remove_offset=False)
            await session.drop_table("t")
            await session.create_table(GROUP, "t", SCHEMA)
            await found.subscribe_table("t", seen, offset=0, **wishes)
            await found.unsubscribe_table("t", remove_offset=False)
            await found.subscribe_table("t", seen, offset=STORED, **wishes)

    scenario(tmp_path, body)


def test_a_read_tells_tables_of_one_name_apart(tmp_path: Path) -> None:
    async def body(members: Members, folder: Path) -> None:
        session = members.session()
        tables = set()
        for _ in range(2):
            for function in ("readRows", "pollRows"):
                answer = await session.call(function, ("t", 0, 0), timeout_s=5)
                tables.add(tuple(answer["table"]))
            await session.drop_table("t")
            await session.create_table(GROUP, "t", SCHEMA)
        assert len(tables) == 2
        assert {group for group, _ in tables} == {GROUP}

    scenario(tmp_path, body)
