"""The command `delphic` as a process: started in a folder, waited for, watched."""

import subprocess
import sys
import time
from pathlib import Path

SHORT = """\
name: short
promises: [HS-2]
workload: {name: log, clients: 4, rate: 100, op_timeout: 500ms}
duration: 5s
faults:
  - {at: 500ms, partition: leader, for: 1s}
  - {at: 2s, kill: leader, for: 500ms}
  - {at: 3s, pause: leader, for: 1s}
"""


_ENDS_S = 240.0
_WORKS_S = 120.0
"""On a machine that is busy with other tests."""


def start(folder: Path, *words: str, way: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Begin a command there, behind the words that lead to where it is to run."""
    return subprocess.Popen(
        [*way, sys.executable, "-m", "delphic", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end: its exit code, and what it said on both."""
    out, err = process.communicate(timeout=_ENDS_S)
    return process.returncode, out, err


def until_clients_work(folder: Path) -> None:
    """Wait for the first client operation to reach the history."""
    deadline = time.monotonic() + _WORKS_S
    history = folder / "runs/latest/history.jsonl"
    while not (history.is_file() and b'"append"' in history.read_bytes()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
