"""A subscriber and nodes that do as a test says: silence, nonsense, and a login."""

import asyncio
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from delphic.impl.client.errors import RequestError
from delphic.impl.client.subscribing import Note, Options
from delphic.impl.client.subscription import Subscription
from delphic.impl.raft.debts import Answer
from delphic.impl.visitor import Visitor
from delphic.impl.wire import Credit, Ended, Rows
from members import ids, run
from scripted_leader import BEGUN, begins, frame, until
from scripted_node import ScriptedNode

pytestmark = pytest.mark.slow


def test_a_leader_from_which_nothing_is_heard_is_given_up_for_another_member() -> None:
    """Promise HS-24: a quiet connection may be one that nobody holds any more."""

    async def scenario() -> None:
        got: list[int] = []
        notes: list[Note] = []
        sends = begins(lambda node, number: frame(node, 0, 7, 8, number=number))
        async with ScriptedNode("n1", begins()) as silent, ScriptedNode("n2", sends) as other:
            found = Subscription(
                [silent.site, other.site],
                "t",
                lambda table: got.extend(ids(table)),
                Options(offset=0, reconnect=True, msg_as_table=True),
                told=notes.append,
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(found.run())
                await until(lambda: bool(got))
                found.close()
        assert got[:2] == [7, 8]
        assert [(note.what, note.leader) for note in notes][:3] == [
            ("live", "n1"),
            ("lost", ""),
            ("live", "n2"),
        ]

    run(scenario())


def test_the_end_of_the_old_leaders_connection_does_not_end_the_one_to_its_successor() -> None:
    """What was hung up is told a moment later, when the next leader is being asked already."""

    async def scenario() -> None:
        got: list[int] = []
        notes: list[Note] = []
        sends = begins(lambda node, number: frame(node, 0, 7, number=number))
        async with ScriptedNode("n2", sends) as next_one, ScriptedNode("n3", begins()) as other:
            successor = f"<NotLeader>{next_one.site}:n2"

            def hands_over(node: ScriptedNode, number: int) -> None:
                for visitor in node.visitors:
                    visitor.push(Ended(number, "NotLeader", successor))

            async with ScriptedNode("n1", begins(hands_over)) as old:
                found = Subscription(
                    [old.site, next_one.site, other.site],
                    "t",
                    lambda table: got.extend(ids(table)),
                    Options(offset=0, reconnect=True, msg_as_table=True),
                    told=notes.append,
                )
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(found.run())
                    await until(lambda: bool(got) and not old.visitors)
                    found.close()
        told = [(note.what, note.leader) for note in notes if note.what in ("live", "lost")]
        assert told == [("live", "n1"), ("lost", ""), ("live", "n2")]
        assert (next_one.asked, other.asked) == (["subscribeTable"], [])

    run(scenario())


def test_rows_that_are_not_the_next_ones_end_the_connection_and_are_asked_for_again() -> None:
    """Promise HS-13."""

    async def scenario() -> None:
        got: list[int] = []

        def then(node: ScriptedNode, number: int) -> None:
            if number == 1:
                frame(node, 0, 1, number=number)
                frame(node, 2, 3, number=number)
            elif number == 2:
                frame(node, 1, 2, 3, number=number)

        async with ScriptedNode("n1", begins(then)) as node:
            found = Subscription(
                [node.site],
                "t",
                lambda table: got.extend(ids(table)),
                Options(offset=0, reconnect=True, msg_as_table=True),
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(found.run())
                await until(lambda: len(got) >= 3)
                found.close()
        assert got == [1, 2, 3]

    run(scenario())


def test_a_refusal_that_lasts_is_told() -> None:
    async def scenario() -> None:
        def script(node: ScriptedNode, function: str, args: Any, answer: Answer) -> None:
            answer(RequestError("OffsetPurged", True, "row 0 is gone"))

        async with ScriptedNode("n1", script) as node:
            found = Subscription([node.site], "t", print, Options(offset=0, reconnect=True))
            with pytest.raises(RequestError) as caught:
                await found.run()
            with pytest.raises(RequestError):
                await found.live()
            assert caught.value.name == "OffsetPurged"
            assert node.asked == ["subscribeTable"]

    run(scenario())


class Publisher(ScriptedNode):
    """Has rows for whoever has room; from its second term on it begins once `serve` is called."""

    TOTAL = 40

    def __init__(self) -> None:
        super().__init__("n1", self._asked_for)
        self.room = self.at = self.number = 0
        self.is_full = False
        self.serve: Callable[[], None] | None = None

    def credit(self, visitor: Visitor, credit: Credit) -> None:
        """An answer to an empty frame: all that was sent before it has arrived."""
        self.is_full = self.room == 0 and not credit.frames
        self.room += credit.frames
        self._publish()

    def _asked_for(
        self, node: object, function: str, args: tuple[Any, ...], answer: Answer
    ) -> None:
        self.number, _, _, self.at, _, self.room, *_ = args[0]

        def serve() -> None:
            answer(BEGUN | {"start": self.at, "beat_s": 60})
            self._publish()

        if self.number == 1:
            serve()
        else:
            self.serve = serve

    def _publish(self) -> None:
        while self.room and self.at < self.TOTAL:
            frame(self, self.at, self.at, number=self.number)
            self.at += 1
            self.room -= 1
            if not self.room:
                for visitor in self.visitors:
                    visitor.push(Rows(self.number, 1, self.at, 0, ()))


@pytest.mark.parametrize("batch_size", [0, 3])
def test_room_that_is_given_back_while_a_leader_is_asked_is_not_lost(batch_size: int) -> None:
    """Promise HS-24: a leader that is told of no room stays silent for ever."""

    async def scenario() -> None:
        got: list[int] = []
        may_handle = asyncio.Event()

        async def handle(table: pa.Table) -> None:
            await may_handle.wait()
            got.extend(ids(table))

        options = Options(
            offset=0, reconnect=True, msg_as_table=True, batch_size=batch_size, throttle_s=0.01
        )
        async with Publisher() as node:
            found = Subscription([node.site], "t", handle, options)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(found.run())
                await until(lambda: node.is_full)
                node.hang_up()
                await until(lambda: node.serve is not None)
                taken = node.at
                assert taken >= 8
                may_handle.set()
                await until(lambda: len(got) == taken)
                assert node.serve is not None
                node.serve()
                await until(lambda: len(got) == node.TOTAL)
                found.close()
        assert got == list(range(node.TOTAL))

    run(scenario())


def test_another_table_of_the_same_name_is_not_taken_for_the_one_that_was_read() -> None:
    """Promise HS-13: rows of the new one that lie before the next one would be left out."""

    async def scenario() -> None:
        got: list[int] = []

        def then(node: ScriptedNode, number: int) -> None:
            if number == 1:
                frame(node, 0, 1, 2, number=number)
                node.script = begins(then, table=[2, 9])
            else:
                frame(node, 2, 103, number=number)

        async with ScriptedNode("n1", begins(then)) as node:
            found = Subscription(
                [node.site],
                "t",
                lambda table: got.extend(ids(table)),
                Options(offset=0, reconnect=True, msg_as_table=True),
            )
            with pytest.raises(RequestError, match="another table") as caught:
                await asyncio.wait_for(found.run(), 10)
            assert (caught.value.name, got) == ("TableReplaced", [1, 2])

    run(scenario())
