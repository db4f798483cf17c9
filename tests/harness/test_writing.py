"""Files are put in place as a whole, or not at all."""

from pathlib import Path

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.writing import put


def test_a_file_is_there_as_a_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    put(tmp_path / "page", b"one")
    put(tmp_path / "page", b"two")
    assert (tmp_path / "page").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_what_cannot_be_written_is_the_worlds_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    # Tidying up fails there, too, as it does on a file system that is read-only.
    with pytest.raises(WorldError, match=r"cannot write .*/file/page: Not a directory"):
        put(tmp_path / "file" / "page", b"one")
