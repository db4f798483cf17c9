"""A session finds the leader, follows it, and never repeats what may have been executed."""

from typing import Any

import pytest
from delphic.impl.client.errors import RequestError, not_leader
from delphic.impl.client.session import Session
from delphic.impl.raft.debts import Answer
from delphic.impl.site import Site
from delphic.impl.visitor import Visitor
from members import SCHEMA, rows, run
from scripted_node import ScriptedNode

OFFSET = 7


def leads(_: ScriptedNode, function: str, __: tuple[Any, ...], answer: Answer) -> None:
    answer("n2" if function == "getStreamingLeader" else OFFSET)


def names(site: str) -> Any:
    """Answers NotLeader with the given payload."""

    def script(_: ScriptedNode, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        answer(RequestError("NotLeader", True, f"<NotLeader>{site}"))

    return script


def hangs_up(node: ScriptedNode, *_: Any) -> None:
    node.hang_up()


def silent(*_: Any) -> None:
    """Never answers."""


async def failure(call: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await call
    return caught.value


def test_a_pointer_to_the_leader_is_followed_even_to_a_site_that_was_not_listed() -> None:
    """Promise HS-26."""

    async def scenario() -> None:
        async with (
            ScriptedNode("n2", leads) as leader,
            ScriptedNode("n1", names(f"{leader.site}:n2")) as follower,
        ):
            session = Session([follower.site])
            assert await session.append("t", rows(1)) == OFFSET
            assert await session.append("t", rows(2)) == OFFSET
            assert follower.asked == ["tableInsert"]
            assert leader.asked == ["tableInsert"] * 2
            assert session.target == leader.site
            session.close()

    run(scenario())


@pytest.mark.parametrize("payload", ["own", "", "nonsense"])
def test_without_a_leader_it_waits_and_asks_again(payload: str) -> None:
    """V8: the own site, an empty payload, or one that makes no sense."""

    def electing(node: ScriptedNode, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        if len(node.asked) < 4:
            site = f"{node.site}:n1" if payload == "own" else payload
            answer(RequestError("NotLeader", True, f"<NotLeader>{site}"))
        else:
            answer(OFFSET)

    async def scenario() -> None:
        async with ScriptedNode("n1", electing) as node:
            session = Session([node.site])
            assert await session.append("t", rows(1)) == OFFSET
            assert len(node.asked) == 4
            session.close()

    run(scenario())


def test_a_member_that_cannot_be_reached_is_passed_over() -> None:
    async def scenario() -> None:
        async with ScriptedNode("n1", leads) as gone:
            dead = gone.site
        async with ScriptedNode("n2", leads) as leader:
            session = Session([dead, leader.site])
            assert await session.append("t", rows(1)) == OFFSET
            session.close()

    run(scenario())


def test_an_append_whose_fate_is_unknown_is_not_sent_again() -> None:
    """But the next one goes elsewhere."""

    async def scenario() -> None:
        async with ScriptedNode("n1", hangs_up) as node, ScriptedNode("n2", leads) as other:
            session = Session([node.site, other.site])
            error = await failure(session.append("t", rows(1)))
            assert (error.name, error.definite) == ("Indeterminate", False)
            assert (node.asked, other.asked) == (["tableInsert"], [])
            assert await session.append("t", rows(1)) == OFFSET
            assert (node.asked, other.asked) == (["tableInsert"], ["tableInsert"])
            session.close()

    run(scenario())


def test_an_at_least_once_producer_sends_it_again() -> None:
    """Promise HS-15: duplicates are this producer's choice."""

    async def scenario() -> None:
        async with ScriptedNode("n1", hangs_up) as node, ScriptedNode("n2", leads) as other:
            session = Session([node.site, other.site], retry_indeterminate=True)
            assert await session.append("t", rows(1)) == OFFSET
            assert (node.asked, other.asked) == (["tableInsert"], ["tableInsert"])
            session.close()

    run(scenario())


def test_what_only_reads_is_repeated_after_a_silence() -> None:
    async def scenario() -> None:
        async with ScriptedNode("n1", silent) as node, ScriptedNode("n2", leads) as other:
            session = Session([node.site, other.site], attempt_s=0.05)
            assert await session.call("getStreamingLeader", (2,), timeout_s=5) == "n2"
            assert node.asked == other.asked == ["getStreamingLeader"]
            session.close()

    run(scenario())


def test_it_gives_up_at_a_known_time_and_says_what_it_last_heard() -> None:
    """Definitely, if every attempt failed definitely."""

    async def scenario() -> None:
        async with ScriptedNode("n1", names("")) as node:
            session = Session([node.site], total_s=0.3)
            start_ns = node.clock.now_ns()
            error = await failure(session.append("t", rows(1)))
            assert (error.name, error.definite) == ("Timeout", True)
            assert "gave up after 0.3 s; last: NotLeader" in error.message
            assert node.clock.now_ns() - start_ns < 0.6e9
            assert 3 <= len(node.asked) <= 20
            session.close()

    run(scenario())


def test_giving_up_after_a_doubtful_attempt_is_indeterminate() -> None:
    async def scenario() -> None:
        async with ScriptedNode("n1", silent) as node:
            session = Session([node.site], total_s=0.3, attempt_s=0.05, retry_indeterminate=True)
            error = await failure(session.append("t", rows(1)))
            assert (error.name, error.definite) == ("Indeterminate", False)
            session.close()

    run(scenario())


def test_two_members_that_point_at_each_other_are_not_asked_without_pause() -> None:
    sites: list[str] = []

    def other(node: ScriptedNode, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        host, port = sites[1 if node.alias == "n1" else 0].split(":")
        alias = "n2" if node.alias == "n1" else "n1"
        answer(not_leader(Site(host, int(port), alias)))

    async def scenario() -> None:
        async with ScriptedNode("n1", other) as one, ScriptedNode("n2", other) as two:
            sites.extend((one.site, two.site))
            session = Session(sites, total_s=0.3)
            error = await failure(session.append("t", rows(1)))
            assert error.name == "Timeout"
            assert len(one.asked) + len(two.asked) <= 20
            session.close()

    run(scenario())


def test_an_overloaded_leader_is_asked_again_and_not_left() -> None:
    def busy(node: ScriptedNode, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        busy_now = len(node.asked) < 3
        answer(RequestError("Overloaded", True, "later") if busy_now else OFFSET)

    async def scenario() -> None:
        async with ScriptedNode("n1", busy) as node, ScriptedNode("n2", leads) as other:
            session = Session([node.site, other.site])
            assert await session.append("t", rows(1)) == OFFSET
            assert (len(node.asked), other.asked) == (3, [])
            session.close()

    run(scenario())


def test_a_refusal_that_will_not_change_is_raised_at_once() -> None:
    def exists(_: ScriptedNode, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        answer(RequestError("TableExists", True, "there is already a table t"))

    async def scenario() -> None:
        async with ScriptedNode("n1", exists) as node:
            session = Session([node.site])
            error = await failure(session.create_table(2, "t", SCHEMA))
            assert (error.name, len(node.asked)) == ("TableExists", 1)
            session.close()
            closed = await failure(session.append("t", rows(1)))
            assert closed.definite

    run(scenario())


def test_sites_are_checked_when_the_session_is_made() -> None:
    async def scenario() -> None:
        with pytest.raises(ValueError, match="at least one host:port"):
            Session([])
        with pytest.raises(ValueError, match="want a port from 1 to 65535, got '0'"):
            Session(["h:0"])

    run(scenario())


def test_a_refusal_after_a_doubtful_attempt_is_indeterminate() -> None:
    """The first attempt may be what the refusal speaks of."""

    def drops(node: ScriptedNode, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        if len(node.asked) == 1:
            node.hang_up()
        else:
            answer(RequestError("NoSuchTable", True, "there is no table t"))

    async def scenario() -> None:
        async with ScriptedNode("n1", drops) as node:
            session = Session([node.site], retry_indeterminate=True)
            error = await failure(session.drop_table("t"))
            assert (error.name, error.definite) == ("Indeterminate", False)
            assert "NoSuchTable" in error.message
            assert len(node.asked) == 2
            error = await failure(session.drop_table("t"))
            assert (error.name, error.definite) == ("NoSuchTable", True)
            session.close()

    run(scenario())


def test_a_session_that_is_closed_after_a_doubtful_attempt_knows_no_more_than_before() -> None:
    sessions: list[Session] = []

    class Closing(ScriptedNode):
        def arrived(self, visitor: Visitor) -> None:
            super().arrived(visitor)
            if self.asked:
                sessions[0].close()

    async def scenario() -> None:
        async with Closing("n1", hangs_up) as node:
            sessions.append(Session([node.site], retry_indeterminate=True))
            error = await failure(sessions[0].append("t", rows(1)))
            assert (error.name, error.definite) == ("Indeterminate", False)
            assert "the session is closed" in error.message

    run(scenario())


def test_a_read_that_is_repeated_is_refused_as_it_is() -> None:
    """Reading does nothing, however often."""

    def gone(node: ScriptedNode, __: str, ___: tuple[Any, ...], answer: Answer) -> None:
        if len(node.asked) == 1:
            node.hang_up()
        else:
            answer(RequestError("NoSuchTable", True, "there is no table t"))

    async def scenario() -> None:
        async with ScriptedNode("n1", gone) as node:
            session = Session([node.site])
            error = await failure(session.read("t", 0))
            assert (error.name, error.definite) == ("NoSuchTable", True)
            session.close()

    run(scenario())
