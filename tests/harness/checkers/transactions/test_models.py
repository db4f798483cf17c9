"""Libraries that only judges of transactions need are loaded when there is something to judge."""

import subprocess
import sys

import pytest

LOADED = (
    "import sys\n"
    "import delphic.harness.simulate.campaign\n"
    "from delphic.harness.checkers.transactions.models import forbidden_by\n"
    "slow = {'networkx', 'numba', 'scipy'}\n"
    "print(sorted(slow & set(sys.modules)))\n"
    "assert 'G0' in forbidden_by('serializable')\n"
    "print(sorted(slow & set(sys.modules)))\n"
)


@pytest.mark.slow
def test_who_judges_no_transactions_does_not_wait_for_their_libraries() -> None:
    said = subprocess.run(
        [sys.executable, "-c", LOADED],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.splitlines() == ["[]", "['networkx']"]
