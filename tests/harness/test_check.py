"""Checkers by name, guarded and timed; one verdict on the run."""

import msgspec
import pytest
from delphic.harness import check as checking
from delphic.harness.check import check, overall, statistics
from delphic.harness.checkers import CHECKERS, LOG_CHECKERS
from delphic.harness.checkers.agreement import Agreement, linearizable
from delphic.harness.checkers.checker import Checker
from delphic.harness.errors import UsageError
from delphic.harness.evidence import Evidence
from delphic.harness.history import validated
from delphic.harness.op import Op, OpType
from delphic.harness.verdict import Validity, Verdict

EMPTY = Evidence(validated([]), ("n1", "n2", "n3"))


def fixed(name: str, validity: Validity, *, promises: tuple[str, ...] = ()) -> Checker:
    verdict = Verdict(name, validity, f"It is {validity}.", promises, (1,))
    return Checker(name, "Is it?", promises, lambda evidence: verdict)


def crashing(name: str) -> Checker:
    def judge(evidence: Evidence) -> Verdict:
        raise ZeroDivisionError("one by none")

    return Checker(name, "Does it crash?", ("HS-2",), judge)


def use(monkeypatch: pytest.MonkeyPatch, *checkers: Checker | Agreement) -> list[str]:
    monkeypatch.setattr(checking, "CHECKERS", {checker.name: checker for checker in checkers})
    return [checker.name for checker in checkers]


def test_checkers_run_in_the_order_of_their_names_and_are_timed() -> None:
    verdicts = check(EMPTY, ["statistics", "order"])
    assert [verdict.checker for verdict in verdicts] == ["statistics", "order"]
    assert all(verdict.cost_s > 0 for verdict in verdicts)


def test_an_unknown_name_is_refused_before_any_checker_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[Evidence] = []

    def judge(evidence: Evidence) -> Verdict:
        ran.append(evidence)
        return Verdict("counting", Validity.PASS, "Counted.")

    use(monkeypatch, Checker("counting", "How many?", (), judge))
    with pytest.raises(UsageError, match=r"no checker 'lineariseable'; there are counting"):
        check(EMPTY, ["counting", "lineariseable"])
    assert ran == []


def test_a_checker_that_crashes_is_a_harness_error_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = use(monkeypatch, crashing("broken"), fixed("fine", Validity.PASS))
    broken, fine = check(EMPTY, names)
    assert broken.validity is Validity.HARNESS_ERROR
    assert "ZeroDivisionError: one by none" in broken.sentence
    assert "in judge" in broken.details["traceback"]
    assert broken.promises == ("HS-2",)
    assert fine.validity is Validity.PASS


def test_no_checker_finds_a_promise_kept_in_the_empty_history() -> None:
    for verdict in check(EMPTY, sorted(CHECKERS)):
        if verdict.validity is Validity.PASS:
            assert verdict.promises == ()
        else:
            assert verdict.validity in (Validity.INCONCLUSIVE, Validity.UNKNOWN)


def test_names_and_registry_agree() -> None:
    assert all(CHECKERS[name].name == name for name in CHECKERS)
    assert {*LOG_CHECKERS} <= {*CHECKERS}


P, I, U, H, F = (  # noqa: E741
    Validity.PASS,
    Validity.INCONCLUSIVE,
    Validity.UNKNOWN,
    Validity.HARNESS_ERROR,
    Validity.FAIL,
)


@pytest.mark.parametrize(
    ("exact", "bounded", "together"),
    [
        (P, P, P), (P, I, P), (P, U, P), (P, H, H), (P, F, H),
        (I, P, P), (I, I, I), (I, U, I), (I, H, H), (I, F, F),
        (U, P, P), (U, I, U), (U, U, U), (U, H, H), (U, F, F),
        (H, P, H), (H, I, H), (H, U, H), (H, H, H), (H, F, F),
        (F, P, H), (F, I, F), (F, U, F), (F, H, F), (F, F, F),
    ],
)  # fmt: skip
def test_two_opinions_make_one_verdict(
    exact: Validity, bounded: Validity, together: Validity, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = (fixed("exact", exact, promises=("HS-2",)), fixed("bounded", bounded))
    agreement = Agreement("linearizable", "?", pair, linearizable)
    verdict = check(EMPTY, use(monkeypatch, agreement))[0]
    assert verdict.validity is together
    assert verdict.checker == "linearizable"
    assert [o["validity"] for o in verdict.details["opinions"]] == [exact, bounded]
    assert verdict.cost_s > 0


def test_a_contradiction_is_loud_and_quotes_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = (fixed("exact", Validity.FAIL), fixed("bounded", Validity.PASS))
    agreement = Agreement("linearizable", "?", pair, linearizable)
    sentence = check(EMPTY, use(monkeypatch, agreement))[0].sentence
    assert sentence == (
        "DELPHIC CONTRADICTS ITSELF, so nothing is known about this run: exact says fail (It is "
        "fail), but bounded says pass (It is pass). Please report this with the run's directory."
    )


def test_a_crash_of_one_opinion_does_not_hide_what_the_other_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = (fixed("exact", Validity.FAIL, promises=("HS-2",)), crashing("bounded"))
    agreement = Agreement("linearizable", "?", pair, linearizable)
    verdict = check(EMPTY, use(monkeypatch, agreement))[0]
    assert (verdict.validity, verdict.sentence, verdict.witness) == (F, "It is fail.", (1,))
    assert "traceback" in verdict.details["opinions"][1]["details"]


def test_overall_is_the_worst_verdict_told_by_the_first_that_came_to_it() -> None:
    verdicts = [
        Verdict("linearizable", P, "Fine.", ("HS-4",), cost_s=1.0),
        Verdict("durability", F, "Row 3 is lost.", ("HS-2",), (4, 7), cost_s=0.5),
        Verdict("order", F, "Two rows.", ("HS-4", "HS-5"), (2, 3)),
        Verdict("replicas", U, "Nobody knows."),
    ]
    verdict = overall(verdicts)
    assert verdict.validity is F
    assert verdict.sentence == "Row 3 is lost. (The same verdict by: order.)"
    assert verdict.promises == ("HS-2", "HS-4", "HS-5")
    assert verdict.witness == (4, 7)
    assert verdict.cost_s == 1.5


def test_overall_of_passes_counts_them_and_of_nothing_is_inconclusive() -> None:
    verdicts = [Verdict("a", P, "Fine.", ("HS-10",)), Verdict("b", P, "Good.", ("HS-2", "PR-1"))]
    assert overall(verdicts).sentence == "All 2 checks passed. Fine."
    assert overall(verdicts).promises == ("HS-2", "HS-10", "PR-1")
    assert overall([]).validity is Validity.INCONCLUSIVE


def test_statistics_gather_what_was_measured() -> None:
    ops = [
        Op(0, 0, 0, OpType.INVOKE, "append", value=[1]),
        Op(1, 5_000_000, 0, OpType.OK, "append", value=0),
    ]
    evidence = Evidence(validated(ops), ("n1",))
    found = statistics(check(evidence, LOG_CHECKERS))
    assert found["operations"]["append"]["ok"] == 1
    assert found["availability"]["longest"] == {"from_s": 0.0, "seconds": 0.005}
    assert "liveness" not in found
    assert msgspec.json.encode(found)


def test_verdicts_are_plain_data() -> None:
    for verdict in check(EMPTY, sorted(CHECKERS)):
        assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
