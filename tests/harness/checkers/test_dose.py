"""Least amounts of what a run must have: counted in traces, asked for in scenarios."""

from dataclasses import replace
from typing import Any

import pytest
from delphic.harness.check import check
from delphic.harness.errors import ScenarioError
from delphic.harness.evidence import Evidence
from delphic.harness.history import History
from delphic.harness.language import doses
from delphic.harness.language.doses import DOSES, Dose, Traces
from delphic.harness.language.shipped import names, text_of
from delphic.harness.plan import plan
from delphic.harness.scenario import load, schema
from delphic.harness.simulate.campaign import Case, Job, campaign
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.traces import Trace
from delphic.harness.verdict import Validity, Verdict
from traced import trace as typed

HEAD = "name: mine\nworkload: {name: log, clients: 2, rate: 50}\nduration: 2s\n"
STORM = (
    "cluster: {config: {raftElectionTick: 10}}\nfaults:\n  - {at: 1s, kill: leader, for: 300ms}\n"
)


TIMER = {"timer": "election"}
FIELDS: dict[str, Any] = {
    "VoteResponse": {"term": 1},
    "AppendResponse": {"term": 1, "match": 0, "hint": 0, "round": 0},
}


def step(kind: str, role: str = "follower", *, seq: int = 1, **more: Any) -> dict[str, Any]:
    post = {"role": role, "term": more.pop("term", 1), "commit": more.pop("commit", 0)}
    told = more.pop("event", TIMER if kind == "timer" else {})
    if kind == "received":
        told = answer("VoteResponse", granted=False, pre=True)["event"] | told
    return {"seq": seq, "event": {"kind": kind, **told}, "post": post, **more}


def answer(kind: str, **fields: bool) -> dict[str, Any]:
    message = {"kind": kind, "fields": FIELDS[kind] | fields}
    event = {"kind": "received", "uid": ("n2", 1, 1), "message": message}
    return {"seq": 1, "event": event, "post": {"term": 1}}


BOOT = step("boot", seq=0)
STOP = step("stop")


@pytest.mark.parametrize(
    ("name", "trace", "expected"),
    [
        ("elections", [step("timer", "leader", term=t) for t in (1, 1, 3)], 2),
        ("elections", [step("timer", "candidate", term=2)], 0),
        ("candidacies", [step("timer", "precandidate"), step("received", "candidate")], 1),
        ("step downs", [step("timer", "leader"), step("timer")], 1),
        ("step downs", [step("timer", "leader"), BOOT], 0),
        ("votes granted", [answer("VoteResponse", granted=True, pre=False)] * 2, 2),
        ("votes granted", [answer("VoteResponse", granted=True, pre=True)], 0),
        ("votes refused", [answer("VoteResponse", granted=False, pre=False)], 1),
        ("appends refused", [answer("AppendResponse", success=False)], 1),
        ("appends refused", [answer("AppendResponse", success=True)], 0),
        ("truncations", [step("received", persist={"truncate_from": 4}), step("received")], 1),
        ("entries committed", [step("timer", commit=3), BOOT], 3),
        ("crashes", [BOOT, BOOT, STOP, BOOT, STOP], 1),
        ("crashes", [BOOT, step("boot", seq=5), STOP], 0),
        ("reads confirmed", [step("received", answered=[[1, 2], [2, 2]]), step("timer")], 2),
    ],
)
def test_a_dose_is_counted_as_traces_tell_it(
    name: str, trace: list[dict[str, Any]], expected: int
) -> None:
    assert DOSES[name].count({"n1": typed(*trace), "n2": typed()}) == expected


def test_terms_of_two_clusters_are_elections_of_each() -> None:
    led = typed(step("timer", "leader", term=1))
    assert DOSES["elections"].count({"mc1": led, "mc2": led, "s1c1": led}) == 2


def judged(minimum: dict[str, int], trace: list[dict[str, Any]]) -> Verdict:
    evidence = Evidence(History(()), ("n1",), traces={"n1": typed(*trace)}, minimum=minimum)
    return check(evidence, ["dose"])[0]


def test_a_missed_dose_is_told_with_how_much_is_missing() -> None:
    found = judged({"elections": 3, "crashes": 1}, [BOOT, BOOT, step("timer", "leader")])
    assert found.validity is Validity.INCONCLUSIVE
    assert found.sentence == (
        "The run had too little to show what its scenario is about: elections 1 of at least 3, "
        "2 too few (terms in which a member led)."
    )
    assert found.details == {
        "minimum": {"elections": 3, "crashes": 1},
        "found": {"elections": 1, "crashes": 1},
    }


def test_a_dose_that_is_just_met_passes() -> None:
    found = judged({"crashes": 1}, [BOOT, BOOT])
    assert found.validity is Validity.PASS
    assert found.sentence == "The run had its dose: crashes 1 (at least 1)."


def test_without_traces_no_dose_is_met() -> None:
    evidence = Evidence(History(()), ("n1",), minimum=dict.fromkeys(DOSES, 1))
    found = check(evidence, ["dose"])[0]
    assert found.validity is Validity.INCONCLUSIVE
    assert all(f"{name} 0 of at least 1" in found.sentence for name in DOSES)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "minimum:\n  elektions: 3",
            "my.yaml:5: minimum.elektions: unknown dose 'elektions'; did ",
        ),
        ("minimum: {crashes: 0}", "my.yaml:4: minimum.crashes: must be at least 1, not 0"),
        ("minimum: {crashes: 1.5}", "my.yaml:4: minimum.crashes: must be a whole number, not 1.5"),
        ("minimum: 3", "my.yaml:4: minimum: must be a mapping of keys to values, not 3"),
        (
            "minimum: {crashes: 1}\ncluster: {trace: false}",
            "my.yaml:4: minimum: counts what traces tell: `cluster.trace` is off",
        ),
    ],
)
def test_a_mistake_in_a_minimum_is_told_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(f"{HEAD}{text}\n", "my.yaml")
    assert str(caught.value).startswith(complaint)


def test_the_schema_knows_every_dose() -> None:
    part = schema()["properties"]["minimum"]
    assert list(part["properties"]) == list(DOSES)
    assert part["additionalProperties"] is False


def test_a_plan_carries_the_minimum() -> None:
    scenario = load(HEAD + "minimum: {crashes: 2, reads confirmed: 10}\n", "my.yaml")
    planned = plan(scenario, seed=1, target="sim", command="")
    assert planned.minimum == {"crashes": 2, "reads confirmed": 10}


@pytest.mark.slow
def test_a_simulated_run_below_its_minimum_is_inconclusive() -> None:
    job = Job(HEAD + STORM + "minimum: {crashes: 2, elections: 2}\n", "my.yaml", "my.yaml")
    [tried] = campaign(job, [Case(1)]).tried
    assert tried.validity is Validity.INCONCLUSIVE
    assert "crashes 1 of at least 2, 1 too few" in tried.sentence


@pytest.mark.slow
def test_a_simulated_run_with_its_minimum_passes_and_every_dose_is_countable() -> None:
    job = Job(HEAD + STORM + "minimum: {crashes: 1, elections: 2}\n", "my.yaml", "my.yaml")
    found = simulate_plan(job.plan(Case(1)))
    assert found.verdict.validity is Validity.PASS, found.verdict.sentence
    traces = {alias: Trace(data) for alias, data in found.traces.items()}
    counted = {name: dose.count(traces) for name, dose in DOSES.items()}
    assert counted["crashes"] == 1
    assert counted["entries committed"] > 10
    assert counted["reads confirmed"] > 5


@pytest.mark.slow
def test_a_counter_that_never_counts_makes_the_run_inconclusive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(_: Traces) -> int:
        return 0

    broken: Dose = replace(DOSES["elections"], count=nothing)
    monkeypatch.setitem(doses.DOSES, "elections", broken)
    job = Job(HEAD + STORM + "minimum: {elections: 2}\n", "my.yaml", "my.yaml")
    assert campaign(job, [Case(1)]).tried[0].validity is Validity.INCONCLUSIVE


def shipped_with_a_minimum() -> list[str]:
    return [name for name in names() if load(*text_of(name)).minimum]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chaos", "kill-all", "pause-leader"])
def test_shipped_scenarios_meet_their_minimum(name: str) -> None:
    assert name in shipped_with_a_minimum()
    text, file = text_of(name)
    [tried] = campaign(Job(text, file, name), [Case(1)]).tried
    assert tried.validity is Validity.PASS, tried.sentence
