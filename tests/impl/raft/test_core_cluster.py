"""Groups of cores keep Raft's promises whatever happens, and the seeded bugs break them."""

from collections.abc import Callable

import pytest
from cluster import TICK_ROUNDS, Cluster, Weather, within
from delphic.impl.bugs import (
    ACK_BEFORE_FSYNC,
    ACK_BEFORE_QUORUM,
    BUGS,
    COMMIT_OLD_TERM,
    STALE_READ,
    VOTE_TWICE,
)
from delphic.impl.raft.messages import AppendRequest, Message, VoteResponse
from delphic.impl.raft.progress import Window
from delphic.impl.raft.ready import Received, Role, Timer
from watch import INSIDE, OUTSIDE, Violation

SEEDS = 60
STEPS = 2500
LEADER_ROUNDS_MAX = 80
SETTLE_ROUNDS_MAX = 30

WEATHERS = {
    "mild": Weather(),
    "lossy": Weather(lost=0.25, entries_lost=0.7),
    "crashing": Weather(crashes=0.02),
    "cut": Weather(cuts=0.02),
    "restless": Weather(restless=0.2, overtaken=0.8, ancient=0.2),
}
NARROW = Window(requests_max=3, bytes_max=20, request_entries_max=1)


def weathered(
    seed: int,
    weather: Weather,
    bugs: tuple[str, ...] = (),
    promises: frozenset[str] = INSIDE | OUTSIDE,
) -> Cluster:
    """A group of 3 or 5 after some chaos; every other seed with a narrow window."""
    window = NARROW if seed % 2 else None
    cluster = Cluster(5 if seed % 3 else 3, seed=seed, bugs=bugs, window=window, promises=promises)
    cluster.chaos(STEPS, weather)
    return cluster


@pytest.mark.slow
@pytest.mark.parametrize("name", WEATHERS)
def test_no_promise_is_broken_and_the_group_recovers(name: str) -> None:
    """Safety all the way; then, without faults, one leader, one log and answers in bounded time."""
    committed = confirmed = terms = 0
    for seed in range(SEEDS):
        cluster = weathered(seed, WEATHERS[name])
        committed += len(cluster.watch.committed)
        confirmed += cluster.watch.confirmed_count
        terms += len(cluster.watch.leaders)
        recovers(cluster)
    # The chaos lets enough happen for the silence to mean something.
    assert committed > 5 * SEEDS
    assert confirmed > SEEDS
    assert terms > SEEDS


def recovers(cluster: Cluster) -> None:
    assert cluster.rounds(LEADER_ROUNDS_MAX, lambda: cluster.leader() is not None) is not None
    leader = cluster.leader()
    assert leader is not None
    for number in range(5):
        cluster.propose(leader.alias, b"after %d" % number)
    before = cluster.watch.confirmed_count
    cluster.read(leader.alias)
    assert cluster.rounds(SETTLE_ROUNDS_MAX, cluster.is_settled) is not None
    assert cluster.rounds(3 * TICK_ROUNDS, lambda: cluster.leader() is not leader) is None
    assert [entry.payload for entry in leader.disk[-5:]] == [b"after %d" % n for n in range(5)]
    assert cluster.watch.confirmed_count > before


CAUGHT = [
    (STALE_READ, "HS-4"),
    (ACK_BEFORE_QUORUM, "HS-2"),
    (ACK_BEFORE_QUORUM, "S10"),
    (ACK_BEFORE_FSYNC, "HS-2"),
    (ACK_BEFORE_FSYNC, "S11"),
    (ACK_BEFORE_FSYNC, "S13"),
    (VOTE_TWICE, "HS-1"),
    (VOTE_TWICE, "S2"),
    (VOTE_TWICE, "S11"),
    (COMMIT_OLD_TERM, "S9"),
]
ROUGH = Weather(crashes=0.02, restless=0.1, cuts=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("bug", "promise"), CAUGHT)
def test_a_seeded_bug_is_caught_where_the_same_seeds_are_clean_without_it(
    bug: str, promise: str
) -> None:
    for seed in range(SEEDS):
        weathered(seed, ROUGH)
        if is_broken(promise, seed, bug):
            return
    pytest.fail(f"{bug} did not break {promise}")


def is_broken(promise: str, seed: int, bug: str) -> bool:
    """Whether a bug breaks it; not if a core stops because the world makes no sense any more."""
    try:
        weathered(seed, ROUGH, (bug,), frozenset({promise}))
    except Violation:
        return True
    except AssertionError:
        return False
    return False


# Each seeded bug by the shortest way to the promise that it breaks, and the way without the bug.


def breaks(promise: str, play: Callable[..., None], bug: str) -> None:
    play()
    with pytest.raises(Violation, match=f"^{promise}: "):
        play(bug)


def stale_read(*bugs: str) -> None:
    """n1 does not know that n2 leads by now."""
    cluster = Cluster(3, bugs=bugs, promises=OUTSIDE)
    cluster.elect("n1")
    cluster.elect("n2", within("n2", "n3"))
    cluster.propose("n2")
    cluster.exchange(within("n2", "n3"))
    cluster.read("n1")
    cluster.exchange(within("n2", "n3"))
    assert cluster.watch.confirmed_count == 0
    cluster.fire("n1", Timer.QUORUM, Timer.QUORUM)
    assert cluster.members["n1"].core.role is Role.FOLLOWER


def ack_before_quorum(*bugs: str) -> None:
    """n1 alone has an entry; the others choose n2."""
    cluster = Cluster(3, bugs=bugs, promises=OUTSIDE)
    cluster.elect("n1")
    cluster.propose("n1")
    cluster.exchange(within("n1"))
    assert len(cluster.watch.committed) == 1 + len(bugs)
    cluster.elect("n2", within("n2", "n3"))


def ack_before_fsync(*bugs: str) -> None:
    """All members lose power before their disks have the entry."""
    cluster = Cluster(3, bugs=bugs, promises=OUTSIDE)
    cluster.elect("n1")
    cluster.propose("n1")
    for _ in range(4):
        messages, cluster.network = cluster.network, []
        for message in messages:
            cluster.step(message.dst, Received(message))
    assert len(cluster.watch.committed) == 1 + len(bugs)
    for alias in cluster.members:
        cluster.crash(alias)
    cluster.elect("n2")


def vote_twice(*bugs: str) -> None:
    """n2 votes for n1, forgets it, and votes for n3 in the same term."""
    cluster = Cluster(3, bugs=bugs, promises=OUTSIDE)

    def vote_for(alias: str) -> None:
        cluster.fire(alias, Timer.ELECTION)
        cluster.exchange(within_but_votes(alias, "n2"), keep=True)

    vote_for("n1")
    votes = [m for m in cluster.network if isinstance(m, VoteResponse) and not m.pre]
    assert [(vote.src, vote.dst, vote.granted) for vote in votes] == [("n2", "n1", True)]
    cluster.crash("n2")
    cluster.network = []
    vote_for("n3")
    cluster.network += votes
    cluster.exchange()


def within_but_votes(one: str, other: str) -> Callable[[Message], bool]:
    """Lets two talk, but holds votes back."""

    def passes(m: Message) -> bool:
        is_vote = isinstance(m, VoteResponse) and not m.pre
        return within(one, other)(m) and not is_vote

    return passes


def figure_8(*bugs: str) -> None:
    """§5.4.2, Figure 8: an entry of an older term on a majority is not committed by counting."""
    cluster = Cluster(5, bugs=bugs, window=Window(request_entries_max=1), promises=OUTSIDE)
    cluster.elect("n1")
    cluster.propose("n1")
    # (a) n1, in term 1, has brought entry 2 to n2 only.
    cluster.exchange(within("n1", "n2"))
    cluster.crash("n1")
    # (b) n5 is elected in term 2 and puts another entry at 2, on its own disk only.
    cluster.elect("n5", votes_only("n3", "n4", "n5"))
    cluster.crash("n5")
    # (c) n1 is elected in term 3 and brings entry 2 to n3: it is on a majority now.
    cluster.elect("n1", votes_only("n1", "n2", "n3"))
    cluster.fire("n1", Timer.HEARTBEAT)
    cluster.exchange(lambda m: within("n1", "n2", "n3")(m) and not is_entry(m, above=2))
    disks = {alias: [e.term for e in m.disk] for alias, m in cluster.members.items()}
    assert disks == {"n1": [1, 1, 3], "n2": [1, 1], "n3": [1, 1], "n4": [1], "n5": [1, 2]}
    assert len(cluster.watch.committed) == 1 + len(bugs)
    cluster.crash("n1")
    # (d) n5 is elected in term 4, for its last term is newer, and overwrites entry 2.
    cluster.elect("n5", within("n2", "n3", "n4", "n5"))
    assert [e.term for e in cluster.members["n2"].disk] == [1, 2, 4]
    assert len(cluster.watch.committed) == 3


def votes_only(*aliases: str) -> Callable[[Message], bool]:
    """Lets some members elect a leader, of whom nobody hears anything afterwards."""
    return lambda m: within(*aliases)(m) and not isinstance(m, AppendRequest)


def is_entry(m: Message, *, above: int) -> bool:
    """Whether a message brings entries behind an index."""
    return isinstance(m, AppendRequest) and m.prev_index + len(m.entries) > above


@pytest.mark.parametrize(
    ("promise", "play", "bug"),
    [
        ("HS-4", stale_read, STALE_READ),
        ("HS-2", ack_before_quorum, ACK_BEFORE_QUORUM),
        ("HS-2", ack_before_fsync, ACK_BEFORE_FSYNC),
        ("HS-1", vote_twice, VOTE_TWICE),
        ("HS-2", figure_8, COMMIT_OLD_TERM),
    ],
)
def test_a_seeded_bug_breaks_its_promise_by_the_shortest_way(
    promise: str, play: Callable[..., None], bug: str
) -> None:
    assert promise in BUGS[bug].promises
    breaks(promise, play, bug)


def test_a_majority_with_an_entry_of_the_leaders_own_term_shuts_the_others_out() -> None:
    """§5.4.2, Figure 8 (e): once an entry of its own term is on a majority, n5 cannot win."""
    cluster = Cluster(5, window=Window(request_entries_max=1))
    cluster.elect("n1")
    cluster.propose("n1")
    cluster.exchange(within("n1", "n2"))
    cluster.crash("n1")
    cluster.elect("n5", votes_only("n3", "n4", "n5"))
    cluster.crash("n5")
    cluster.elect("n1", within("n1", "n2", "n3"))
    assert len(cluster.watch.committed) == 3
    cluster.crash("n1")
    for alias in ("n2", "n3", "n4"):
        cluster.fire(alias, Timer.LEASE)
    cluster.fire("n5", Timer.ELECTION)
    cluster.exchange(within("n2", "n3", "n4", "n5"))
    assert cluster.members["n5"].core.role is not Role.LEADER
