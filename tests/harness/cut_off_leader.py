"""A small world that breaks HS-2: the leader is cut off, and acknowledges what nobody else has."""

from pathlib import Path

from delphic.harness.lifecycle import Order
from delphic.harness.plan import plan
from delphic.harness.rundir import RunDir
from delphic.harness.running.progress import Quiet
from delphic.harness.scenario import load
from delphic.harness.simulate.keep import execute_simulated

TEXT = """\
name: mine
cluster: {bugs: {all: [ack-before-quorum]}}
workload:
  name: log
  ops:
    - {client: 0, at: 100ms, append: 1}
duration: 1s
faults:
  - {at: 0s, partition: leader}
"""


def broken_run(out: Path) -> RunDir:
    """The run directory of one, below `out`."""
    planned = plan(load(TEXT, ""), seed=3, target="sim", command="delphic run x")
    return execute_simulated(Order(planned, TEXT, out), Quiet(), lambda path: None).run
