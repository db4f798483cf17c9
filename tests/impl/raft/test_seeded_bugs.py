"""Seeded bugs by the shortest way to the promise that each breaks, and the way without it."""

from collections.abc import Callable

import pytest
from cluster import Cluster, within
from delphic.impl.bugs import (
    ACK_OWN_LAST,
    ALWAYS_TRUNCATE,
    COUNTS_ITSELF_EARLY,
    DUPLICATE_VOTE_COUNTED,
    FOLLOWER_ACK_BEFORE_FSYNC,
    PRE_VOTE_COUNTED,
    READ_BEFORE_NOOP,
    STALE_VOTE_COUNTED,
    TRUNCATES_APPLIED,
)
from delphic.impl.raft.messages import AppendRequest, Message, VoteRequest, VoteResponse
from delphic.impl.raft.progress import Window
from delphic.impl.raft.ready import Received, Role, Timer
from watch import OUTSIDE, Violation

Passes = Callable[[Message], bool]


def votes(*aliases: str) -> Passes:
    """Lets some members elect a leader, of whom nobody hears anything afterwards."""
    return lambda m: within(*aliases)(m) and not isinstance(m, AppendRequest)


def untold(*aliases: str) -> Passes:
    """Lets some members talk, but for news about what is committed behind the first entry."""
    return lambda m: within(*aliases)(m) and not (isinstance(m, AppendRequest) and m.commit > 1)


def empty(*aliases: str) -> Passes:
    """Lets some members talk, but no entries pass."""
    return lambda m: within(*aliases)(m) and not (isinstance(m, AppendRequest) and m.entries)


def pre_votes(*aliases: str) -> Passes:
    """Lets some members talk about who might lead, not more."""
    return lambda m: within(*aliases)(m) and isinstance(m, VoteRequest | VoteResponse) and m.pre


def votes_for(cluster: Cluster, alias: str) -> list[Message]:
    """Takes from the network what grants a member its vote."""
    found = [m for m in cluster.network if isinstance(m, VoteResponse) and m.dst == alias]
    cluster.network = []
    assert all(m.granted for m in found)
    return [*found]


def deliver(cluster: Cluster, *messages: Message) -> None:
    for message in messages:
        cluster.step(message.dst, Received(message))


def taken(cluster: Cluster, src: str, dst: str) -> list[Message]:
    """Takes from the network what is under way from one to another; the rest is lost."""
    found = [m for m in cluster.network if (m.src, m.dst) == (src, dst)]
    cluster.network = []
    return found


def read_before_noop(*bugs: str) -> None:
    """n2 leads, and does not know that n1 has committed a second entry."""
    cluster = Cluster(3, bugs=bugs, promises=OUTSIDE)
    cluster.elect("n1")
    cluster.propose("n1")
    cluster.exchange(untold("n1", "n2"))
    assert len(cluster.watch.committed) == 2
    cluster.elect("n2", votes("n2", "n3"))
    cluster.read("n2")
    cluster.exchange(empty("n2", "n3"))
    assert cluster.watch.confirmed_count == 0


def stale_vote_counted(*bugs: str) -> None:
    """n3 votes for n1 in term 1, which n1 hears in term 2; there n3 votes for n2."""
    cluster = Cluster(3, bugs=bugs, promises=OUTSIDE)
    cluster.fire("n1", Timer.ELECTION)
    cluster.exchange(
        lambda m: within("n1", "n3")(m) and not (isinstance(m, VoteResponse) and not m.pre),
        keep=True,
    )
    late = votes_for(cluster, "n1")
    assert [(m.src, m.term) for m in late if isinstance(m, VoteResponse)] == [("n3", 1)]
    cluster.fire("n1", Timer.ELECTION)
    cluster.exchange(pre_votes("n1", "n3"))
    assert cluster.members["n1"].core.term == 2
    cluster.elect("n2", within("n2", "n3"))
    assert cluster.members["n2"].core.term == 2
    deliver(cluster, *late)
    assert cluster.members["n1"].core.role is Role.CANDIDATE


def duplicate_vote_counted(*bugs: str) -> None:
    """n2's vote for n1 arrives twice; three of five vote for n3 in the same term."""
    cluster = Cluster(5, bugs=bugs, promises=OUTSIDE)
    cluster.fire("n1", Timer.ELECTION)
    cluster.exchange(pre_votes("n1", "n2", "n3"), keep=True)
    core = cluster.members["n1"].core
    request = next(m for m in cluster.network if isinstance(m, VoteRequest) and m.dst == "n2")
    cluster.network = []
    deliver(cluster, request)
    cluster.sync("n2")
    cluster.finish("n2")
    [vote] = votes_for(cluster, "n1")
    cluster.elect("n3", within("n3", "n4", "n5"))
    assert cluster.members["n3"].core.term == core.term
    deliver(cluster, vote, vote)
    assert core.role is Role.CANDIDATE


def pre_vote_counted(*bugs: str) -> None:
    """n3 would vote for n1, says so late, and votes for n2."""
    cluster = Cluster(3, bugs=bugs, promises=OUTSIDE)
    cluster.fire("n1", Timer.ELECTION)
    questions, cluster.network = cluster.network, []
    deliver(cluster, *questions)
    for alias in ("n2", "n3"):
        cluster.sync(alias)
        cluster.finish(alias)
    early, late = votes_for(cluster, "n1")
    deliver(cluster, early)
    assert cluster.members["n1"].core.role is Role.CANDIDATE
    cluster.elect("n2", within("n2", "n3"))
    assert cluster.members["n2"].core.term == cluster.members["n1"].core.term
    deliver(cluster, late)
    assert cluster.members["n1"].core.role is Role.CANDIDATE


def always_truncate(*bugs: str) -> None:
    """n2 gets an old request once more, after it has acknowledged what came behind."""
    window = Window(request_entries_max=1)
    cluster = Cluster(3, bugs=bugs, window=window, promises=OUTSIDE)
    cluster.elect("n1")
    cluster.propose("n1")
    again = [m for m in cluster.network if m.dst == "n2"]
    cluster.propose("n1")
    cluster.exchange(untold("n1", "n2"))
    assert len(cluster.watch.committed) == 3
    deliver(cluster, *again)
    cluster.exchange(within("n2"))
    cluster.elect("n2", within("n2", "n3"))


def ack_own_last(*bugs: str) -> None:
    """n1 has entries of its own where n2 has others, and is asked about the entry before."""
    cluster = Cluster(3, bugs=bugs, promises=OUTSIDE)
    cluster.elect("n1")
    for _ in range(3):
        cluster.propose("n1")
    cluster.exchange(within("n1"))
    cluster.elect("n2", votes("n2", "n3"))
    for _ in range(4):
        cluster.propose("n2")
    cluster.exchange(within("n2"))
    cluster.fire("n2", Timer.HEARTBEAT)
    cluster.exchange(empty("n1", "n2"))
    assert len(cluster.watch.committed) == 1 + 3 * len(bugs)
    cluster.elect("n1", within("n1", "n3"))


def follower_ack_before_fsync(*bugs: str) -> None:
    """n2 acknowledges an entry, loses power, and votes for a leader that lacks it."""
    cluster = Cluster(3, bugs=bugs, promises=OUTSIDE)
    cluster.elect("n1")
    cluster.propose("n1")
    deliver(cluster, *taken(cluster, "n1", "n2"))
    cluster.sync("n1")
    cluster.finish("n1")
    deliver(cluster, *taken(cluster, "n2", "n1"))
    assert len(cluster.watch.committed) == 1 + len(bugs)
    cluster.crash("n2")
    cluster.elect("n3", within("n2", "n3"))


def counts_itself_early(*bugs: str) -> None:
    """n1 commits what n2 has synced and n1 has not, and loses power."""
    cluster = Cluster(3, bugs=bugs, promises=OUTSIDE)
    cluster.elect("n1")
    cluster.propose("n1")
    deliver(cluster, *taken(cluster, "n1", "n2"))
    cluster.sync("n2")
    cluster.finish("n2")
    deliver(cluster, *taken(cluster, "n2", "n1"))
    assert len(cluster.watch.committed) == 1 + len(bugs)
    cluster.crash("n1")
    cluster.elect("n3", within("n1", "n3"))


@pytest.mark.parametrize(
    ("promise", "play", "bug"),
    [
        ("HS-4", read_before_noop, READ_BEFORE_NOOP),
        ("HS-1", stale_vote_counted, STALE_VOTE_COUNTED),
        ("HS-1", duplicate_vote_counted, DUPLICATE_VOTE_COUNTED),
        ("HS-1", pre_vote_counted, PRE_VOTE_COUNTED),
        ("HS-2", always_truncate, ALWAYS_TRUNCATE),
        ("HS-2", ack_own_last, ACK_OWN_LAST),
        ("HS-2", follower_ack_before_fsync, FOLLOWER_ACK_BEFORE_FSYNC),
        ("HS-2", counts_itself_early, COUNTS_ITSELF_EARLY),
    ],
)
def test_a_seeded_bug_breaks_its_promise_by_the_shortest_way(
    promise: str, play: Callable[..., None], bug: str
) -> None:
    play()
    with pytest.raises(Violation, match=f"^{promise}: "):
        play(bug)


@pytest.mark.parametrize("bugs", [(), (TRUNCATES_APPLIED,)])
def test_truncates_applied_commits_what_it_then_has_to_cut(bugs: tuple[str, ...]) -> None:
    """n1 has entries of term 1 that nobody committed where n2 and n3 have committed others."""
    cluster = Cluster(3, bugs=bugs, promises=frozenset())
    cluster.elect("n1")
    for _ in range(3):
        cluster.propose("n1")
    cluster.exchange(within("n1"))
    cluster.elect("n2", within("n2", "n3"))
    for _ in range(4):
        cluster.propose("n2")
    cluster.exchange(within("n2", "n3"))
    cluster.fire("n2", Timer.HEARTBEAT)
    cluster.exchange(empty("n1", "n2"))
    core = cluster.members["n1"].core
    assert [core.log.term_at(n) for n in range(1, core.commit + 1)] == [1, 1, 1, 1][: core.commit]
    assert core.commit == (4 if bugs else 1)
    if bugs:
        with pytest.raises(AssertionError, match="a committed entry is not dropped"):
            beats(cluster, "n2")
    else:
        beats(cluster, "n2")
        assert core.commit == 6


def beats(cluster: Cluster, alias: str) -> None:
    """Lets a leader beat until it has sent again what was lost."""
    for _ in range(4):
        cluster.fire(alias, Timer.HEARTBEAT)
        cluster.exchange()
