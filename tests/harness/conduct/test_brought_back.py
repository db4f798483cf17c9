"""Members that ended or stand still: who is started again, when, and whose end is excused."""

import asyncio
from typing import Any

import pytest
from delphic.harness.targets.faults import DiskState
from scene import Scene

pytestmark = pytest.mark.slow

FULL = "[{at: 100ms, disk: {node: n2, is: full}, for: 100ms}]"


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (
            "{at: 100ms, kill: n1, for: 300ms}, {at: 200ms, restart: n1},"
            " {at: 300ms, kill: n1, for: 400ms}",
            ["kill", "restart", "kill", "restart"],
        ),
        (
            "{at: 100ms, pause: n1, for: 300ms}, {at: 200ms, resume: n1},"
            " {at: 300ms, pause: n1, for: 400ms}",
            ["pause", "resume", "pause", "resume"],
        ),
    ],
)
def test_the_undo_of_an_earlier_step_leaves_a_later_one_alone(
    memory: Any, steps: str, told: list[str]
) -> None:
    scene = Scene(memory, f"[{steps}, {{at: 500ms, reset: n2}}, {{at: 800ms, reset: n2}}]")
    assert [op.f for op in scene.receipts()] == [*told[:-1], "reset", told[-1], "reset"]


@pytest.mark.parametrize(("excused_s", "died"), [(0.1, [("n2", "a bug of its own")]), (5.0, [])])
def test_whoever_lived_with_a_failing_disk_is_excused_for_a_while(
    memory: Any, monkeypatch: pytest.MonkeyPatch, excused_s: float, died: list[tuple[str, str]]
) -> None:
    """The disk was full until 200 ms; the member ends 300 ms later."""

    async def set_disk(self: Any, alias: str, state: DiskState) -> None:
        was, self.disks[alias] = self.disk_state(alias), state
        if was.full and not state.full:
            asyncio.get_running_loop().call_later(0.3, self.end, alias, "a bug of its own")

    monkeypatch.setattr(memory.kind, "set_disk", set_disk)
    monkeypatch.setattr("delphic.harness.conduct.conductor.EXCUSED_S", excused_s)
    assert Scene(memory, FULL).died == died
