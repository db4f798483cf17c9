"""A member whose file system takes nothing more: it ends, says nothing false, and comes back."""

import io

from delphic.harness.history import load as load_history
from delphic.harness.op import NEMESIS, OpType
from delphic.harness.plan import plan
from delphic.harness.scenario import load
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.verdict import Validity

SCENARIO = """\
name: locked
promises: [HS-2]
cluster: {config: {raftElectionTick: 10}}
workload: {name: log, clients: 2, rate: 60, batch: {min: 2, max: 6}, op_timeout: 300ms}
duration: 3s
faults: [{at: 500ms, disk: {node: n2, is: read-only}, for: 800ms}]
limits: {leader: 2s, first_ack: 2s, replicas: 2s}
"""


def test_a_member_ends_by_a_read_only_disk_and_is_started_once_it_is_mounted_anew() -> None:
    found = simulate_plan(plan(load(SCENARIO, "locked.yaml"), seed=1, target="sim", command=""))
    assert found.verdict.validity is Validity.PASS, found.verdict.sentence
    history = load_history(io.BytesIO(found.history))
    acts = [op for op in history.of(NEMESIS) if op.type is OpType.INFO]
    assert [(op.f, op.value["bit"]) for op in acts] == [
        ("disk", True),
        ("mend", True),
        ("restart", True),
    ]
    states = [op.value["observed"]["disks"]["n2"]["read_only"] for op in acts[:2]]
    assert states == [True, False]
    log = "\n".join(found.cluster.world.hosts["n2"].log)
    assert "Read-only file system" in log
    assert found.cluster.world.hosts["n2"].starts == 2
