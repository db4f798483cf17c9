"""Files that may not be written any more, whatever they are called."""

import asyncio
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from delphic.harness.targets.remote.locks import is_locked, lock, unlock
from shells import HereShell

NAMES = ("plain", "with space", "-n", "$(touch pwned)", "it's")


def may_be_written(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two folders with files in them, and one that is not there."""
    for name in NAMES:
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / name).write_text("kept")
    (tmp_path / "log").mkdir()
    return [tmp_path / "data", tmp_path / "log", tmp_path / "none"]


def test_all_of_it_is_locked_and_opened_again(folders: list[Path]) -> None:
    def every() -> Sequence[Path]:
        return [path for folder in folders[:2] for path in (folder, *folder.rglob("*"))]

    async def play() -> None:
        shell = HereShell("h1")
        assert not await is_locked(shell, folders)
        await lock(shell, folders)
        assert await is_locked(shell, folders)
        assert len(every()) == 2 + 2 * len(NAMES)
        assert not any(map(may_be_written, every()))
        await unlock(shell, folders)
        assert not await is_locked(shell, folders)
        assert all(map(may_be_written, every()))

    asyncio.run(play())
    assert (folders[0] / "-n" / "-n").read_text() == "kept"


def test_one_file_that_may_be_written_is_no_lock_and_nothing_is_none_either(
    folders: list[Path],
) -> None:
    async def play() -> None:
        shell = HereShell("h1")
        await lock(shell, folders)
        (folders[0] / "plain" / "plain").chmod(0o644)
        assert not await is_locked(shell, folders)
        assert not await is_locked(shell, folders[2:])
        await unlock(shell, folders)

    asyncio.run(play())
