"""Rows that retention removed are no losses, unless they were too young."""

import pytest
from delphic.harness.check import check
from delphic.harness.evidence import Evidence
from delphic.harness.history import validated
from delphic.harness.op import HARNESS, Op, OpType
from delphic.harness.verdict import Validity, Verdict

GONE = "OffsetPurged: table readings keeps rows from offset 2 on, not 0"
ALL_GONE = "OffsetPurged: table readings keeps rows from offset 4 on, not 0"
SAYS_NO_MORE = "OffsetPurged: row 0 is gone"


def judged(
    age_s: float,
    first: list[int] | str,
    second: list[int],
    *,
    page: int = 2,
    later_s: float = 0,
    before: str | None = None,
) -> Verdict:
    """Two batches, the other one `later_s` after the first; so much later the final reads: from 0
    on, answered or refused, and from `page` on. `before` them, a read was refused.
    """
    ops: list[Op] = []

    def add(at_s: float, kind: OpType, f: str, value: object, error: str | None = None) -> None:
        at_ns = int(at_s * 1e9) + len(ops)
        ops.append(Op(len(ops), at_ns, 0, kind, f, "readings", value, "n1", error))

    for rows, offset, at_s in (([1, 2], 0, 1), ([3, 4], 2, 1 + later_s)):
        add(at_s, OpType.INVOKE, "append", rows)
        add(at_s, OpType.OK, "append", offset)
    if before is not None:
        add(2, OpType.INVOKE, "read", [0, 5])
        add(2, OpType.FAIL, "read", [0, 5], before)
    ops.append(Op(len(ops), int((1 + age_s) * 1e9), HARNESS, OpType.INFO, "phase", None, "final"))
    add(1 + age_s, OpType.INVOKE, "read", [0, page])
    if isinstance(first, str):
        add(1 + age_s, OpType.FAIL, "read", [0, page], first)
    else:
        add(1 + age_s, OpType.OK, "read", first)
    add(1 + age_s, OpType.INVOKE, "read", [page, None])
    add(1 + age_s, OpType.OK, "read", second)
    return check(Evidence(validated(ops), ("n1", "n2", "n3")), ["durability"])[0]


def test_rows_older_than_a_minute_may_be_gone() -> None:
    found = judged(61, GONE, [3, 4])
    assert found.validity is Validity.PASS
    assert found.sentence == (
        "All rows of 2 acknowledged appends are in the final reads, at their offsets, or older "
        "than 60 s and kept no more."
    )
    assert found.promises == ("HS-2", "HS-21")
    found = judged(61, [1, 2], [3, 4])
    assert found.sentence.startswith("All 4 rows of 2 acknowledged appends")
    assert found.promises == ("HS-2",)


def test_younger_rows_are_lost_if_they_are_gone() -> None:
    """Promises HS-2 and HS-21."""
    found = judged(59, GONE, [3, 4])
    assert (found.validity, found.promises) == (Validity.FAIL, ("HS-2", "HS-21"))
    assert "was kept no more after 59.0 s, as read #6 by client 0" in found.sentence
    assert found.sentence.endswith("no row is younger than 60 s that retention removes.")
    assert found.witness == (1, 6)


def test_what_a_refusal_says_is_kept_must_be_there() -> None:
    """HS-2: nobody else has seen the younger batch."""
    assert judged(61, GONE, [3, 4], later_s=2).validity is Validity.PASS
    assert judged(61, GONE, [3, 4], later_s=2).details["left_open"] == 0
    found = judged(61, GONE, [], later_s=2)
    assert (found.validity, found.promises) == (Validity.FAIL, ("HS-2",))
    assert found.sentence.startswith("Row 3 of append #3")


def test_what_goes_between_a_refusal_and_the_next_is_judged_by_its_age() -> None:
    assert judged(61, GONE, [], later_s=0.5, page=4).validity is Validity.UNKNOWN
    assert judged(61, ALL_GONE, [], later_s=0.5, page=4).validity is Validity.PASS
    found = judged(61, ALL_GONE, [], later_s=2, page=4)
    assert found.validity is Validity.FAIL
    assert "Row 3 of append #3 of rows 3, 4" in found.sentence
    assert "was kept no more after 59.0 s" in found.sentence


def test_a_refusal_tells_at_any_time_what_was_kept_too_short() -> None:
    """HS-21: in the end the rows are old enough, or another member has them."""
    for last in (GONE, [1, 2]):
        found = judged(61, last, [3, 4], before=GONE)
        assert (found.validity, found.promises) == (Validity.FAIL, ("HS-2", "HS-21"))
        assert "was kept no more after 1.0 s, as read #5" in found.sentence
    found = judged(61, GONE, [3], before=GONE)
    assert "lost" in found.sentence
    assert found.promises == ("HS-2", "HS-21")


def test_of_a_page_that_was_refused_without_a_word_only_the_beginning_is_gone_for_certain() -> None:
    found = judged(61, SAYS_NO_MORE, [], page=500, later_s=2)
    assert found.validity is Validity.PASS
    assert found.sentence.endswith(
        "Nobody saw 1 younger append on a page of which the beginning is kept no more."
    )
    assert found.details["left_open"] == 1
    assert judged(61, SAYS_NO_MORE, [], page=500).details["left_open"] == 0
    assert judged(59, SAYS_NO_MORE, [], page=500).validity is Validity.FAIL


def test_what_was_not_refused_for_its_age_must_be_there() -> None:
    assert judged(61, GONE, [3]).validity is Validity.FAIL
    found = judged(61, "Timeout: nobody answered", [3, 4])
    assert found.validity is Validity.UNKNOWN
    assert found.sentence == "The final reads left out 1 acknowledged append."


@pytest.mark.parametrize("age_s", [61.0, 59.0])
def test_a_row_that_others_stand_for_is_lost_whatever_its_age(age_s: float) -> None:
    found = judged(age_s, [1, 9], [3, 4])
    assert found.validity is Validity.FAIL
    assert found.sentence.startswith("Row 2 of append #1")
