"""Words for the members of several clusters, and faults that aim by them."""

import pytest
from delphic.harness.errors import ScenarioError
from delphic.harness.fault import Fault
from delphic.harness.generator import Due, FaultSchedule, Seen
from delphic.harness.language.selector import View, parse, resolve
from delphic.harness.language.sides import groups, meanings, words
from delphic.harness.nemeses import NEMESES
from delphic.harness.plan import plan
from delphic.harness.scenario import load

MEMBERS = ("mc1", "mc2", "mc3", "md1", "s1c1", "s1d1", "s1d2", "s2c1", "s2d1")
ORDER = tuple(reversed(MEMBERS))
HEAD = (
    "name: mine\nworkload: {name: replicate}\nduration: 9s\n"
    "cluster: {system: replication, slaves: [{}, {}]}\nfaults: "
)


def view() -> View:
    leading = {"m": "mc2", "s1": "s1c1"}
    return View(ORDER, "mc2", meanings(MEMBERS, ORDER, leading.get))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("leader", ("mc2",)),
        ("master-leader", ("mc2",)),
        ("s1-leader", ("s1c1",)),
        ("s2-leader", ()),
        ("master", ("mc1", "mc2", "mc3", "md1")),
        ("master-controllers", ("mc1", "mc2", "mc3")),
        ("master-data", ("md1",)),
        ("s1", ("s1c1", "s1d1", "s1d2")),
        ("s1-data", ("s1d1", "s1d2")),
        ("slaves", ("s1c1", "s1d1", "s1d2", "s2c1", "s2d1")),
        ("one-of-s1-data", ("s1d2",)),
        ("one-of-master-controllers", ("mc3",)),
        (["s1-data", "mc1"], ("mc1", "s1d1", "s1d2")),
        ("not slaves nor md1", ("mc1", "mc2", "mc3")),
    ],
)
def test_a_word_means_members_of_one_side(word: str | list[str], meant: tuple[str, ...]) -> None:
    assert resolve(parse(word), view()) == meant


@pytest.mark.parametrize("word", ["s2-leader", "not s2-leader", ["s2-leader", "mc1"]])
def test_without_the_leader_that_it_names_a_selector_means_nobody(word: str | list[str]) -> None:
    assert resolve(parse(word), view()) == ()


@pytest.mark.parametrize(("word", "side"), [("master-leader", "m"), ("s1-leader", "s1")])
def test_a_step_waits_for_the_leader_of_the_side_that_it_names(word: str, side: str) -> None:
    kill = Fault(kind="kill", target=word, at_s=1.0, order=ORDER)
    waiting = FaultSchedule.of((kill,), Seen(0.0))
    assert waiting.due(Seen(1.0, led=frozenset({"s2"}))) is None
    assert waiting.due(Seen(1.0, led=frozenset({side}))) == Due(0)
    late = waiting.due(Seen(6.0))
    assert late is not None
    assert late.missed == "no leader was known for 5s"


def test_a_single_group_has_no_such_words() -> None:
    assert words(("n1", "n2", "n3")) == []
    assert groups(("n1", "n2")) == {}


def test_a_slave_is_cut_off_from_everybody_else_and_keeps_itself() -> None:
    text = f"{HEAD}[{{at: 1s, partition: s1, for: 1s}}]"
    planned = plan(load(text, "my.yaml"), seed=1, target="sim", command="")
    fault = planned.faults[0]
    names = meanings(planned.members, fault.order, lambda side: None)
    aim = NEMESES["partition"].aim(fault, View(fault.order, None, names), {})
    assert aim.nodes == ("s1c1", "s1d1", "s1d2")
    assert ("s1c1", "mc1") in aim.links
    assert ("md1", "s1d2") in aim.links
    assert ("s1c1", "s1d1") not in aim.links
    assert ("mc1", "md1") not in aim.links


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("{at: 1s, kill: s3-leader}", "'s3-leader' is no member"),
        ("{at: 1s, kill: mc1, as: slaves}", "'slaves' has a meaning already"),
        ("{at: 1s, kill: n1}", "'n1' is no member"),
    ],
)
def test_other_words_are_refused(fault: str, complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        load(f"{HEAD}[{fault}]", "my.yaml")


def test_faults_may_be_drawn_by_these_words() -> None:
    faults = (
        "[{random: {from: [{kill: one-of-slaves}, {partition: s2}, {pause: master-leader}], "
        "every: 2s, for: 1s, until: 8s}}]"
    )
    planned = plan(load(HEAD + faults, "my.yaml"), seed=1, target="sim", command="")
    targets = {fault.target for fault in planned.faults}
    assert targets <= {"one-of-slaves", "s2", "master-leader"}
    assert len(planned.faults) == 3


def test_the_plan_tells_checkers_what_the_configuration_says() -> None:
    planned = plan(load(f"{HEAD}[]", "my.yaml"), seed=1, target="sim", command="")
    assert planned.facts["synced"] is False
    assert planned.facts["failure_limits"] == {"s1": 30, "s2": 30}
    assert planned.facts["stops_after_s"] == pytest.approx(2.9)
    assert [side.name for side in planned.sides] == ["m", "s1", "s2"]
    assert planned.setup.sides == planned.sides
