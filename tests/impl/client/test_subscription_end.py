"""Once a subscription has ended nothing more comes of it, whatever it was about to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pyarrow as pa
import pytest
from delphic.impl.client.errors import RequestError
from delphic.impl.client.offsets import Offsets
from delphic.impl.client.subscriber import Subscriber
from delphic.impl.raft.debts import Answer
from delphic.impl.runtime_asyncio import ThreadWorker
from members import ids, run
from memory_disk import MemoryDisk
from scripted_leader import begins, frame, until
from scripted_node import ScriptedNode

pytestmark = pytest.mark.slow

LIVE = begins(beat_s=60)
WISHES = {"reconnect": True, "persist_offset": True, "msg_as_table": True}


def electing(node: ScriptedNode, _: str, __: tuple[Any, ...], answer: Answer) -> None:
    """Somebody else leads, and nobody knows who."""
    answer(RequestError("NotLeader", True, f"<NotLeader>{node.site}:{node.alias}"))


def sends(node: ScriptedNode, number: int) -> None:
    """One row per frame, to the first connection."""
    if number == 1:
        for at in range(4):
            frame(node, at, at, number=number)


@asynccontextmanager
async def stored() -> AsyncIterator[Offsets]:
    """A place for stored offsets."""
    worker = ThreadWorker(asyncio.get_running_loop())
    offsets = Offsets(MemoryDisk(), worker, "/offsets")
    yield offsets
    await worker.close()
    offsets.close()


@pytest.mark.parametrize("how", ["unsubscribe", "leave"])
def test_one_that_ends_while_it_logs_in_again_does_not_begin_again(how: str) -> None:
    held: list[Answer] = []

    def script(node: ScriptedNode, function: str, args: tuple[Any, ...], answer: Answer) -> None:
        if function == "login" and len(node.asked) > 1:
            held.append(answer)
        else:
            LIVE(node, function, args, answer)

    async def scenario() -> None:
        async with ScriptedNode("n1", script) as node:
            async with (
                asyncio.timeout(10),
                Subscriber([node.site], user="u", password="p") as subscriber,
            ):
                topic = await subscriber.subscribe_table("t", print, offset=0, reconnect=True)
                node.hang_up()
                await until(lambda: bool(held))
                if how == "unsubscribe":
                    await subscriber.unsubscribe_table("t")
                    assert subscriber.subscription(topic) is None
                held[0](None)
            await until(lambda: not node.visitors)
            assert node.asked == ["login", "subscribeTable", "login"]

    run(scenario())


def test_one_that_ends_without_a_connection_hands_over_no_more_and_its_offset_stays_removed() -> (
    None
):
    """Promise HS-14: a record that comes back would have a later life leave rows out."""

    async def scenario() -> None:
        got: list[int] = []
        is_second, may_go_on = asyncio.Event(), asyncio.Event()

        async def handle(table: pa.Table) -> None:
            got.extend(ids(table))
            if len(got) == 2:
                is_second.set()
                await may_go_on.wait()

        async with stored() as offsets, ScriptedNode("n1", begins(sends, beat_s=60)) as node:
            async with Subscriber([node.site], offsets=offsets) as subscriber:
                await subscriber.subscribe_table("t", handle, offset=0, **WISHES)
                await is_second.wait()
                node.script = electing
                node.hang_up()
                await until(lambda: node.asked.count("subscribeTable") > 2)
                await subscriber.unsubscribe_table("t")
                assert offsets.load("t/") is None
                may_go_on.set()
            assert (got, offsets.load("t/")) == ([0, 1], None)

    run(scenario())


@pytest.mark.parametrize("how", ["hangs up", "leads no more"])
def test_a_leader_that_is_just_going_need_not_be_told(how: str) -> None:
    """It has no subscriptions any more, and another one has none yet."""

    def goes(node: ScriptedNode, function: str, args: tuple[Any, ...], answer: Answer) -> None:
        if function == "subscribeTable":
            LIVE(node, function, args, answer)
        elif how == "hangs up":
            node.hang_up()
        else:
            electing(node, function, args, answer)

    async def scenario() -> None:
        async with (
            stored() as offsets,
            ScriptedNode("n1", goes) as node,
            Subscriber([node.site], offsets=offsets) as subscriber,
        ):
            await subscriber.subscribe_table("t", print, offset=0, **WISHES)
            assert offsets.load("t/") is not None
            await subscriber.unsubscribe_table("t")
            assert offsets.load("t/") is None

    run(scenario())


def test_a_topic_that_was_given_up_may_be_subscribed_at_once() -> None:
    async def scenario() -> None:
        async with ScriptedNode("n1", LIVE) as node, Subscriber([node.site]) as subscriber:
            await subscriber.subscribe_table("t", print, offset=0)
            await subscriber.unsubscribe_table("t", remove_offset=False)
            await subscriber.subscribe_table("t", print, offset=0)

    run(scenario())


def test_whoever_waits_for_one_to_begin_is_told_that_it_never_will() -> None:
    async def scenario() -> None:
        async with ScriptedNode("n1", electing) as node, Subscriber([node.site]) as subscriber:
            begun = asyncio.create_task(subscriber.subscribe_table("t", print, offset=0))
            await until(lambda: bool(node.asked))
            await subscriber.unsubscribe_table("t")
            with pytest.raises(RequestError, match="closed before it began"):
                await asyncio.wait_for(begun, 10)

    run(scenario())


def test_one_that_nobody_waits_for_any_more_does_not_begin_later() -> None:
    async def scenario() -> None:
        async with ScriptedNode("n1", electing) as node, Subscriber([node.site]) as subscriber:
            begun = asyncio.create_task(subscriber.subscribe_table("t", print, offset=0))
            await until(lambda: bool(node.asked))
            begun.cancel()
            with pytest.raises(asyncio.CancelledError):
                await begun
            assert subscriber.subscription("t/") is None
            node.script = LIVE
            await subscriber.subscribe_table("t", print, offset=0)

    run(scenario())


def test_a_handler_may_end_its_own_subscription() -> None:
    async def scenario() -> None:
        got: list[int] = []

        async def handle(table: pa.Table) -> None:
            got.extend(ids(table))
            if len(got) == 2:
                await subscriber.unsubscribe_table("t")

        async with stored() as offsets, ScriptedNode("n1", begins(sends, beat_s=60)) as node:
            async with Subscriber([node.site], offsets=offsets) as subscriber:
                await subscriber.subscribe_table("t", handle, offset=0, **WISHES)
                await until(lambda: subscriber.subscription("t/") is None)
            # Removing waits for what was stored and removed before.
            await offsets.remove("other/")
            assert (got, offsets.load("t/")) == ([0, 1], None)

    run(scenario())


def test_what_the_block_of_a_subscriber_raises_arrives_as_it_is() -> None:
    def purged(_: object, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        answer(RequestError("OffsetPurged", True, "row 0 is gone"))

    async def scenario() -> None:
        async with ScriptedNode("n1", LIVE) as node, ScriptedNode("n2", purged) as other:

            async def block(site: str) -> None:
                async with Subscriber([site]) as subscriber:
                    await subscriber.subscribe_table("t", print, offset=0)
                    raise KeyError("mine")

            with pytest.raises(RequestError, match="row 0 is gone"):
                await block(other.site)
            with pytest.raises(KeyError, match="mine"):
                await block(node.site)

    run(scenario())
