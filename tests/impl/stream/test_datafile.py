"""The data file: whatever a crash leaves of it, the log makes it whole again, each row once."""

from pathlib import Path

import pytest
from delphic.impl.runtime_disk import RealDisk
from delphic.impl.stream.datafile import DataFile, DataFileError

BATCHES = [(3, 2, b"first"), (4, 1, b""), (7, 3, b"third, longer")]
"""LSN, rows, body of each batch."""


def apply_all(path: Path) -> None:
    """Write every batch as a member does that applies its log from the start."""
    file = DataFile(RealDisk(), str(path))
    start = 0
    for lsn, rows, body in BATCHES:
        file.write(lsn, start, rows, memoryview(body))
        start += rows
    file.flush()
    file.close()


def test_a_new_file_holds_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "data0.log"
    apply_all(path)
    assert path.stat().st_size == 3 * 28 + sum(len(body) for _, _, body in BATCHES)
    file = DataFile(RealDisk(), str(path))
    assert file.lsn == 7
    file.close()


def test_what_the_file_already_holds_is_not_written_again(tmp_path: Path) -> None:
    """Promise HS-9 and V4: skip iff the log's LSN is at most the file's."""
    path = tmp_path / "data0.log"
    apply_all(path)
    whole = path.read_bytes()
    apply_all(path)
    assert path.read_bytes() == whole


def test_a_file_torn_at_any_byte_is_cut_and_redone(tmp_path: Path) -> None:
    path = tmp_path / "data0.log"
    apply_all(path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        apply_all(path)
        assert path.read_bytes() == whole


def test_a_damaged_byte_anywhere_is_cut_off_with_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "data0.log"
    apply_all(path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x40
        path.write_bytes(damaged)
        apply_all(path)
        assert path.read_bytes() == whole


def test_a_tail_of_zeros_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "data0.log"
    apply_all(path)
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(4096))
    apply_all(path)
    assert path.read_bytes() == whole


def test_a_file_that_contradicts_the_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data0.log"
    apply_all(path)
    for lsn, rows, body in ((3, 2, b"other"), (3, 1, b"first"), (2, 2, b"first")):
        file = DataFile(RealDisk(), str(path))
        with pytest.raises(DataFileError, match="but the log says"):
            file.write(lsn, 0, rows, memoryview(body))
        file.close()


def test_nothing_is_written_before_it_is_flushed(tmp_path: Path) -> None:
    path = tmp_path / "data0.log"
    file = DataFile(RealDisk(), str(path))
    file.write(1, 0, 1, memoryview(b"row"))
    assert path.stat().st_size == 0
    file.flush()
    size = path.stat().st_size
    file.flush()
    assert path.stat().st_size == size > 0
    file.close()


def test_long_bodies_are_read_back_across_the_reading_window(tmp_path: Path) -> None:
    path = tmp_path / "data0.log"
    bodies = [bytes([i]) * (3 << 20) for i in range(4)]
    for _ in range(2):
        file = DataFile(RealDisk(), str(path))
        for i, body in enumerate(bodies):
            file.write(i + 1, i, 1, memoryview(body))
        file.flush()
        assert path.stat().st_size == sum(len(body) + 28 for body in bodies)
        file.close()
