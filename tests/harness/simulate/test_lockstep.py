"""The model beside every member: what is right goes on to its end, what is wrong ends there."""

import msgspec
import pytest
from click.testing import CliRunner
from delphic.__main__ import delphic
from delphic.harness.plan import Plan
from delphic.harness.simulate.campaign import Case
from delphic.harness.simulate.cli import job_of
from delphic.harness.simulate.execute import Simulated, simulate_plan
from delphic.harness.verdict import Validity


def planned(name: str, *, lockstep: bool) -> Plan:
    return msgspec.structs.replace(job_of(name).plan(Case(1)), lockstep=lockstep)


def conformance(found: Simulated) -> dict[str, object]:
    (verdict,) = [v for v in found.verdict.verdicts if v.checker == "conformance"]
    assert verdict.validity is found.verdict.validity
    return dict(verdict.details)


def place(divergence: dict[str, object]) -> list[object]:
    return [divergence["incarnation"], divergence["step"]]


@pytest.mark.slow
def test_a_correct_group_is_not_touched_by_being_watched() -> None:
    """HS-1, HS-2, HS-4: the same history and the same traces, and nothing to complain of."""
    watched = simulate_plan(planned("quickstart", lockstep=True))
    alone = simulate_plan(planned("quickstart", lockstep=False))
    assert watched.verdict.validity is Validity.PASS
    assert (watched.history, watched.traces) == (alone.history, alone.traces)


@pytest.mark.slow
@pytest.mark.parametrize("bug", ["vote-twice", "stale-read", "ack-own-last"])
def test_a_bug_ends_the_world_at_the_first_wrong_step(bug: str) -> None:
    found = simulate_plan(planned(f"bug-{bug}", lockstep=True))
    whole = simulate_plan(planned(f"bug-{bug}", lockstep=False))
    assert found.verdict.validity is Validity.FAIL
    assert not found.verdict.as_expected, "what a scenario hopes for is not what stops it"
    divergence = conformance(found)["divergence"]
    assert isinstance(divergence, dict)
    assert whole.history.startswith(found.history[: found.history.rfind(b"\n", 0, -1)])
    assert len(found.history) < len(whole.history)
    records = [msgspec.json.decode(x) for x in found.traces[divergence["member"]].splitlines()]
    (wrong,) = [r for r in records if [r["inc"], r["seq"]] == place(divergence)]
    assert records[-1]["t_ns"] == wrong["t_ns"], "only the turn that it is in was ended"


def test_only_a_simulated_world_can_be_stopped_so() -> None:
    result = CliRunner().invoke(delphic, ["run", "quickstart", "--lockstep"])
    assert result.exit_code != 0
    assert "--lockstep: only target sim can do it, not local" in str(result.exception)
