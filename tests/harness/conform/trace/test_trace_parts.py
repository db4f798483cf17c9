"""The parts of trace validation: ends of processes, messages, promises over all members."""

from random import Random
from typing import Any

import pytest
from delphic.harness.conform.raft.refine import Refiner, unbounded
from delphic.harness.conform.raft.terms import log_of
from delphic.harness.conform.trace.finding import Rejected
from delphic.harness.conform.trace.gap import Gap, bridge, leaves
from delphic.harness.conform.trace.guess import Orphan
from delphic.harness.conform.trace.promises import Promises
from delphic.harness.conform.trace.wire import Wire
from delphic.harness.traces import Record
from delphic.model.raft_built import images
from delphic.model.raft_types import Append, AppendReply, Disk, Member, Role, Vote, VoteReply, Write
from traced import record

EMPTY = Refiner(3, 0).state


def drawn(chance: Random) -> Disk:
    log = sorted(chance.randint(1, 3) for _ in range(chance.randint(0, 4)))
    return Disk(chance.randint(1, 3), chance.randint(-1, 1), tuple(log))


def test_what_a_crash_may_leave_is_what_the_model_lists() -> None:
    chance = Random(1)
    for _ in range(1_000):
        queue = tuple(Write(drawn(chance), frozenset()) for _ in range(chance.randint(0, 3)))
        state = EMPTY._replace(disk=drawn(chance), queue=queue)
        listed = set(images(state))
        for disk in (drawn(chance), drawn(chance), *listed):
            assert leaves(state, disk) is (disk in listed)


def follower(*, log: tuple[int, ...] = (1,)) -> Member:
    disk = Disk(1, 1, log_of(log))
    return EMPTY._replace(term=1, vote=1, log=disk.log, disk=disk)


def gap(state: Member, **known: Any) -> Gap:
    unknown: dict[str, Any] = {
        "actor": unbounded(3), "inc": 1, "number": 4, "release": 0, "orphans": (), "inputs": (),
        "found": None, "lives": 0, "peers_lost": frozenset(),
    }  # fmt: skip
    return Gap(state=state, **(unknown | known))


REQUEST = Append(1, 0, 1, 1, 1, log_of((1,)), 1, 0)
ANSWER = Orphan(1, 5, AppendReply(0, 1, 1, True, 2, 0))
AFTER = Disk(1, 1, log_of((1, 1)))


def test_a_lost_answer_needs_the_request_that_it_answers() -> None:
    asked = (REQUEST,)
    assert bridge(gap(follower(), orphans=(ANSWER,), inputs=asked, found=AFTER)) is True
    assert bridge(gap(follower(), orphans=(ANSWER,), inputs=(), found=AFTER)) is False


def test_an_answer_that_arrived_was_durable() -> None:
    asked = (REQUEST,)
    before = follower().disk
    assert bridge(gap(follower(), inputs=asked, found=before)) is True
    assert bridge(gap(follower(), orphans=(ANSWER,), inputs=asked, found=before)) is False


def test_a_message_that_only_a_peers_lost_lines_tell_is_imagined() -> None:
    imagined = gap(follower(), orphans=(ANSWER,), found=AFTER, peers_lost=frozenset({1}))
    assert bridge(imagined) is True


def test_numbers_leave_room_for_no_more_than_was_sent() -> None:
    answer = ANSWER._replace(number=4)
    asked = (REQUEST,)
    assert bridge(gap(follower(), orphans=(answer,), inputs=asked, found=AFTER)) is False


def test_a_vote_is_not_forgotten_once_it_was_heard() -> None:
    vote = (Vote(1, 0, 2, 1, 1),)
    heard = (Orphan(1, 5, VoteReply(0, 1, 2, True)),)
    kept, forgotten = Disk(2, 1, log_of((1,))), Disk(1, 1, log_of((1,)))
    assert bridge(gap(follower(), orphans=heard, inputs=vote, found=kept)) is True
    assert bridge(gap(follower(), orphans=heard, inputs=vote, found=forgotten)) is False


def test_a_leader_that_told_of_its_commit_was_asked_for_so_many_entries() -> None:
    """Its lost lines begin with two entries; a heartbeat to a member far behind tells of three."""
    two = Disk(1, 0, log_of((1, 1)))
    leader = EMPTY._replace(
        term=1, vote=0, role=Role.LEADER, commit=1, log=two.log, disk=two, match=(0, 2, 0)
    )
    told = (Orphan(1, 9, Append(0, 2, 1, 1, 1, log_of(()), 3, 0)),)
    answered = (AppendReply(1, 0, 1, True, 3, 0),)
    three = Disk(1, 0, log_of((1, 1, 1)))
    assert bridge(gap(leader, orphans=told, inputs=answered, found=three)) is True
    assert bridge(gap(leader, orphans=told, inputs=(), found=three)) is False
    assert bridge(gap(leader, orphans=told, inputs=answered, found=two)) is False


def test_a_leader_hears_of_no_entry_before_it_has_it() -> None:
    """Both peers acknowledge what this leader was only asked for in lines that are lost."""
    two, five = Disk(1, 0, log_of((1, 1))), Disk(1, 0, log_of((1,) * 5))
    leader = EMPTY._replace(
        term=1, vote=0, role=Role.LEADER, commit=1, log=two.log, disk=two, match=(0, 2, 2)
    )
    answered = tuple(AppendReply(peer, 0, 1, True, 5, 0) for peer in (1, 2))
    told = (Orphan(1, 9, Append(0, 2, 1, 1, 1, log_of(()), 2, 0)),)
    assert bridge(gap(leader, orphans=told, inputs=answered)) is False
    assert bridge(gap(leader, inputs=answered, found=five)) is True


def test_lives_without_a_line_are_bridged_too() -> None:
    state = follower()
    later = (Orphan(2, 1, AppendReply(0, 1, 1, True, 2, 0)),)
    asked = (REQUEST,)
    assert bridge(gap(state, orphans=later, inputs=asked, found=AFTER, lives=1)) is True
    assert bridge(gap(state, orphans=later, inputs=asked, found=AFTER, lives=0)) is False


def test_where_the_bound_is_hit_nobody_knows() -> None:
    asked = (REQUEST,)
    assert bridge(gap(follower(), orphans=(ANSWER,), inputs=asked, found=AFTER), 0) is None


def test_where_messages_were_left_out_nobody_knows() -> None:
    assert bridge(gap(follower(), orphans=(ANSWER,), found=AFTER, is_cut=True)) is None
    asked = gap(follower(), orphans=(ANSWER,), inputs=(REQUEST,), found=AFTER, is_cut=True)
    assert bridge(asked) is True


def test_what_no_disk_can_hold_is_no_search_away() -> None:
    lost = Disk(1, 1, log_of(()))
    assert bridge(gap(follower(log=(1, 1)), found=lost)) is False


# Promises over all members.


def leader(node: str, term: int) -> Record:
    return record({"node": node, "post": {"role": "leader", "term": term, "leader": node}})


def knows(node: str, term: int, commit: int) -> Record:
    return record({"node": node, "post": {"term": term, "commit": commit}})


def test_two_leaders_of_a_term_break_hs_1() -> None:
    promises = Promises()
    promises.led(leader("n1", 3), log_of((1,)))
    promises.led(leader("n1", 3), log_of((1, 3)))
    with pytest.raises(Rejected, match="n2 leads term 3, which n1 led") as found:
        promises.led(leader("n2", 3), log_of((1,)))
    assert found.value.promises == ("HS-1",)


def test_two_votes_in_a_term_break_hs_1() -> None:
    promises = Promises()
    promises.voted(leader("n1", 3), "n3", 3, "n1")
    promises.voted(leader("n1", 3), "n3", 4, "n2")
    with pytest.raises(Rejected, match="n3 votes for n2 in term 3, and voted for n1") as found:
        promises.voted(leader("n2", 3), "n3", 3, "n2")
    assert found.value.promises == ("HS-1",)


@pytest.mark.parametrize(
    ("entries", "before", "words"),
    [(((2, 1, "b"),), 1, "other content"), (((2, 1, "a"),), 0, "another predecessor")],
)
def test_an_entry_that_differs_elsewhere_breaks_hs_4(entries: Any, before: int, words: str) -> None:
    promises = Promises()
    promises.seen(leader("n1", 1), [(2, 1, "a"), (3, 1, "c")], 1)
    promises.seen(leader("n2", 1), [(3, 1, "c")], 1)
    with pytest.raises(Rejected, match=words) as found:
        promises.seen(leader("n3", 1), entries, before)
    assert found.value.promises == ("HS-4",)


def test_two_entries_committed_at_an_index_break_hs_4_and_hs_5() -> None:
    promises = Promises()
    promises.commits(knows("n1", 2, 2), log_of((1, 2)), 0)
    promises.commits(knows("n2", 3, 1), log_of((1, 3)), 0)
    with pytest.raises(Rejected, match="entry 2 of term 3") as found:
        promises.commits(knows("n2", 3, 2), log_of((1, 3)), 1)
    assert found.value.promises == ("HS-4", "HS-5")
    assert promises.committed == 2


@pytest.mark.parametrize("leads_first", [True, False])
def test_a_leader_without_what_was_committed_before_breaks_hs_2_whatever_is_read_first(
    *, leads_first: bool
) -> None:
    promises = Promises()

    def lead() -> None:
        promises.led(leader("n2", 3), log_of((1, 3)))

    def commit() -> None:
        promises.commits(knows("n1", 2, 2), log_of((1, 2)), 0)

    first, second = (lead, commit) if leads_first else (commit, lead)
    first()
    with pytest.raises(Rejected, match="without entry 2 of term 2") as found:
        second()
    assert found.value.promises == ("HS-2",)


def test_who_led_before_it_was_committed_need_not_have_it() -> None:
    promises = Promises()
    promises.led(leader("n1", 2), log_of((1, 2)))
    promises.commits(knows("n1", 4, 3), log_of((1, 3, 4)), 0)
    promises.led(leader("n3", 4), log_of((1, 3, 4)))
    with pytest.raises(Rejected):
        promises.led(leader("n2", 5), log_of((1, 2)))


def test_who_learns_old_and_new_entries_at_once_lowers_the_term_of_the_old_ones() -> None:
    """HS-2: four entries were known in term 5 first; then all eight, to have been known in 2."""
    promises = Promises()
    log = log_of((1,) * 8)
    promises.commits(knows("n2", 5, 4), log, 0)
    promises.commits(knows("n1", 2, 8), log, 0)
    promises.commits(knows("n3", 3, 5), log, 0)
    with pytest.raises(Rejected, match="without entry 3 of term 1") as found:
        promises.led(leader("n4", 3), log_of((1, 1)))
    assert found.value.promises == ("HS-2",)


def test_the_least_term_in_which_an_entry_was_known_to_be_committed_is_kept() -> None:
    """Whatever members learn in whatever order, against counting."""
    chance, log = Random(1), log_of((1,) * 8)
    for _ in range(500):
        promises, own = Promises(), dict[str, tuple[int, int]]()
        least: dict[int, int] = {}
        for _ in range(chance.randint(2, 6)):
            node = f"n{chance.randint(1, 3)}"
            term, before = own.get(node, (1, 0))
            term, told = chance.randint(term, 5), chance.randint(before, 8)
            own[node] = (term, told)
            if told > before:
                promises.commits(knows(node, term, told), log, before)
                least |= {i: min(term, least.get(i, term)) for i in range(1, told + 1)}
        assert promises._since == [least[index] for index in sorted(least)]


# Messages.


def sends(number: int, *, waits: bool = False, match: int = 1, inc: int = 1) -> dict[str, Any]:
    fields = {"term": 1, "success": True, "match": match, "hint": 0, "round": 0}
    message = {"kind": "AppendResponse", "uid": ("n1", inc, number), "dst": "n2", "fields": fields}
    event = {"kind": "timer", "timer": "heartbeat"}
    where = "held" if waits else "out"
    return {"node": "n1", "inc": inc, "seq": number, "event": event, where: [message]}


def gets(number: int, *, match: int = 1, node: str = "n2") -> Record:
    fields = {"term": 1, "success": True, "match": match, "hint": 0, "round": 0}
    message = {"kind": "AppendResponse", "fields": fields}
    event = {"kind": "received", "uid": ("n1", 1, number), "message": message}
    return record({"node": node, "event": event})


def checked(*sent: dict[str, Any], got: Record, is_stopped: bool = True) -> str | None:
    """What is wrong with this arrival."""
    wire = Wire()
    ends = [{"node": "n1", "seq": 99, "event": {"kind": "stop"}}] if is_stopped else []
    for one in (*map(record, (*sent, *ends)), got):
        wire.add(one)
    try:
        wire.check(got, got.event)  # type: ignore[arg-type]
    except Rejected as rejected:
        return rejected.reason
    return None


def test_a_message_arrives_as_it_was_sent() -> None:
    assert checked(sends(1), got=gets(1)) is None
    assert checked(sends(1), got=gets(1, match=2)) == "message n1/1/1 was changed on its way"
    assert checked(sends(1), got=gets(1, node="n3")) == "message n1/1/1 was sent to n2"
    assert checked(sends(1), got=gets(2)) == "message n1/1/2 was sent by nobody"


def test_what_a_killed_process_sent_in_the_end_may_have_no_line() -> None:
    assert checked(sends(1), got=gets(2), is_stopped=False) is None
    assert checked(sends(1), sends(2, match=3), got=gets(1, match=2), is_stopped=False) is not None


def test_what_waits_for_the_disk_does_not_arrive_before() -> None:
    waiting = sends(1, waits=True)
    assert "waited for the disk" in (checked(waiting, got=gets(1)) or "")
    released = {
        "node": "n1", "seq": 2,
        "event": {"kind": "persisted", "through": 1, "released": [("n1", 1, 1)]},
    }  # fmt: skip
    assert checked(waiting, released, got=gets(1)) is None
    assert checked(waiting, got=gets(1), is_stopped=False) is None


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (sends(1), "two messages are called n1/1/1"),
        (sends(3), "follows number 1: one is missing"),
        (sends(2, inc=2) | {"inc": 1}, "not the sender's to give"),
    ],
)
def test_names_of_messages_are_dense_and_given_once(second: dict[str, Any], words: str) -> None:
    wire = Wire()
    wire.add(record(sends(1)))
    with pytest.raises(Rejected, match=words):
        wire.add(record(second))
