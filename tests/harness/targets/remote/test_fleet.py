"""The hosts of a run are this run's alone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.lab import lab
from delphic.harness.targets.remote.fleet import Fleet

pytestmark = pytest.mark.slow


def test_hosts_carry_one_run_at_a_time(
    require: Callable[[object, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(lab.hindrance() is None, lab.hindrance() or "")
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    made = lab.up(3)
    inventory = replace(made.inventory, lease_s=1.0)

    async def work() -> None:
        first, second = Fleet(inventory, "first"), Fleet(inventory, "second")
        await first.up()
        with pytest.raises(WorldError, match=r"^h\d: carries run first, and can carry one at a"):
            await second.up()
        await second.down()
        assert await first.down() == []
        await second.up()
        assert await second.down() == []

    try:
        asyncio.run(work())
    finally:
        lab.down(made)
