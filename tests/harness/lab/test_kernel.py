"""What the kernel says of laboratories' networks, as ip tells it."""

import json
import subprocess
from collections.abc import Callable

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.lab import kernel

Said = subprocess.CompletedProcess[str]


def told(why: str, *, is_gone: bool) -> Callable[..., Said]:
    """An ip that knows one cable, and fails to remove it."""

    def ip(*words: str) -> Said:
        match words:
            case ("-json", "link", "show", "master", _):
                found = (0, json.dumps([{"ifname": "cable"}]), "")
            case ("link", "delete", "cable"):
                found = (2, "", why)
            case ("link", "show", "cable") if is_gone:
                found = (1, "", "Device does not exist")
            case _:
                found = (0, "", "")
        return subprocess.CompletedProcess(["ip", *words], *found)

    return ip


@pytest.mark.parametrize("why", ["Cannot find device", "RTNETLINK answers: No such device"])
def test_a_cable_that_a_namespace_took_away_first_is_gone(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(kernel, "_ip", told(why, is_gone=True))
    kernel.disconnect("bridge")


def test_a_cable_that_stays_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_ip", told("Operation not permitted", is_gone=False))
    with pytest.raises(WorldError, match="ip link delete cable failed"):
        kernel.disconnect("bridge")
