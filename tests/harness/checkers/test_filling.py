"""Holes and what can fill them, against trying every order of every choice."""

import random
from collections.abc import Iterator

import pytest
from delphic.harness.checkers.log.filling import Answer, Filling, Spare, fill, holes


def tilings(start: int, end: int, left: list[Spare]) -> Iterator[list[Spare]]:
    """Every rest of spares after filling [start, end) exactly."""
    if start == end:
        yield left
        return
    for at, spare in enumerate(left):
        stop = start + spare.size
        if spare.end_min <= stop <= end:
            yield from tilings(stop, end, left[:at] + left[at + 1 :])


def can_fill(gaps: list[range], spares: list[Spare]) -> bool:
    if not gaps:
        return True
    rests = tilings(gaps[0].start, gaps[0].stop, spares)
    return any(can_fill(gaps[1:], rest) for rest in rests)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([1, 2], []),
        ([None, 1], [range(1)]),
        ([1, None, None, 2, None, 3], [range(1, 3), range(4, 5)]),
    ],
)
def test_holes_are_maximal_runs(rows: list[int | None], expected: list[range]) -> None:
    assert holes(rows) == expected


@pytest.mark.slow
def test_filling_agrees_with_trying_everything() -> None:
    chance = random.Random(11)
    answers = []
    for _ in range(4_000):
        gaps: list[range] = []
        offset = chance.randint(0, 1)
        for _ in range(chance.randint(1, 3)):
            length = chance.randint(1, 4)
            gaps.append(range(offset, offset + length))
            offset += length + chance.randint(1, 2)
        spares = [
            Spare(chance.randint(1, 3), chance.choice((1, 1, 2, 4, 8)))
            for _ in range(chance.randint(1, 7))
        ]
        expected = can_fill(gaps, spares)
        answers.append(expected)
        found = fill(gaps, spares)
        assert found.answer is (Answer.YES if expected else Answer.NO), (gaps, spares)
        assert (found.hole in gaps) is not expected
    assert 0.2 < sum(answers) / len(answers) < 0.8


def test_no_holes_need_no_spares() -> None:
    assert fill([], []) == Filling(Answer.YES)


def test_many_batches_of_one_row_take_one_state_each() -> None:
    spares = [Spare(1, offset + 1) for offset in range(5_000)]
    assert fill([range(5_000)], spares, states_max=5_000).answer is Answer.YES
    assert fill([range(5_000)], spares[1:], states_max=5_000).answer is Answer.NO


def test_a_bound_that_was_hit_leaves_the_question_open() -> None:
    spares = [Spare(2 * size, 1) for size in range(1, 25)]
    found = fill([range(301)], spares, states_max=1_000)
    assert found == Filling(Answer.UNKNOWN, range(301))
