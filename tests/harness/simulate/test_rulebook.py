"""Rules for single messages: which fit, how many, in which order, and what becomes of the rest."""

import msgspec
import pytest
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.messages import Deliver, Drop, Fate, Hold
from delphic.harness.simulate.network import SimNet
from delphic.harness.simulate.rules import RuleBook, fits, kind_of
from delphic.harness.targets.rules import KINDS, Rule
from delphic.impl.raft.messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    Kind,
    Message,
    SnapshotRequest,
    VoteRequest,
    VoteResponse,
)
from delphic.impl.wire import Hello, PeerMessage

ASK = VoteRequest("n1", "n2", 3, 7, 2, False)
PRE_ASK = VoteRequest("n1", "n2", 3, 7, 2, True)
GRANT = VoteResponse("n1", "n2", 3, True, False)
PRE_REFUSAL = VoteResponse("n1", "n2", 2, False, True)
OFFER = SnapshotRequest("n1", "n2", 3, ((1, 4), (3, 5)))
ACK = AppendResponse("n1", "n2", 3, True, 7, 0, 0)
NACK = AppendResponse("n1", "n2", 3, False, 0, 4, 0)


def append(*terms: int) -> AppendRequest:
    entries = tuple(Entry(term, Kind.NOOP, b"") for term in terms)
    return AppendRequest("n1", "n2", 3, 4, 1, entries, 4, 0)


@pytest.mark.parametrize(
    ("rule", "message", "fit"),
    [
        (Rule(), ASK, True),
        (Rule(message="vote-request"), ASK, True),
        (Rule(message="vote-request"), PRE_ASK, False),
        (Rule(message="pre-vote-request"), PRE_ASK, True),
        (Rule(message="vote-response"), PRE_REFUSAL, False),
        (Rule(message="vote-response", answer="yes"), GRANT, True),
        (Rule(message="vote-response", answer="no"), GRANT, False),
        (Rule(message="pre-vote-response", answer="no"), PRE_REFUSAL, True),
        (Rule(message="append-response", answer="yes"), ACK, True),
        (Rule(message="append-response", answer="yes"), NACK, False),
        (Rule(answer="yes"), ASK, False),
        (Rule(message="append-request"), append(), True),
        (Rule(message="append-request"), ACK, False),
        (Rule(message="append-request", entries="none"), append(), True),
        (Rule(message="append-request", entries="none"), append(3), False),
        (Rule(message="append-request", entries="some"), append(2), True),
        (Rule(message="append-request", entries="some"), append(), False),
        (Rule(message="append-request", entries="old"), append(1, 2), True),
        (Rule(message="append-request", entries="old"), append(2, 3), False),
        (Rule(message="append-request", entries="old"), append(), False),
        (Rule(message="append-request", entries="new"), append(2, 3), True),
        (Rule(message="append-request", entries="new"), append(2), False),
        (Rule(message="append-request", entries="new"), append(), False),
        (Rule(entries="none"), ASK, False),
        (Rule(term=3), ASK, True),
        (Rule(term=2), ASK, False),
    ],
)
def test_a_rule_is_about_what_it_says_and_nothing_else(
    rule: Rule, message: Message, fit: bool
) -> None:
    assert fits(rule, message) is fit


def test_every_message_has_a_kind_of_its_own() -> None:
    grant = VoteResponse("n1", "n2", 3, True, True)
    found = [kind_of(m) for m in (PRE_ASK, grant, ASK, GRANT, append(), ACK, OFFER)]
    assert found == list(KINDS)


class Desk:
    """A rule book, and a way to ask what becomes of a message."""

    def __init__(self) -> None:
        loop = SimLoop("1")  # type: ignore[abstract]
        self.net = SimNet("1", loop)
        self.book = RuleBook(self.net)
        loop.close()

    def fate(self, message: Message, src: str = "n1", dst: str = "n2") -> Fate:
        assert self.net.intercept is not None
        body = msgspec.msgpack.encode(PeerMessage(2, 1, 1, message))
        return self.net.intercept(src, dst, body)


def test_a_rule_with_a_count_is_about_the_first_ones_of_all_its_links_together() -> None:
    desk = Desk()
    rule = Rule(message="vote-request", count=2, name="lost")
    desk.book.set({("n1", "n2"): (rule,), ("n1", "n3"): (rule,)})
    assert desk.fate(PRE_ASK) == Deliver()
    assert desk.fate(ASK) == Drop()
    assert desk.fate(ASK, dst="n3") == Drop()
    assert desk.fate(ASK) == Deliver()
    assert desk.fate(ASK, src="n2") == Deliver()
    assert desk.book.caught() == {("lost", "n1"): 2}


def test_the_first_rule_that_fits_decides_and_others_keep_their_count() -> None:
    desk = Desk()
    first, second = Rule(hold=True, count=1, name="late"), Rule(message="vote-request", count=1)
    desk.book.set({("n1", "n2"): (first, second)})
    assert isinstance(desk.fate(ASK), Hold)
    desk.book.set({("n1", "n2"): (first, second), ("n2", "n1"): (second,)})
    assert [desk.fate(ASK), desk.fate(ASK)] == [Drop(), Deliver()]
    assert desk.book.caught() == {("late", "n1"): 1}


def test_every_hold_keeps_its_own_messages_also_the_second_of_the_same_words() -> None:
    desk = Desk()
    rule = Rule(hold=True)
    desk.book.set({("n1", "n2"): (rule,)})
    before = desk.fate(ASK)
    assert desk.book.set({}) == 0
    assert desk.net.intercept is None
    desk.book.set({("n1", "n2"): (rule,)})
    assert isinstance(before, Hold)
    assert desk.fate(ASK) not in (before, Drop(), Deliver())


def test_greetings_are_no_messages() -> None:
    desk = Desk()
    desk.book.set({("n1", "n2"): (Rule(),)})
    body = msgspec.msgpack.encode(Hello("delphic", 1, "peer", "n1", "c"))
    assert desk.net.intercept is not None
    assert desk.net.intercept("n1", "n2", body) == Deliver()
