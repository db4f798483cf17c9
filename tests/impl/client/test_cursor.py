"""Where a subscriber is, without any connection."""

import pytest
from delphic.impl.client.cursor import EARLIEST, LATEST, STORED, Cursor, GapError
from delphic.impl.client.errors import RequestError
from delphic.impl.wire import Rows


def rows(offset: int, count: int) -> Rows:
    return Rows(1, 1, offset, count, ())


@pytest.mark.parametrize("offset", [LATEST, EARLIEST, 0, 7])
def test_at_first_it_asks_as_it_is_told(offset: int) -> None:
    assert Cursor(offset, stored=3, missing=None).wanted == offset


def test_minus_two_goes_on_behind_what_is_stored() -> None:
    """V18, promise HS-14."""
    assert Cursor(STORED, stored=3, missing=None).wanted == 4


def test_minus_two_without_a_stored_offset_is_an_error_unless_something_else_is_given() -> None:
    """V9, promise HS-14."""
    with pytest.raises(RequestError) as caught:
        Cursor(STORED, stored=None, missing=None)
    assert caught.value.name == "NoStoredOffset"
    assert Cursor(STORED, stored=None, missing=5).wanted == 5


def test_the_answer_is_what_is_asked_for_after_a_break_also_before_the_first_row() -> None:
    """Promise HS-13: what is asked at first means another row each time."""
    cursor = Cursor(LATEST, stored=None, missing=None)
    cursor.live(10)
    assert cursor.wanted == 10
    cursor.take(rows(10, 2), "n1")
    assert cursor.wanted == 12
    with pytest.raises(GapError):
        cursor.live(13)


def test_the_row_before_the_start_is_recorded_when_it_is_live() -> None:
    """Promise HS-14: from then on -2 has something to go on from."""
    cursor = Cursor(LATEST, stored=None, missing=None)
    assert cursor.live(10) == 9
    assert cursor.live(10) is None
    assert Cursor(STORED, stored=9, missing=None).live(10) is None


def test_rows_that_are_not_the_next_ones_are_not_taken() -> None:
    """Promise HS-13."""
    cursor = Cursor(0, stored=None, missing=None)
    cursor.live(0)
    cursor.take(rows(0, 2), "n1")
    for other in (rows(3, 1), rows(1, 2)):
        with pytest.raises(GapError):
            cursor.take(other, "n1")
    assert [taken.rows.offset for taken in cursor.waiting] == [0]


def test_what_is_handled_is_recorded_in_order() -> None:
    """Promise HS-14."""
    cursor = Cursor(0, stored=None, missing=None)
    cursor.live(0)
    for offset in (0, 2, 4):
        cursor.take(rows(offset, 2), "n1")
    assert cursor.waiting_rows == 6
    assert cursor.handled(2) == 3
    assert cursor.handled(1) == 5
    assert cursor.waiting == []


def test_what_is_handled_at_once_was_sent_by_one_leader_in_one_term() -> None:
    """Promise HS-8: who is told of a batch is told who sent it."""
    cursor = Cursor(0, stored=None, missing=None)
    cursor.live(0)
    for offset, term, leader in ((0, 1, "n1"), (1, 1, "n1"), (2, 2, "n1"), (3, 2, "n2")):
        cursor.take(Rows(1, term, offset, 1, ()), leader)
    assert cursor.together(4) == 2
    assert cursor.together(1) == 1
    cursor.handled(2)
    assert cursor.together(2) == 1
