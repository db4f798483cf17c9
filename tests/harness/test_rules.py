"""Rules for single messages, from the scenario to the receipt: hold, release, drop, stage."""

from typing import Any

import pytest
from delphic.harness.errors import ScenarioError
from delphic.harness.fault import Fault
from delphic.harness.language.selector import View
from delphic.harness.nemeses import NEMESES
from delphic.harness.scenario import load
from delphic.harness.targets.rules import Rule, merged_rules
from delphic.harness.targets.target import Capability
from scene import Scene

HEAD = "name: mine\nworkload: {name: log}\nduration: 15s\nfaults:\n"
MEMBERS = ("n1", "n2", "n3")


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            ["{at: 1s, hold: {}}"],
            "faults[0]: `hold` needs `as`, a word for a `release`, or `for`",
        ),
        (
            ["{at: 1s, drop: {message: vote}}"],
            "faults[0].drop.message: unknown value 'vote' (known: pre-vote-request,",
        ),
        (
            ["{at: 1s, drop: {entries: old}}"],
            "faults[0].drop: `entries` goes with `message: append-request`: no other carries any",
        ),
        (
            ["{at: 1s, drop: {message: vote-request, answer: 'no'}}"],
            "faults[0].drop: `answer` goes with a response, like `message: vote-response`",
        ),
        (["{at: 1s, drop: {from: n9}}"], "faults[0].drop: 'n9' is no member"),
        (
            ["{at: 1s, drop: {}, as: lost}", "{then: 1s, release: lost}"],
            "faults[1].release: no step before this one holds 'lost'",
        ),
        (
            ["{at: 1s, hold: {}, as: late}", "{then: 1s, release: lat}"],
            "faults[1].release: no step before this one holds 'lat'; did you mean 'late'?",
        ),
        (
            ["{at: 1s, stage: one}"],
            "faults[0]: `stage` says that a state was reached: it needs `when`",
        ),
        (
            ["{when: no leader, within: 1s, stage: one, for: 1s}"],
            "faults[0]: `stage` is over at once; it has no `for`",
        ),
    ],
)
def test_a_rule_that_cannot_be_is_refused(steps: list[str], said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(HEAD + "".join(f"  - {step}\n" for step in steps), "my.yaml")
    assert said in str(caught.value)


def test_rules_need_a_target_that_orders_messages_and_a_stage_needs_nothing() -> None:
    needs = load(f"{HEAD}  - {{at: 1s, drop: {{}}}}\n", "my.yaml").needs()
    assert needs == {Capability.MESSAGE_ORDER}
    stage = "  - {when: no leader, within: 1s, stage: nobody leads}\n"
    assert load(HEAD + stage, "my.yaml").needs() == frozenset()


def test_a_rule_is_for_the_links_named_and_has_the_name_of_its_step() -> None:
    nemesis = NEMESES["hold"]
    planned = nemesis.planned({"from": "old", "to": "others", "message": "append-request"})
    fault = Fault(kind="hold", name="late", order=MEMBERS, **planned)
    found = nemesis.aim(fault, View(MEMBERS, "n3", {"old": ("n1", "n2")}), {})
    rule = Rule(hold=True, message="append-request", name="late")
    assert found.nodes == ("n1", "n2")
    assert found.rules == {("n1", "n3"): (rule,), ("n2", "n3"): (rule,)}


def test_the_rules_of_earlier_steps_come_first() -> None:
    one, other = Rule(name="one"), Rule(name="other")
    merged = merged_rules([{("n1", "n2"): (other,)}, {("n1", "n2"): (one,), ("n1", "n3"): (one,)}])
    assert merged == {("n1", "n2"): (other, one), ("n1", "n3"): (one,)}


@pytest.mark.slow
@pytest.mark.parametrize(("held", "bit"), [(2, True), (0, False)])
def test_a_release_takes_hold_only_if_something_was_held(memory: Any, held: int, bit: bool) -> None:
    made = Scene(
        memory,
        "[{at: 50ms, hold: {from: n1}, as: late, for: 600ms}, {at: 60ms, drop: {}, as: lost},"
        " {at: 100ms, release: late}, {then: 50ms, heal: lost}]",
        held={"late": held},
    )
    told = [(f, took_hold) for f, _, took_hold in made.told()]
    assert told == [("hold", True), ("drop", True), ("release", bit), ("heal", True)]
    receipts = made.receipts()
    assert receipts[2].value["observed"] == {"released": held}
    assert receipts[2].value["links"] == [["n1", "n2"], ["n1", "n3"]]
    assert made.cluster.rules() == {}


@pytest.mark.slow
def test_rules_that_are_not_carried_out_did_not_take_hold(memory: Any) -> None:
    made = Scene(memory, "[{at: 50ms, drop: {from: n1}}]", deaf="rules")
    assert made.told()[0] == ("drop", ["n1"], False)


@pytest.mark.slow
def test_a_stage_that_is_reached_tells_how_and_one_that_is_not_did_not_take_hold(
    memory: Any,
) -> None:
    made = Scene(
        memory,
        "[{when: n1 is leader and n2 is follower, within: 100ms, stage: first},"
        " {when: n2 is leader, within: 100ms, stage: second}, {then: 0s, kill: n1}]",
    )
    assert made.told() == [("stage", ["n1"], True), ("stage", [], False)]
    first, second = made.receipts()
    assert first.value["fired"]["states"]["n1"]["role"] == "leader"
    assert (
        second.error == "'n2 is leader' was not seen within 100ms; 1 steps behind it were left out"
    )
