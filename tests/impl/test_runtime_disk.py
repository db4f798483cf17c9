"""Real files behave as the disk that the node expects."""

import os
from pathlib import Path

import pytest
from delphic.impl.runtime_disk import PIECES_MAX, InUseError, RealDisk, claimed


def test_a_file_grows_at_its_end_and_is_cut_there(tmp_path: Path) -> None:
    file = RealDisk().open(str(tmp_path / "f"))
    file.append(b"one")
    file.append(memoryview(b"two"))
    assert (file.size(), file.read(0, 100), file.read(2, 2)) == (6, b"onetwo", b"et")
    file.truncate(4)
    file.append(b"!")
    file.sync()
    assert file.read(0, 100) == b"onet!"
    assert file.read(5, 10) == b""
    file.close()
    again = RealDisk().open(str(tmp_path / "f"))
    assert again.size() == 5
    again.close()


@pytest.mark.parametrize("taken", [0, 1, 3, 4, 7, 8, 20])
def test_pieces_stand_one_behind_the_other_however_few_bytes_the_kernel_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    writev, write = os.writev, os.write
    monkeypatch.setattr(os, "writev", lambda fd, some: writev(fd, [b"".join(some)[:taken]]))
    monkeypatch.setattr(os, "write", lambda fd, some: write(fd, some[:2]))
    file = RealDisk().open(str(tmp_path / "f"))
    file.append(b"one", b"", memoryview(b"two"), b"three", b"")
    file.append()
    assert file.read(0, 100) == b"onetwothree"
    file.close()


def test_any_number_of_pieces_is_written(tmp_path: Path) -> None:
    file = RealDisk().open(str(tmp_path / "f"))
    pieces = [b"%d," % number for number in range(3 * PIECES_MAX + 1)]
    file.append(*pieces)
    assert file.read(0, 1 << 20) == b"".join(pieces)
    file.close()


def test_a_part_is_written_again_in_its_place(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    file = RealDisk().open(path)
    file.append(b"abcdef")
    file.rewrite(2, b"cd")
    file.append(b"g")
    assert file.read(0, 10) == b"abcdefg"
    assert Path(path).read_bytes() == b"abcdefg"
    file.close()


def test_a_full_disk_is_an_error_that_says_so() -> None:
    file = RealDisk().open("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        file.append(b"x")
    file.close()


def test_what_is_not_there_is_none_or_empty(tmp_path: Path) -> None:
    disk = RealDisk()
    assert disk.read(str(tmp_path / "none")) is None
    assert disk.names(str(tmp_path / "none")) == []


def test_folders_are_made_with_what_is_above_them_and_again(tmp_path: Path) -> None:
    disk = RealDisk()
    folder = str(tmp_path / "a" / "b" / "c")
    disk.make_folder(folder)
    disk.make_folder(folder)
    assert disk.names(str(tmp_path / "a" / "b")) == ["c"]


def test_a_folder_that_another_process_makes_meanwhile_is_as_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.mkdir

    def outrun(path: str) -> None:
        make(path)
        raise FileExistsError(path)

    monkeypatch.setattr(os, "mkdir", outrun)
    RealDisk().make_folder(str(tmp_path / "shared" / "n1"))
    assert RealDisk().names(str(tmp_path / "shared")) == ["n1"]


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(FileExistsError):
        RealDisk().make_folder(str(tmp_path / "data"))


def test_the_name_of_a_folder_that_was_there_is_made_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who made it may have been killed before the sync."""
    synced: list[str] = []
    monkeypatch.setattr(RealDisk, "sync_folder", lambda _, folder: synced.append(folder))
    (tmp_path / "shared").mkdir()
    RealDisk().make_folder(str(tmp_path / "shared" / "n1"))
    assert synced == [str(tmp_path), str(tmp_path / "shared")]
    RealDisk().make_folder(str(tmp_path / "shared" / "n1"))
    assert synced[2:] == [str(tmp_path / "shared")]


def test_what_lies_in_a_folder_that_may_not_be_read_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_: RealDisk, folder: str) -> None:
        raise PermissionError(folder)

    monkeypatch.setattr(RealDisk, "sync_folder", forbidden)
    RealDisk().make_folder(str(tmp_path))
    with pytest.raises(PermissionError):
        RealDisk().make_folder(str(tmp_path / "new"))


def test_names_are_given_and_taken_away(tmp_path: Path) -> None:
    disk = RealDisk()
    for name in ("b", "a"):
        disk.open(str(tmp_path / name)).close()
    assert disk.names(str(tmp_path)) == ["a", "b"]
    disk.rename(str(tmp_path / "a"), str(tmp_path / "b"))
    disk.sync_folder(str(tmp_path))
    disk.remove(str(tmp_path / "b"))
    assert disk.names(str(tmp_path)) == []


def test_a_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    with (
        claimed(RealDisk(), folder),
        pytest.raises(InUseError, match="is in use by another process"),
        claimed(RealDisk(), folder),
    ):
        pass
    with claimed(RealDisk(), folder):
        assert RealDisk().names(folder) == [".lock"]
