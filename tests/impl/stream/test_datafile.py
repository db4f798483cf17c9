"""The data files: what a crash leaves of them the log makes whole again, each row once."""

from pathlib import Path

import pytest
from delphic.impl.runtime_disk import RealDisk
from delphic.impl.stream.datafile import DataFiles
from delphic.impl.stream.manifest import NOTHING_KEPT, Kept
from delphic.impl.stream.record import HEADER, DataFileError

BATCHES = [(3, 1, 2, b"first"), (4, 1, 1, b""), (7, 2, 3, b"third, longer")]
"""LSN, term, rows, body of each batch."""

LARGE = 1 << 20


def opened(path: Path, kept: Kept = NOTHING_KEPT, file_bytes: int = LARGE) -> DataFiles:
    path.mkdir(exist_ok=True)
    return DataFiles(RealDisk(), str(path), kept, file_bytes=file_bytes)


def apply_all(path: Path, file_bytes: int = LARGE) -> None:
    """Write every batch as a member does that applies its log from the start."""
    files = opened(path, file_bytes=file_bytes)
    start = 0
    for lsn, term, rows, body in BATCHES:
        files.write(lsn, term, start, rows, memoryview(body))
        files.settle(lsn)
        start += rows
    files.flush()
    files.close()


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir() if file.name != "index.log"}


def bodies(files: DataFiles, start: int, stop: int) -> list[bytes]:
    return [body for _, body in files.read(start, stop, LARGE)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.1"


def test_a_new_file_holds_what_was_written(path: Path) -> None:
    apply_all(path)
    size = 3 * HEADER.size + sum(len(body) for *_, body in BATCHES)
    assert (path / "data0.log").stat().st_size == size
    files = opened(path)
    assert (files.lsn, files.term, files.rows) == (7, 2, 6)
    assert bodies(files, 0, 6) == [b"first", b"", b"third, longer"]
    files.close()


@pytest.mark.parametrize("file_bytes", [1, LARGE])
def test_what_the_files_already_hold_is_not_written_again(path: Path, file_bytes: int) -> None:
    """Promise HS-9 and V4: skip iff the log's LSN is at most the file's."""
    apply_all(path, file_bytes)
    whole = contents(path)
    apply_all(path, file_bytes)
    assert contents(path) == whole
    assert len(whole) == (3 if file_bytes == 1 else 1)


@pytest.mark.slow
@pytest.mark.parametrize("file_bytes", [1, 60, LARGE])
def test_files_torn_at_any_byte_are_cut_and_redone(path: Path, file_bytes: int) -> None:
    """Any one of them: those behind it are not believed either."""
    apply_all(path, file_bytes)
    whole = contents(path)
    for name, data in whole.items():
        for size in range(len(data)):
            (path / name).write_bytes(data[:size])
            apply_all(path, file_bytes)
            assert contents(path) == whole


@pytest.mark.slow
@pytest.mark.parametrize("file_bytes", [60, LARGE])
def test_a_damaged_byte_that_was_never_durable_is_cut_off_with_what_follows(
    path: Path, file_bytes: int
) -> None:
    apply_all(path, file_bytes)
    whole = contents(path)
    for name, data in whole.items():
        for at in range(len(data)):
            damaged = bytearray(data)
            damaged[at] ^= 0x40
            (path / name).write_bytes(damaged)
            apply_all(path, file_bytes)
            assert contents(path) == whole


def test_a_tail_of_zeros_is_no_record(path: Path) -> None:
    apply_all(path)
    whole = contents(path)
    (path / "data0.log").write_bytes(whole["data0.log"] + bytes(4096))
    apply_all(path)
    assert contents(path) == whole


@pytest.mark.parametrize(
    "other",
    [(3, 1, 2, b"other"), (3, 1, 1, b"first"), (2, 1, 2, b"first"), (3, 2, 2, b"first")],
)
def test_what_the_log_does_not_have_so_is_cut_off(
    path: Path, other: tuple[int, int, int, bytes]
) -> None:
    """HS-11: bytes, rows, LSN, and the term, too (finding 4)."""
    apply_all(path)
    files = opened(path)
    lsn, term, rows, body = other
    files.write(lsn, term, 0, rows, memoryview(body))
    assert (files.rows, files.lsn, files.term) == (rows, lsn, term)
    assert bodies(files, 0, rows) == [body]
    files.close()
    files = opened(path)
    assert (files.rows, files.lsn) == (rows, lsn)
    files.close()


def test_nothing_is_written_before_it_is_flushed(path: Path) -> None:
    files = opened(path)
    files.write(1, 1, 0, 1, memoryview(b"row"))
    assert (path / "data0.log").stat().st_size == 0
    files.flush()
    size = (path / "data0.log").stat().st_size
    files.flush()
    assert (path / "data0.log").stat().st_size == size > 0
    files.close()


def test_long_bodies_are_read_back_across_the_reading_window(path: Path) -> None:
    sent = [bytes([i]) * (3 << 20) for i in range(4)]
    for _ in range(2):
        files = opened(path, file_bytes=64 << 20)
        for i, body in enumerate(sent):
            files.write(i + 1, 1, i, 1, memoryview(body))
        files.flush()
        assert [body for _, body in files.read(0, 4, 64 << 20)] == sent
        assert len(files.read(1, 4, 4 << 20)) == 2
        files.close()


@pytest.mark.parametrize("file_bytes", [1, 100, LARGE])
def test_records_of_overruled_entries_are_rolled_back(path: Path, file_bytes: int) -> None:
    """HS-11: also where the files after them have to go, and after a restart."""
    files = opened(path, file_bytes=file_bytes)
    for lsn in range(1, 9):
        files.write(lsn, 1, lsn - 1, 1, memoryview(b"row %d" % lsn))
    files.settle(2)
    files.flush()
    files.roll_back(9)
    assert files.rows == 8
    files.roll_back(4)
    assert (files.rows, files.lsn, files.term) == (3, 3, 1)
    files.write(4, 2, 3, 1, memoryview(b"another"))
    assert bodies(files, 2, 4) == [b"row 3", b"another"]
    files.close()
    files = opened(path, file_bytes=file_bytes)
    assert files.rows == 4
    assert bodies(files, 0, 4) == [b"row 1", b"row 2", b"row 3", b"another"]
    files.close()


def many(path: Path, file_bytes: int, count: int = 500) -> DataFiles:
    """One row a batch, of such a length that the index has many places."""
    files = opened(path, file_bytes=file_bytes)
    for lsn in range(1, count + 1):
        files.write(lsn, 1, lsn - 1, 1, memoryview(b"%06d" % lsn * 2000))
        files.settle(lsn)
    files.flush()
    return files


def kept_of(files: DataFiles) -> Kept:
    return files.settled


@pytest.mark.parametrize("damage", ["none", "gone", "torn", "changed", "wrong"])
def test_every_row_is_found_whatever_became_of_the_index(path: Path, damage: str) -> None:
    """A torn or damaged index is built again; so is one whose places are another file's."""
    files = many(path, 2 << 20)
    kept = kept_of(files)
    files.close()
    index = path / "index.log"
    whole = index.read_bytes()
    assert len(whole) // 44 >= 6
    match damage:
        case "gone":
            index.unlink()
        case "torn":
            index.write_bytes(whole[:-7])
        case "changed":
            index.write_bytes(whole[:50] + b"?" + whole[51:])
        case "wrong":
            (path / "data1.log").write_bytes((path / "data2.log").read_bytes())
            with pytest.raises(DataFileError, match=r"data1\.log: corrupt at byte 0"):
                opened(path, kept, 2 << 20)
            return
    files = opened(path, kept, 2 << 20)
    assert index.read_bytes() == whole
    for row in (0, 1, 77, 250, 499):
        assert bodies(files, row, row + 1) == [b"%06d" % (row + 1) * 2000]
    assert len(files.read(0, 500, 100 << 20)) == 500
    files.close()


def test_finding_a_row_reads_little(path: Path) -> None:
    """No scan from the beginning: less than two places' distance of bytes."""
    files = many(path, 64 << 20)
    assert (path / "data0.log").stat().st_size > 5 << 20
    sizes: list[int] = []
    real = files._disk.open

    class Counting(RealDisk):
        def open(self, path: str):  # type: ignore[no-untyped-def]
            file = real(path)
            read = file.read

            def counted(at: int, size: int) -> bytes:
                data = read(at, size)
                sizes.append(len(data))
                return data

            file.read = counted  # type: ignore[method-assign]
            return file

    files._disk = Counting()
    assert bodies(files, 400, 401) == [b"%06d" % 401 * 2000]
    assert 0 < sum(sizes) < 2 << 20
    files.close()


def test_durable_rows_that_are_damaged_are_never_served(path: Path) -> None:
    """The file and the byte are named; rows before it still are."""
    files = many(path, 1 << 20)
    kept = kept_of(files)
    files.close()
    file = path / "data1.log"
    data = bytearray(file.read_bytes())
    at = len(data) // 2
    data[at] ^= 1
    file.write_bytes(data)
    files = opened(path, kept, 1 << 20)
    row = 0

    def read_on() -> None:
        nonlocal row
        while True:
            for record, body in files.read(row, 500, 1):
                assert body == b"%06d" % record.lsn * 2000
                row = record.end

    with pytest.raises(DataFileError, match=r"data1\.log: corrupt at byte \d+: ") as caught:
        read_on()
    assert caught.value.file == str(file)
    assert caught.value.offset <= at < caught.value.offset + 12_000 + HEADER.size
    assert files.read(row - 1, row, 1)
    files.close()


@pytest.mark.parametrize("cut", [0, 1, 5000])
def test_durable_rows_that_are_missing_are_an_error(path: Path, cut: int) -> None:
    files = many(path, 64 << 20)
    kept = kept_of(files)
    files.close()
    data = (path / "data0.log").read_bytes()
    (path / "data0.log").write_bytes(data[: len(data) - cut])
    if cut:
        with pytest.raises(DataFileError, match=r"data0\.log: corrupt at byte \d+"):
            opened(path, kept)
    else:
        opened(path, kept).close()


def test_places_behind_the_durable_rows_lead_nowhere(path: Path, tmp_path: Path) -> None:
    """A snapshot has put other files in the place of ours, but for those that it has not."""
    apply_all(path, file_bytes=1)
    theirs = tmp_path / "theirs.1"
    apply_all(theirs)
    (path / "data0.log").write_bytes((theirs / "data0.log").read_bytes())
    size = (path / "data0.log").stat().st_size
    files = opened(path, Kept(0, 0, 0, size, 6, 7, 2))
    assert bodies(files, 0, 6) == [b"first", b"", b"third, longer"]
    files.close()
    assert contents(path).keys() == {"data0.log"}


def test_old_files_go_as_a_whole_and_offsets_stay(path: Path) -> None:
    """C2, C3."""
    files = many(path, 1 << 20)
    assert files.newest_file >= 4
    files.drop_before(2)
    first = files.first_row
    assert 0 < first < 500
    assert not (path / "data1.log").exists()
    assert bodies(files, first, first + 1) == [b"%06d" % (first + 1) * 2000]
    settled = kept_of(files)
    files.close()
    kept = Kept(2, first, settled.file, settled.at, settled.rows, settled.lsn, settled.term)
    files = opened(path, kept, 1 << 20)
    assert files.first_row == first
    assert bodies(files, 499, 500) == [b"000500" * 2000]
    files.write(501, 1, 500, 1, memoryview(b"more"))
    assert bodies(files, 500, 501) == [b"more"]
    files.close()
