"""What the clients of workload `not-leader` do."""

import pytest
from delphic.harness.errors import ScenarioError
from delphic.harness.scenario import load
from delphic.harness.workloads import WORKLOADS
from delphic.harness.workloads.not_leader import NotLeaderOptions

NOT_LEADER = WORKLOADS["not-leader"]


def test_every_client_stays_at_home() -> None:
    planned = NotLeaderOptions(name="not-leader").planned()
    assert planned["routing"] == "home"
    steps = [g.next() for g in NOT_LEADER.generators(planned, 7, ("n1",)) for _ in range(50)]
    assert {step.node for step in steps} == {None}
    assert {step.f for step in steps} == {"append", "read"}


def test_no_scenario_lets_them_go_elsewhere() -> None:
    text = "name: x\nworkload: {name: not-leader, routing: follow}\nduration: 2s\n"
    with pytest.raises(ScenarioError, match=r"x.yaml:2: workload.routing: unknown value 'follow'"):
        load(text, "x.yaml")
