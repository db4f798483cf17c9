"""Filtered subscriptions of a group on loopback: through any member, past restarts of all."""

import asyncio
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from delphic.impl.client import functions
from delphic.impl.client.errors import RequestError
from delphic.impl.client.subscriber import Subscriber
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow


def test_a_filtered_subscriber_gets_its_rows_from_whoever_leads_after_a_restart_of_all(
    tmp_path: Path,
) -> None:
    """Promises HS-13 and HS-18."""

    async def body(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            asked: dict[str, Any] = {"offset": 0, "msg_as_table": True, "reconnect": True}
            seen: list[int] = []
            news: asyncio.Queue[int] = asyncio.Queue()

            def handle(table: pa.Table, last: int) -> None:
                seen.extend(ids(table))
                news.put_nowait(last)

            async with Subscriber(homes.sites) as found:
                with pytest.raises(RequestError, match="no filter column"):
                    await found.subscribe_table("t", handle, filter=(1,), **asked)
                leader = await members.leader()
                follower = await members.connect(next(a for a in ALIASES if a != leader))
                await functions.set_filter_column(follower, "t", "id")
                await members.stop(*ALIASES)
                await members.start(*ALIASES)
                await session.append("t", rows(1, 2, 3))
                topic = await found.subscribe_table(
                    "t", handle, filter=(2, 5), handler_need_msg_id=True, **asked
                )
                assert await asyncio.wait_for(news.get(), 15) == 2
                await members.stop(await members.leader())
                await session.append("t", rows(4, 5, 6))
                assert await asyncio.wait_for(news.get(), 15) == 5
                assert seen == [2, 5]
                assert found.failure(topic) is None

    with Homes(tmp_path) as homes:
        run(body(homes))
