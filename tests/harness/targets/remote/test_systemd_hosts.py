"""Runs on hosts whose first process is systemd: over SSH, as on anybody's."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import finish, start, until_clients_work
from delphic.harness.lab.lab import Lab
from systemd_lab import demand, inside, systemd_lab

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

HOSTS = ("h1", "h2", "h3")

LIVES = """\
name: lives
promises: [HS-2]
workload: {name: log, clients: 4, rate: 60, op_timeout: 500ms}
duration: 8s
faults:
  - {at: 500ms, kill: leader, for: 1s}
  - {at: 2500ms, pause: leader, for: 1s}
  - {at: 4500ms, throttle: {node: leader, to: 0.2}, for: 1s}
  - {at: 6500ms, memory: {node: follower, spare: 4MB}, for: 500ms}
"""


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def hosts(
    request: pytest.FixtureRequest,
    require: Callable[[object, str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Lab]:
    """Three hosts, by the version of control groups that their systemd is given."""
    demand(require)
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    (tmp_path / "lives.yaml").write_text(LIVES)
    with pytest.MonkeyPatch.context() as patch, systemd_lab(patch, request.param) as made:
        yield made


def units(made: Lab, name: str) -> list[str]:
    """The units of runs on a host."""
    listed = inside(made, name, "systemctl", "list-units", "--plain", "--no-legend", "delphic-*")
    return [line.split()[0] for line in listed.splitlines()]


def until_no_units(made: Lab, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    for name in HOSTS:
        while units(made, name):
            assert time.monotonic() < deadline, f"{name}: the unit is left"
            time.sleep(0.1)


def test_a_killed_harness_leaves_hosts_that_heal_themselves_and_can_be_used_again(
    hosts: Lab, tmp_path: Path
) -> None:
    file = hosts.inventory.file
    code, out, err = finish(start(tmp_path, "doctor", file, "--scenario", "lives.yaml"))
    assert code == 0, out + err
    process = start(tmp_path, "run", "lives.yaml", "--on", file)
    until_clients_work(tmp_path)
    for name in HOSTS:
        (unit,) = units(hosts, name)
        # The agent, its guardian and the member are in it.
        lists = ("find", "/sys/fs/cgroup", "-path", f"*/{unit}/*", "-name", "cgroup.procs")
        assert len(inside(hosts, name, *lists, "-exec", "cat", "{}", "+").split()) > 2
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    until_no_units(hosts, hosts.inventory.lease_s + 10)
    code, out, _ = finish(start(tmp_path, "heal", file, "--purge"))
    assert code == 0, out
    code, out, err = finish(start(tmp_path, "run", "lives.yaml", "--on", file))
    assert code == 0, out + err
    until_no_units(hosts, 10)
