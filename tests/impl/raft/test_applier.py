"""Calls that wait until a new leader serves: so many, so many bytes, and each is answered."""

from types import SimpleNamespace
from typing import Any

import pytest
from delphic.impl.raft import applier as module
from delphic.impl.raft.applier import Applier
from delphic.impl.raft.debts import Debts
from delphic.impl.raft.terms import Position


def not_serving() -> Applier:
    nobody: Any = SimpleNamespace(applied=Position(3, 1))
    applier = Applier(nobody, nobody, Debts(), nobody)
    applier.serve_from(7)
    return applier


def name_of(told: list[Any]) -> list[str]:
    return [error.name for error in told]


def test_what_waits_for_a_new_leader_is_bounded_in_calls_and_in_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CALLS_MAX", 5)
    monkeypatch.setattr(module, "PAYLOAD_BYTES_MAX", 100)
    applier = not_serving()
    told: list[Any] = []
    gone: list[int] = []
    for size in (60, 40, 1, 0, 0, 0, 0):
        applier.wait(lambda size=size: gone.append(size), told.append, size)  # type: ignore[misc]
    assert name_of(told) == ["Overloaded", "Overloaded"]
    applier.applied = 7
    for go, _ in applier.take_waiting():
        go()
    assert gone == [60, 40, 0, 0, 0]


def test_one_call_alone_may_be_as_long_as_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAYLOAD_BYTES_MAX", 100)
    applier = not_serving()
    told: list[Any] = []
    for refusal in ("NotLeader", "Stopped"):
        applier.wait(lambda: None, told.append, 1000)
        applier.wait(lambda: None, told.append, 1)
        assert name_of(told) == ["Overloaded"]
        told.clear()
        applier.refuse_waiting(SimpleNamespace(name=refusal))  # type: ignore[arg-type]
        assert name_of(told) == [refusal]
        told.clear()
