"""A member whose disk lost what it had acknowledged: its leader notices, and repairs it."""

import pytest
from cluster import Cluster
from delphic.impl.raft.core import Core
from delphic.impl.raft.messages import AppendRequest, AppendResponse, Kind
from delphic.impl.raft.ready import (
    Lost,
    Proposed,
    ReadRequested,
    Ready,
    Received,
    Timer,
    TimerFired,
)


def lose(cluster: Cluster, alias: str, left: int) -> None:
    """A member ends, and starts again with so many entries."""
    del cluster.members[alias].disk[left:]
    cluster.crash(alias)


def leading(entries: int) -> Cluster:
    """n1 leads, and all three hold so many entries."""
    cluster = Cluster(3, promises=frozenset())
    cluster.elect("n1")
    for _ in range(entries - 1):
        cluster.propose("n1")
    cluster.exchange()
    assert all(len(member.disk) == entries for member in cluster.members.values())
    return cluster


def losses(cluster: Cluster, beats: int) -> list[Lost]:
    """What n1 learns within so many of its heartbeats."""
    found = []
    step = cluster.step

    def noting(alias: str, event: object) -> Ready:
        ready = step(alias, event)  # type: ignore[arg-type]
        found.append(ready.lost)
        return ready

    cluster.step = noting  # type: ignore[method-assign]
    for _ in range(beats):
        cluster.fire("n1", Timer.HEARTBEAT)
        cluster.exchange()
    cluster.step = step  # type: ignore[method-assign]
    return [lost for lost in found if lost is not None]


@pytest.mark.parametrize("left", [4, 2, 0])
def test_who_lost_acknowledged_entries_gets_them_again_from_the_same_leader(left: int) -> None:
    cluster = leading(5)
    leader = cluster.members["n1"].core
    lose(cluster, "n2", left)
    assert losses(cluster, 3) == [Lost("n2", acknowledged=5, left=left)]
    cluster.propose("n1")
    cluster.exchange()
    assert [len(member.disk) for member in cluster.members.values()] == [6, 6, 6]
    assert (leader.term, leader.commit, leader.progress["n2"].match) == (1, 6, 6)


def test_nothing_is_committed_on_the_word_of_a_disk_that_lost_it() -> None:
    """n3 is away, so that the entry is on a majority only once n2 has it again."""
    cluster = leading(3)
    leader = cluster.members["n1"].core
    lose(cluster, "n2", 1)
    assert losses(cluster, 2)
    assert leader.progress["n2"].match == 3, "repaired"
    lose(cluster, "n2", 0)
    cluster.network.clear()
    beat = [m for m in leader.step(TimerFired(Timer.HEARTBEAT)).messages if m.dst == "n2"]
    refused = cluster.members["n2"].step(Received(beat[0])).after_persist[0]
    leader.step(Received(refused))
    beat = [m for m in leader.step(TimerFired(Timer.HEARTBEAT)).messages if m.dst == "n2"]
    refused = cluster.members["n2"].step(Received(beat[0])).after_persist[0]
    ready = leader.step(Received(refused))
    assert ready.lost == Lost("n2", 3, 0)
    assert (leader.progress["n2"].match, leader.commit) == (0, 3), "committed stays committed"


def test_several_may_lose_something_and_one_may_lose_it_twice() -> None:
    cluster = leading(5)
    lose(cluster, "n2", 3)
    lose(cluster, "n3", 1)
    found = losses(cluster, 3)
    assert sorted((lost.member, lost.acknowledged, lost.left) for lost in found) == [
        ("n2", 5, 3),
        ("n3", 5, 1),
    ]
    lose(cluster, "n2", 4)
    assert losses(cluster, 3) == [Lost("n2", 5, 4)]


def settled() -> Core:
    return leading(5).members["n1"].core


def refusal(core: Core, hint: int, asked: int) -> Ready:
    return core.step(Received(AppendResponse("n2", "n1", core.term, False, 0, hint, asked)))


def test_an_old_refusal_is_no_proof() -> None:
    """It may have been under way since before the entries were acknowledged: §5.3, any order."""
    core = settled()
    assert refusal(core, 2, 0).lost is None
    core.step(TimerFired(Timer.HEARTBEAT))
    assert [refusal(core, hint, 0).lost for hint in (2, 0, 2)] == [None] * 3
    assert core.progress["n2"].match == 5
    core.step(Received(AppendResponse("n2", "n1", core.term, True, 5, 0, 1)))
    assert not core.progress["n2"].probing
    assert refusal(core, 2, 1).lost is None, "asked before the doubt began"


def test_reads_that_wait_are_not_confused_with_the_question_of_a_doubt() -> None:
    core = settled()
    core.step(ReadRequested((7,)))
    assert refusal(core, 2, 0).lost is None
    ready = core.step(TimerFired(Timer.HEARTBEAT))
    rounds = {m.round for m in ready.messages if isinstance(m, AppendRequest)}
    assert rounds == {1}, "the read's round first"
    confirmed = core.step(Received(AppendResponse("n3", "n1", core.term, True, 5, 0, 1)))
    assert confirmed.reads == [(7, 5)]
    ready = core.step(TimerFired(Timer.HEARTBEAT))
    rounds = {m.round for m in ready.messages if isinstance(m, AppendRequest)}
    assert rounds == {2}
    assert refusal(core, 2, 2).lost == Lost("n2", 5, 2)


def test_a_leader_that_nothing_was_lost_to_begins_no_rounds() -> None:
    core = settled()
    for _ in range(5):
        ready = core.step(TimerFired(Timer.HEARTBEAT))
        assert {m.round for m in ready.messages if isinstance(m, AppendRequest)} == {0}


def test_with_entries_of_its_own_the_leader_does_not_wait_to_be_asked() -> None:
    """Proposals go on while one of three is in doubt, and reach it with the rest."""
    cluster = leading(5)
    lose(cluster, "n2", 2)
    leader = cluster.members["n1"].core
    for payload in (b"x", b"y"):
        leader.step(Proposed(((Kind.APPEND, payload),)))
    cluster.members["n1"].core.step(TimerFired(Timer.HEARTBEAT))
    assert losses(cluster, 4) == [Lost("n2", 5, 2)]
