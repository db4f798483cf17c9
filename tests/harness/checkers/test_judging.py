"""The library's door: which judge is asked, and what it makes of small histories."""

from collections.abc import Sequence

import pytest
from delphic.harness.checkers import check
from delphic.harness.checkers.judging import Misfit
from delphic.harness.checkers.operations import UNKNOWN, Operation
from delphic.harness.checkers.specs import SPECS
from delphic.harness.errors import UsageError
from delphic.harness.history import validated
from delphic.harness.op import Op, OpType
from delphic.harness.verdict import Validity


def one_by_one(*asked: tuple[object, ...], key: object = None) -> list[Operation]:
    """Operations one after another: f, argument, result."""
    return [
        Operation(0, str(f), key, argument, result, 2 * at, 2 * at + 1)
        for at, (f, argument, result) in enumerate(asked)
    ]


WRITE, READ = ("write", 1, None), ("read", None, 1)


def test_a_monitor_is_asked_where_it_can_tell() -> None:
    judgement = check(one_by_one(WRITE, READ), "register")
    assert (judgement.validity, judgement.method) == (Validity.PASS, "monitor")


def test_the_search_is_asked_where_no_monitor_can_tell() -> None:
    judgement = check(one_by_one(WRITE, WRITE, READ), "register")
    assert (judgement.validity, judgement.method) == (Validity.PASS, "search")
    assert "ambiguous" in judgement.statistics
    wrong = check(one_by_one(WRITE, WRITE, READ, ("read", None, None)), "register")
    assert (wrong.validity, wrong.method) == (Validity.FAIL, "search")


def test_only_ambiguous_keys_are_searched() -> None:
    plain = one_by_one(WRITE, READ, key="plain")
    twice = [
        Operation(1, o.f, "twice", o.argument, o.result, o.invoked + 100, o.invoked + 101)
        for o in one_by_one(WRITE, WRITE, READ)
    ]
    judgement = check([*plain, *twice], "register")
    assert judgement.validity is Validity.PASS
    assert judgement.statistics["judged_by_monitor"] == 2
    assert judgement.sentence.endswith("The 2 other operations on other keys fit an order, too.")


def test_what_is_wrong_is_wrong_with_either_judge() -> None:
    stale = one_by_one(WRITE, ("write", 2, None), READ)
    judgement = check(stale, "register")
    assert judgement.validity is Validity.FAIL
    assert judgement.findings[0].anomaly == "stale-read"
    assert check(stale, SPECS["register"]).findings == judgement.findings


def test_what_cannot_be_searched_stays_undecided() -> None:
    both = [Operation(0, "add", None, 1, None, 0, 5), Operation(0, "add", None, 2, None, 1, 3)]
    judgement = check([*both, Operation(1, "read", None, None, (1,), 6, 7)], "session")
    assert judgement.validity is Validity.UNKNOWN
    assert "session" in judgement.sentence


@pytest.mark.parametrize(
    "asked", [[], [Operation(0, "write", None, 1, UNKNOWN, 0, None)]], ids=["none", "unanswered"]
)
def test_where_nothing_was_answered_there_is_nothing_to_judge(asked: Sequence[Operation]) -> None:
    for name in SPECS:
        if all(SPECS[name].misfit(operation) is None for operation in asked):
            assert check(asked, name).validity is Validity.INCONCLUSIVE


def test_a_history_is_judged_as_its_operations_are() -> None:
    ops = [
        Op(0, 0, 0, OpType.INVOKE, "write", value=1),
        Op(1, 1, 0, OpType.OK, "write"),
        Op(2, 2, 0, OpType.INVOKE, "read"),
        Op(3, 3, 0, OpType.OK, "read", value=2),
    ]
    judgement = check(validated(ops), "register")
    assert judgement.findings[0].anomaly == "phantom"
    assert judgement.findings[0].witness == (2,)


def test_an_operation_of_another_object_is_refused() -> None:
    with pytest.raises(Misfit, match=r"operation #2: .*it has write, read") as caught:
        check(one_by_one(WRITE, ("pop", None, 1)), "register")
    assert caught.value.place == 1
    with pytest.raises(UsageError, match="no specification 'registre'; there are register"):
        check(one_by_one(WRITE), "registre")
