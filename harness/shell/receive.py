"""A subscription for as long as a person wants to look."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pyarrow as pa

from ...impl.client.errors import RequestError
from .sites import Sites


async def received(sites: Sites, args: Mapping[str, Any]) -> pa.Table | str:
    """The rows that a subscription pushes, until enough have come or the time is over.

    It follows the leader like any other with reconnect. Raises RequestError.
    """
    name, count = args["tableName"], args["rows"]
    batches: list[pa.Table] = []
    enough = asyncio.Event()

    def handle(rows: pa.Table) -> None:
        batches.append(rows)
        if sum(batch.num_rows for batch in batches) >= count:
            enough.set()

    problem: Exception | None = None
    async with sites.subscriber() as subscriber:
        # Errors are kept until the block has ended, which would wrap them into a group.
        try:
            async with asyncio.timeout(sites.timeout_s):
                topic = await subscriber.subscribe_table(
                    name,
                    handle,
                    offset=args["offset"],
                    filter=args["filter"],
                    msg_as_table=True,
                    reconnect=True,
                )
            with suppress(TimeoutError):
                async with asyncio.timeout(sites.timeout_s):
                    await enough.wait()
            problem = subscriber.failure(topic)
            await subscriber.unsubscribe_table(name)
        except RequestError as error:
            problem = error
        except TimeoutError:
            problem = RequestError(
                "Timeout",
                True,
                f"not subscribed in {sites.timeout_s:g} s; is there a table {name}?",
            )
    if problem is not None:
        raise problem
    if not batches:
        return f"no row came in {sites.timeout_s:g} s"
    return pa.concat_tables(batches).slice(0, count)
