"""What harness and agents did, as lines of one log."""

import json
from pathlib import Path

from delphic.harness.targets.remote.merge import merged
from delphic.harness.targets.remote.story import faults, told

NOON_S = 20_000 * 86_400 + 12 * 3600
"""Noon of some day, since 1970."""

OPS = (
    {"process": "harness", "type": "info", "f": "phase", "value": "main"},
    {"process": 3, "type": "invoke", "f": "append", "value": ["nemesis"]},
    {"process": "nemesis", "type": "invoke", "f": "kill", "value": {"target": "leader"}},
    {"process": "nemesis", "type": "info", "f": "kill", "value": {"nodes": ["n1"], "bit": True}},
    {"process": "nemesis", "type": "info", "f": "heal", "value": {"nodes": ["n2"], "bit": False}},
)


def history(folder: Path) -> Path:
    file = folder / "history.jsonl"
    lines = [json.dumps({"index": at, "time_ns": at * 10**9, **op}) for at, op in enumerate(OPS)]
    # A run that ended in the middle of a line.
    file.write_text("\n".join(lines) + '\n{"index": 5, "process": "nemesis", "ty')
    return file


def test_faults_are_told_as_asked_for_and_as_seen_and_clients_are_not(tmp_path: Path) -> None:
    assert faults(history(tmp_path), NOON_S + 0.25).splitlines() == [
        "12:00:00.250 harness INFO phase main",
        '12:00:02.250 nemesis INFO asks for kill: {"target": "leader"}',
        "12:00:03.250 nemesis INFO kill of n1 has taken hold",
        "12:00:04.250 nemesis WARNING heal of n2 was not seen to take hold: "
        '{"nodes": ["n2"], "bit": false}',
    ]
    assert faults(tmp_path / "none", NOON_S) == ""


def test_members_whose_clocks_are_wrong_stand_between_what_was_done_to_them(tmp_path: Path) -> None:
    logs = {
        "n1": "12:05:02.500 n1 INFO that was near\n",
        "agent of h1": told([(NOON_S + 2.75, "signal KILL")], "h1 agent"),
        "nemesis": faults(history(tmp_path), NOON_S),
    }
    assert [line.split(" ", 1)[1] for line in merged(logs, {"n1": 300.0}, 12 * 3600.0)][1:4] == [
        'nemesis INFO asks for kill: {"target": "leader"}',
        "n1 INFO that was near",
        "h1 agent signal KILL",
    ]
