"""The sequential specifications."""

import random

import pytest
from delphic.model.specs import Log


def test_an_append_answers_the_offset_of_its_first_row() -> None:
    log = Log()
    assert [log.append([7, 8]), log.append([9]), log.append([1, 2, 3])] == [0, 2, 3]
    assert len(log) == 6


@pytest.mark.parametrize(
    ("start", "limit", "rows"),
    [
        (0, None, [7, 8, 9]),
        (1, None, [8, 9]),
        (0, 2, [7, 8]),
        (1, 2, [8, 9]),
        (1, 5, [8, 9]),
        (0, 0, []),
        (3, 4, []),
        (9, None, []),
    ],
)
def test_a_read_answers_a_slice(start: int, limit: int | None, rows: list[int]) -> None:
    log = Log()
    log.append([7, 8, 9])
    assert log.read(start, limit) == rows


def test_undo_takes_back_the_last_append_and_nothing_else() -> None:
    log = Log()
    log.append([7, 8])
    before = (log.read(0, None), log.fingerprint)
    log.append([9, 10])
    log.append([11])
    log.undo()
    log.undo()
    assert (log.read(0, None), log.fingerprint) == before


def test_fingerprints_tell_logs_apart_and_ignore_how_rows_were_batched() -> None:
    chance = random.Random(5)
    by_fingerprint: dict[int, list[int]] = {}
    for _ in range(3_000):
        log = Log()
        for _ in range(chance.randint(0, 3)):
            log.append([chance.randint(-2, 3) for _ in range(chance.randint(1, 2))])
        rows = log.read(0, None)
        assert by_fingerprint.setdefault(log.fingerprint, rows) == rows
    assert len({tuple(rows) for rows in by_fingerprint.values()}) == len(by_fingerprint)


def test_a_log_with_a_row_of_number_zero_is_not_the_empty_log() -> None:
    empty, zero = Log(), Log()
    zero.append([0])
    assert empty.fingerprint != zero.fingerprint
