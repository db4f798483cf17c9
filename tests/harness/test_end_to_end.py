"""The command `delphic` on real members: a run, an interrupted run, a killed run."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import SHORT, finish, start, until_clients_work
from delphic.harness.agent import proc
from delphic.harness.running import leases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the commands work; nothing of theirs may be alive at the end."""
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    (tmp_path / "short.yaml").write_text(SHORT)
    yield tmp_path
    assert leases.heal() == ([], True)


def members_alive(folder: Path) -> list[int]:
    """Processes that carry the mark of the one lease there is."""
    (lease,) = (folder / "state").glob("*.json")
    return [p.pid for p in proc.marked(f"{leases.LEASE_VARIABLE}={lease.stem}")]


def test_a_short_scenario_passes_and_says_where_its_report_is(folder: Path) -> None:
    code, out, err = finish(start(folder, "run", "short.yaml", "--seed", "3"))
    assert code == 0, out + err
    lines = out.splitlines()
    assert lines[0].startswith("pass: ")
    assert (
        lines[-2] == f"report  {(folder / 'runs/latest').resolve().relative_to(folder)}/report.html"
    )
    assert lines[-1] == "again   delphic run short.yaml --seed 3"
    run = folder / "runs/latest"
    assert json.loads((run / "verdict.json").read_text())["validity"] == "pass"
    assert all((run / name).is_file() for name in ("report.html", "junit.xml", "summary.md"))
    assert list((folder / "state").iterdir()) == []
    code, out, err = finish(start(folder, "check", "runs/latest"))
    assert code == 0, out + err
    assert out.splitlines()[0] == lines[0]


WAITS = """\
name: waits
workload: {name: log, clients: 6, rate: 200, op_timeout: 500ms}
duration: 4s
faults:
  - {at: 300ms, when: leader has an uncommitted entry, within: 3s, kill: leader, as: old}
  - {when: a candidate, within: 3s, delay: {links: {from: matched, to: others}, by: 1ms}}
  - {when: term above 1, within: 2s, restart: old}
"""


def test_faults_strike_when_the_traces_of_real_members_tell_of_a_state(folder: Path) -> None:
    (folder / "waits.yaml").write_text(WAITS)
    code, out, err = finish(start(folder, "run", "waits.yaml", "--seed", "3"))
    assert code == 0, out + err
    history = (folder / "runs/latest/history.jsonl").read_text().splitlines()
    ops = [op for op in map(json.loads, history) if op["process"] == "nemesis"]
    kill, delay, restart = [op["value"] for op in ops if op["type"] == "info"][:3]
    assert kill["fired"]["nodes"] == kill["nodes"]
    leader = kill["fired"]["states"][kill["nodes"][0]]
    assert (leader["role"], leader["last"] > leader["commit"]) == ("leader", True)
    candidate = delay["fired"]["states"][delay["nodes"][0]]
    assert (candidate["role"], candidate["term"] > leader["term"]) == ("candidate", True)
    assert restart["nodes"] == kill["nodes"]
    assert all(value["bit"] for value in (kill, delay, restart))


def test_an_interrupted_run_leaves_no_process_and_a_checked_history(folder: Path) -> None:
    process = start(folder, "run", "short.yaml", "--seed", "3")
    until_clients_work(folder)
    assert len(members_alive(folder)) == 4
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 3, out + err
    assert "stopping: faults are undone" in err
    assert "The run was interrupted" in out
    assert list((folder / "state").iterdir()) == []
    assert (folder / "runs/latest/report.html").is_file()


def test_a_killed_run_is_healed_and_what_it_recorded_can_be_checked(folder: Path) -> None:
    process = start(folder, "run", "short.yaml", "--seed", "3")
    until_clients_work(folder)
    alive = members_alive(folder)
    os.kill(process.pid, signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL
    ((said,), _) = leases.heal()
    assert "is gone: ended" in said
    assert [proc.letter(pid) for pid in alive] == [None] * len(alive)
    code, out, err = finish(start(folder, "check", "runs/latest"))
    assert code == 3, out + err
    assert "The history was never sealed" in out
