"""The verdict on members' traces: what it says, and what it keeps for the report."""

from functools import cache
from random import Random

import msgspec
import pytest
from delphic.harness.check import check
from delphic.harness.clocks import shared
from delphic.harness.conform.trace.corrupt import changed_commit, dropped_record
from delphic.harness.evidence import Evidence
from delphic.harness.history import History
from delphic.harness.plan import plan
from delphic.harness.scenario import load
from delphic.harness.simulate.clock import EPOCH_NS
from delphic.harness.simulate.execute import Simulated, simulate_plan
from delphic.harness.traces import Record, Trace
from delphic.harness.verdict import Validity, Verdict

SHORT = "name: short\nworkload: {name: log, clients: 2, rate: 30}\nduration: 1s\n"


@cache
def found() -> Simulated:
    return simulate_plan(plan(load(SHORT, "short.yaml"), seed=1, target="sim", command=""))


def records() -> dict[str, tuple[Record, ...]]:
    return {alias: Trace(data).records for alias, data in found().traces.items()}


def judged(traces: dict[str, Trace]) -> Verdict:
    evidence = Evidence(History(()), ("n1", "n2", "n3"), traces=traces, clocks=shared(EPOCH_NS))
    return check(evidence, ["conformance"])[0]


def test_a_correct_run_passes_and_tells_what_it_covered() -> None:
    (verdict,) = (v for v in found().verdict.verdicts if v.checker == "conformance")
    assert verdict.validity is Validity.PASS
    assert verdict.promises == ("HS-1", "HS-2", "HS-4", "HS-5")
    steps = verdict.details["steps"]
    assert verdict.sentence == (
        f"Every step of 3 members is one of the model: {steps:,} steps in 3 lives."
    )
    assert verdict.details["coverage"]["events"]["request"] > 5
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict


def test_without_traces_there_is_nothing_to_say() -> None:
    verdict = judged({})
    assert (verdict.validity, verdict.promises) == (Validity.PASS, ())


def test_a_member_that_should_have_traced_and_did_not_leaves_it_open() -> None:
    traces = {alias: Trace.of(lines) for alias, lines in records().items()}
    verdict = judged({**traces, "n2": Trace()})
    assert verdict.validity is Validity.INCONCLUSIVE
    assert verdict.sentence == "No trace of n2: what was done there is not known."


def test_a_trace_of_which_no_line_can_be_read_is_none() -> None:
    line = b'{"node":"n1","inc":1,"seq":0,"t_ns":1.5,"group":2,"event":{"kind":"boot"}}\n'
    verdict = judged(dict.fromkeys(("n1", "n2", "n3"), Trace(line * 1_000)))
    assert (verdict.validity, verdict.promises) == (Validity.INCONCLUSIVE, ())
    assert verdict.sentence.startswith("No trace of n1, n2, n3: ")
    traces = {alias: Trace.of(lines) for alias, lines in records().items()}
    assert judged({**traces, "n2": Trace(line)}).validity is Validity.INCONCLUSIVE


@pytest.mark.parametrize("corruption", [changed_commit, dropped_record])
def test_a_divergence_is_told_with_its_place_and_both_states(corruption: object) -> None:
    assert callable(corruption)
    spoiled = corruption(records(), Random(3))
    verdict = judged({alias: Trace.of(lines) for alias, lines in spoiled.traces.items()})
    assert verdict.validity is Validity.FAIL
    divergence = verdict.details["divergence"]
    place = f"At step {divergence['step']} of incarnation 1 of {divergence['member']}"
    assert verdict.sentence.startswith(f"{place} ({divergence['at_s']:.3f} s) the model says")
    assert divergence["reason"] in verdict.sentence
    assert all(len(row) == 4 for row in divergence["states"])
    (it,) = [line for line in divergence["around"] if line.get("is_it")]
    assert it["member"] == divergence["member"]
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
