"""The checksum of long bytes is zlib's, whatever of them is known already."""

import sys
import zlib
from random import Random

import pytest
from delphic.impl.checksum import LONG_BYTES, REMEMBERED, REMEMBERED_BYTES, crc32

SIZES = (0, 1, 1000, LONG_BYTES - 1, LONG_BYTES, LONG_BYTES + 1, 937_696)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("head", [b"", b"\0", b"some bytes before"])
def test_it_is_that_of_zlib(size: int, head: bytes) -> None:
    data = Random(size).randbytes(size)
    whole = zlib.crc32(head + data)
    assert crc32(data, zlib.crc32(head)) == whole
    assert crc32(data, zlib.crc32(head)) == whole
    assert crc32(memoryview(data), zlib.crc32(head)) == whole
    assert crc32(memoryview(bytearray(data)), zlib.crc32(head)) == whole


@pytest.mark.parametrize("start", [0, 1, 33, 500, 200_000])
def test_the_end_of_bytes_that_are_known(start: int) -> None:
    data = Random(1).randbytes(937_696)
    assert crc32(data) == zlib.crc32(data)
    end = memoryview(data)[start:]
    assert crc32(end, 7) == zlib.crc32(end, 7)


def test_the_middle_of_bytes_that_are_known_is_not_taken_for_their_end() -> None:
    data = Random(2).randbytes(600_000)
    assert crc32(data) == zlib.crc32(data)
    for part in (memoryview(data)[:-9], memoryview(data)[5:-4], memoryview(data)[:LONG_BYTES]):
        assert crc32(part) == zlib.crc32(part)


def test_equal_bytes_elsewhere_and_bytes_that_took_their_place_are_others() -> None:
    for number in range(4 * REMEMBERED):
        data = Random(number).randbytes(LONG_BYTES + number % 3)
        assert crc32(data) == zlib.crc32(data)
        del data


def test_what_is_remembered_is_let_go_of() -> None:
    pieces = [bytes(REMEMBERED_BYTES // 3) + bytes((number,)) for number in range(5)]
    alone = sys.getrefcount(pieces[0])
    for number in range(5):
        assert crc32(pieces[number]) == zlib.crc32(pieces[number])
    held = [sys.getrefcount(pieces[number]) - alone for number in range(5)]
    assert held == [0, 0, 0, 1, 1]
    longer = bytes(REMEMBERED_BYTES + 1)
    assert crc32(longer) == zlib.crc32(longer)
    assert [sys.getrefcount(pieces[number]) - alone for number in range(5)] == [0] * 5
