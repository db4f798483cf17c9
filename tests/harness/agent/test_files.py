"""Files of a host while somebody else has his hands in them."""

import errno
import os
from pathlib import Path

import pytest
from delphic.harness.agent.files import Files
from delphic.harness.agent.run import Refused, Run
from delphic.harness.agent.undo import UndoLog


@pytest.fixture
def files(tmp_path: Path) -> Files:
    log = UndoLog(tmp_path / "run")
    run = Run("mine", tmp_path / "run", 1.0, "M=1", None, has_loops=False, log=log, say=print)
    return Files(run)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a file, a folder with another, and links, which are not listed."""
    made = tmp_path / "data"
    (made / "b").mkdir(parents=True)
    (made / "b" / "two").write_text("22")
    (made / "b-1").write_text("1")
    (made / "link").symlink_to(made / "b-1")
    (made / "away").symlink_to("/")
    return made


def test_files_are_listed_in_order_whatever_else_is_there(files: Files, data: Path) -> None:
    assert files.list(str(data)) == [{"path": "b/two", "size": 2}, {"path": "b-1", "size": 1}]
    assert files.list(str(data / "none")) == []
    assert files.list(str(data / "b-1")) == []


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_vanishes_while_files_are_listed_is_left_out(
    files: Files, data: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    real, gone = os.scandir, data / "b" / "two"

    def scandir(path: str) -> object:
        """What is there when it is asked is gone as soon as it has been told."""
        if what == "folder" and str(path) == str(data / "b"):
            gone.unlink(missing_ok=True)
            Path(path).rmdir()
        found = real(path)
        if what == "file" and str(path) == str(data / "b"):
            with found as entries:
                listed = list(entries)
            gone.unlink(missing_ok=True)
            return _Told(listed)
        return found

    monkeypatch.setattr(os, "scandir", scandir)
    assert files.list(str(data)) == [{"path": "b-1", "size": 1}]


class _Told:
    """Entries of a folder as they were."""

    def __init__(self, entries: list[os.DirEntry[str]]) -> None:
        self._entries = iter(entries)

    def __enter__(self) -> "_Told":
        return self

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> "_Told":
        return self

    def __next__(self) -> os.DirEntry[str]:
        return next(self._entries)


def test_a_disk_that_does_not_answer_has_not_no_files(
    files: Files, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scandir(path: str) -> object:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(Refused, match="not connected"):
        files.list(str(data))
