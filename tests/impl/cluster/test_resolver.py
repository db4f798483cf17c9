"""What the leader sees to: transactions that nobody ends, and chunks that are dropped."""

from typing import Any, cast

from catalogs import begin, ddl, do, made, refusal
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.commands import Command, Commit
from delphic.impl.cluster.group import CatalogGroup
from delphic.impl.cluster.operations import Operation
from delphic.impl.cluster.resolver import AGE_ROUNDS, ROUND_S, SILENT_ROUNDS, Resolver
from hand_clock import HandClock

LOST = RequestError("Disconnected", True, "no link")


class Leader:
    """A group of one that logs at once, and data nodes that a test speaks for."""

    def __init__(self) -> None:
        self.catalog = made()
        self.clock = HandClock()
        self.asked: list[tuple[str, str, tuple[Any, ...]]] = []
        self.says: dict[str, Any] = {"txnUnderWay": []}
        """The answer to each function; without one nobody answers."""
        self.resolver = Resolver(cast(CatalogGroup, self), self.clock, self.ask)
        self.resolver.led()

    def propose(self, command: Command, answer: Any) -> None:
        answer(self.catalog.apply(command))

    def ask(
        self,
        alias: str,
        function: str,
        args: tuple[Any, ...],
        answer: Any,
        lost: RequestError,
        patience_s: float | None = None,
    ) -> None:
        self.asked.append((alias, function, args))
        if function in self.says:
            answer(self.says[function])

    def rounds(self, count: int) -> None:
        self.clock.advance(count * ROUND_S + 0.01)

    def functions(self) -> list[str]:
        return [function for _, function, _ in self.asked]


def test_a_young_transaction_is_left_alone() -> None:
    leader = Leader()
    tid = do(leader.catalog, begin("a"))["tid"]
    leader.rounds(AGE_ROUNDS)
    assert leader.asked == []
    assert leader.catalog.transactions.outcome(tid) == ["open"]


def test_what_its_coordinator_knows_nothing_of_is_aborted_and_its_participants_are_told() -> None:
    leader = Leader()
    mine, other = (do(leader.catalog, begin(key, "c"))["tid"] for key in "ab")
    leader.says = {"txnUnderWay": [other], "chunkAbort": None}
    leader.rounds(AGE_ROUNDS + 1)
    assert leader.catalog.transactions.outcome(mine) == ["aborted"]
    assert leader.catalog.transactions.outcome(other) == ["open"]
    assert leader.asked == [
        ("n1", "txnUnderWay", ()),
        ("n1", "chunkAbort", (mine,)),
        ("n2", "chunkAbort", (mine,)),
    ]


def test_a_coordinator_that_cannot_be_reached_is_given_some_rounds() -> None:
    leader = Leader()
    tid = do(leader.catalog, begin("a"))["tid"]
    leader.says = {"txnUnderWay": LOST}
    leader.rounds(AGE_ROUNDS + SILENT_ROUNDS - 1)
    assert leader.catalog.transactions.outcome(tid) == ["open"]
    leader.rounds(1)
    assert leader.catalog.transactions.outcome(tid) == ["aborted"]


def test_a_word_in_between_lets_the_count_begin_anew() -> None:
    leader = Leader()
    tid = do(leader.catalog, begin("a"))["tid"]
    leader.says = {"txnUnderWay": LOST}
    leader.rounds(AGE_ROUNDS + SILENT_ROUNDS - 1)
    leader.says = {"txnUnderWay": [tid]}
    leader.rounds(1)
    leader.says = {"txnUnderWay": LOST}
    leader.rounds(SILENT_ROUNDS - 1)
    assert leader.catalog.transactions.outcome(tid) == ["open"]


def test_what_is_committed_is_pushed_to_all_participants_and_then_complete() -> None:
    leader = Leader()
    tid = do(leader.catalog, begin("a", "b"))["tid"]
    cid = do(leader.catalog, Commit(tid, None))
    leader.says = {"txnUnderWay": [], "chunkCommit": LOST}
    leader.rounds(AGE_ROUNDS + 1)
    assert leader.asked[1:] == [
        ("n1", "chunkCommit", (tid, cid)),
        ("n2", "chunkCommit", (tid, cid)),
    ]
    assert tid in leader.catalog.transactions.open
    leader.says["chunkCommit"] = None
    leader.rounds(1)
    assert tid not in leader.catalog.transactions.open
    assert leader.catalog.transactions.outcome(tid) == ["committed", cid]


def test_dropped_chunks_are_swept_until_the_node_says_so() -> None:
    leader = Leader()
    do(leader.catalog, begin("a", "b", "c"))
    do(leader.catalog, ddl(Operation.DROP_TABLE, table="t"))
    leader.says = {"chunkDrop": LOST}
    leader.rounds(1)
    leader.says = {"chunkDrop": None}
    leader.rounds(2)
    assert leader.asked == 2 * [("n1", "chunkDrop", ((1, 3),)), ("n2", "chunkDrop", ((2,),))]
    assert leader.catalog.placement.dropped == {}


def test_nobody_is_asked_twice_at_once_and_late_answers_of_another_reign_are_not_heard() -> None:
    leader = Leader()
    tid = do(leader.catalog, begin("a"))["tid"]
    leader.says = {}
    answers: list[Any] = []
    leader.resolver = Resolver(
        cast(CatalogGroup, leader), leader.clock, lambda *args: answers.append(args[3])
    )
    leader.resolver.led()
    leader.rounds(AGE_ROUNDS + 5)
    assert len(answers) == 1
    leader.resolver.stood_down()
    answers[0]([])
    assert leader.catalog.transactions.outcome(tid) == ["open"]
    leader.rounds(AGE_ROUNDS + 5)
    assert len(answers) == 1, "who does not lead asks nobody"
    leader.resolver.led()
    leader.rounds(AGE_ROUNDS + 1)
    answers[1]([])
    assert refusal(leader.catalog, Commit(tid, None)) == "Aborted"
