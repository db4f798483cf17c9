"""Where a small scenario can run, as its story tells it."""

import pytest
from delphic.harness.plan import Plan, plan
from delphic.harness.scenario import load
from delphic.harness.shrink.place import beyond, place


def planned(*faults: str, more: str = "") -> Plan:
    steps = ", ".join(faults)
    text = f"name: mine\nworkload: {{name: log}}\nduration: 2s\nfaults: [{steps}]\n{more}"
    return plan(load(text, "mine.yaml"), seed=1, target="sim", command="")


PARTITION = "{at: 0s, partition: leader}"
MESSAGES = "{at: 0s, messages: {reorder: 0.5}}"
POWER = "{at: 1s, power-cut: all}"
DISK = "{at: 1s, disk: {node: leader, is: full}}"


@pytest.mark.parametrize("faults", [[], [PARTITION], [PARTITION, "{at: 1s, kill: follower}"]])
def test_what_processes_and_links_can_do_runs_on_this_machine_too(faults: list[str]) -> None:
    assert beyond(planned(*faults), "local") == ()
    assert place(planned(*faults)) == "It runs with --on local, too."


@pytest.mark.parametrize(
    ("faults", "needs"),
    [
        ([POWER], "power-cut"),
        ([PARTITION, MESSAGES], "messages"),
        ([DISK, PARTITION, POWER], "disk and power-cut"),
    ],
)
def test_faults_that_only_a_simulated_world_can_bring_about_are_named(
    faults: list[str], needs: str
) -> None:
    assert place(planned(*faults)) == f"It runs only with --on sim: it needs {needs}."


def test_what_a_scenario_requires_without_a_fault_counts_as_well() -> None:
    found = planned(POWER, more="requires: [clock, cut]\n")
    assert beyond(found, "local") == ("power-cut", "clock")
