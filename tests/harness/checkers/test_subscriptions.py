"""What subscribers were given, judged: sound, and wrong in every way that there is."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from delphic.harness.check import check
from delphic.harness.evidence import Evidence
from delphic.harness.history import validated
from delphic.harness.op import HARNESS, OBSERVER, Op, OpType
from delphic.harness.verdict import Validity, Verdict

Line = tuple[Any, ...]

APPENDS: list[Line] = [
    (0, "append", [10, 11], 0),
    (0, "append", [12], 2),
    (0, "append", [13, 14], 3),
]
FINAL: list[Line] = [("phase", "final"), (0, "read", [0, None], [10, 11, 12, 13, 14])]

STORES = {"offset": 0, "persist": True}
AGAIN = {"offset": -2, "persist": True}
FROM_0 = {"offset": 0, "persist": False}


def live(start: int, term: int = 1) -> list[Any]:
    return ["live", start, "n1", term]


def given(offset: int, *rows: int, term: int = 1) -> list[Any]:
    return ["handled", offset, list(rows), "n1", term]


def recorded(offset: int) -> list[Any]:
    return ["recorded", offset]


LIFE = [live(0), recorded(-1), given(0, 10, 11), recorded(1), given(2, 12)]
"""Row 2 is handled and not recorded."""


def subscriber(*steps: Line, process: int = 5) -> list[Line]:
    return [(process, *step) for step in steps]


SOUND = subscriber(
    ("subscribe", STORES, LIFE[:2]),
    ("receive", None, LIFE[2:]),
    ("crash", None, []),
    ("subscribe", AGAIN, [live(2), given(2, 12)]),
    ("receive", None, [["lost"], live(3, 2), ["failed", 3, 2]]),
    ("drain", None, [given(3, 13, 14, term=2), recorded(4)]),
)


def judged(lines: list[Line]) -> Verdict:
    ops: list[Op] = []

    def add(process: Any, kind: OpType, f: str, value: Any, node: str | None = None) -> None:
        key = "readings" if isinstance(process, int) else None
        ops.append(Op(len(ops), len(ops), process, kind, f, key, value, node))

    for line in lines:
        match line:
            case (int(process), str(f), asked, answer):
                add(process, OpType.INVOKE, f, asked)
                add(process, OpType.OK, f, answer)
            case ("phase", str(name)):
                add(HARNESS, OpType.INFO, "phase", name)
            case ("role", str(node), int(term)):
                add(OBSERVER, OpType.INFO, "role", {"role": "follower", "term": term}, node)
            case _:
                raise AssertionError(line)
    return check(Evidence(validated(ops), ("n1", "n2", "n3")), ["subscriptions"])[0]


def whole(subscribed: list[Line]) -> list[Line]:
    *before, last = subscribed
    is_drain = last[1] == "drain"
    return [*APPENDS, *(before if is_drain else subscribed), *FINAL, *([last] if is_drain else [])]


def test_a_sound_history_passes_and_tells_how_much_came_again() -> None:
    """Promises HS-13, HS-14, HS-15 and HS-24."""
    found = judged(whole(SOUND))
    assert found.validity is Validity.PASS, found.sentence
    assert found.sentence == (
        "1 subscriber handled 6 rows, each in its place, over 2 starts and 1 broken connection; "
        "1 row came again after a crash."
    )
    assert found.details["failed_handlers"] == 1


def changed(place: int, events: list[Any]) -> Callable[[], list[Line]]:
    """The sound history with other events at one operation."""

    def make() -> list[Line]:
        lines = list(SOUND)
        process, f, asked, _ = lines[place]
        lines[place] = (process, f, asked, events)
        return whole(lines)

    return make


FLAWS: dict[str, tuple[Callable[[], list[Line]], str, str]] = {
    "begun elsewhere": (
        lambda: whole(
            subscriber(("subscribe", FROM_0, [live(1)]), ("receive", None, []))
            + subscriber(("receive", None, [given(1, 11)]))
        ),
        "HS-13",
        "Subscriber 5 asked for row 0, and was begun at row 1.",
    ),
    "a row skipped": (
        changed(1, [given(0, 10), given(2, 12)]),
        "HS-13",
        "Subscriber 5 waited for row 1, and it was given row 2.",
    ),
    "a row again without a failure": (
        changed(1, [given(0, 10, 11), given(1, 11, 12)]),
        "HS-13",
        "Subscriber 5 waited for row 2, and it was given row 1 again.",
    ),
    "a failure that is passed": (
        changed(5, [["failed", 3, 1], given(4, 14), recorded(4)]),
        "HS-14",
        "Subscriber 5 waited for row 3, and it was given row 4.",
    ),
    "a connection that goes back": (
        changed(4, [["lost"], live(1, 2)]),
        "HS-13",
        "Subscriber 5 asks again for row 1, and has handled all before row 3.",
    ),
    "recorded and not handled": (
        changed(1, [recorded(1), given(0, 10, 11), given(2, 12)]),
        "HS-14",
        "Subscriber 5 recorded row 1, and has handled none from 0 on.",
    ),
    "a restart that skips": (
        changed(3, [live(4), given(4, 14)]),
        "HS-14",
        "Subscriber 5 goes on at row 4 after a crash, and has handled none from 3 on.",
    ),
    "a restart at the row recorded": (
        changed(3, [live(1), given(1, 11, 12)]),
        "HS-14",
        "Subscriber 5 goes on at row 1, although row 1 was recorded.",
    ),
    "another row": (
        changed(1, [given(0, 10, 11), given(2, 14)]),
        "HS-12",
        "Subscriber 5 was given row 14 at offset 2, where the table has row 12.",
    ),
    "a row behind the end": (
        changed(5, [given(3, 13, 14), given(5, 12)]),
        "HS-12",
        "Subscriber 5 was given row 12 at offset 5, but the table ends at 5.",
    ),
    "rows unseen": (
        changed(5, [given(3, 13)]),
        "HS-24",
        "Subscriber 5 never got row 4, and the table ends at 5.",
    ),
    "never served again": (
        changed(5, [["lost"], ["ended", "Refused: no"]]),
        "HS-24",
        "Subscriber 5 never got row 3: no subscription began again, and the table ends at 5.",
    ),
    "published after a step-down": (
        lambda: [
            ("role", "n1", 2),
            *APPENDS,
            *subscriber(("subscribe", FROM_0, [live(0), given(0, 10, 11, 12, 13, 14)])),
            *FINAL,
        ],
        "HS-8",
        "Member n1 published row 10 as leader of term 1, "
        "written after it was seen in a later term.",
    ),
}


@pytest.mark.parametrize("name", FLAWS)
def test_what_is_wrong_is_found_and_told(name: str) -> None:
    make, promise, sentence = FLAWS[name]
    found = judged(make())
    assert found.validity is Validity.FAIL, found.sentence
    assert promise in found.promises
    assert found.sentence == sentence
    assert found.witness


def test_rows_that_nobody_appended_are_told_where_the_end_is_not_known() -> None:
    lines = [*APPENDS, *subscriber(("subscribe", FROM_0, [live(0), given(0, 10, 11, 12, 13, 14)]))]
    assert judged(lines).validity is Validity.UNKNOWN
    odd = [*APPENDS, *subscriber(("subscribe", {**FROM_0, "offset": 5}, [live(5), given(5, 99)]))]
    assert judged(odd).sentence == (
        "Subscriber 5 was given row 99 at offset 5, which nobody appended."
    )


def test_without_a_row_nothing_was_seen() -> None:
    nothing = subscriber(("subscribe", FROM_0, [live(0)]))
    assert judged(whole(nothing)).validity is Validity.INCONCLUSIVE


def test_a_drain_after_a_crash_goes_on_from_what_is_stored() -> None:
    """Whoever stores offsets is subscribed again for the drain, with -2: no operation says so."""
    lines = subscriber(
        ("subscribe", STORES, LIFE[:2]),
        ("receive", None, LIFE[2:]),
        ("crash", None, []),
        ("drain", None, [live(2), given(2, 12), given(3, 13, 14), recorded(4)]),
    )
    assert judged([*APPENDS, *lines, *FINAL]).validity is Validity.PASS
    lines[-1] = (5, "drain", None, [live(4), given(4, 14), recorded(4)])
    assert judged([*APPENDS, *lines, *FINAL]).validity is Validity.FAIL


@pytest.mark.parametrize("end", [[], [["ended", "TopicExists (not executed): there is one"]]])
def test_a_drain_that_begins_nothing_leaves_the_rest_unseen(end: list[Any]) -> None:
    lines = subscriber(
        ("subscribe", STORES, [*LIFE[:2], given(0, 10, 11)]),
        ("crash", None, []),
        ("drain", None, end),
    )
    found = judged(whole(lines))
    assert found.validity is Validity.FAIL, found.sentence
    assert found.sentence == (
        "Subscriber 5 never got row 2: no subscription began again, and the table ends at 5."
    )


def test_who_handled_everything_lacks_nothing_although_the_last_rows_were_not_recorded() -> None:
    lines = subscriber(
        ("subscribe", STORES, [*LIFE, given(3, 13, 14)]),
        ("crash", None, []),
        ("drain", None, []),
    )
    assert judged(whole(lines)).validity is Validity.PASS


def test_who_stores_no_offset_is_not_subscribed_again_by_a_drain() -> None:
    lines = subscriber(
        ("subscribe", FROM_0, [live(0), given(0, 10, 11)]),
        ("crash", None, []),
        ("drain", None, []),
    )
    assert judged(whole(lines)).validity is Validity.PASS


def test_a_life_that_begins_anew_owes_nothing_to_the_one_before() -> None:
    lines = subscriber(
        ("subscribe", FROM_0, [live(0), given(0, 10, 11)]),
        ("crash", None, [["ended", "no more"]]),
        ("subscribe", {"offset": -1, "persist": False}, [live(4)]),
        ("subscribe", FROM_0, [live(0)]),
        ("drain", None, [given(0, 10, 11), given(2, 12), given(3, 13, 14)]),
    )
    found = judged(whole(lines))
    assert found.validity is Validity.PASS, found.sentence
    assert found.details["lives"] == 3


def left(offset: int, count: int, *rows: int) -> list[Any]:
    """What a filter left of so many rows."""
    return [*given(offset, *rows), count]


def filtered(*events: list[Any], places: Sequence[int] = (0,)) -> Verdict:
    """One life of a subscriber that wants rows in these places of their batches."""
    asked = {**FROM_0, "places": list(places)}
    return judged(whole(subscriber(("subscribe", asked, [live(0)]), ("drain", None, list(events)))))


def test_a_filter_may_leave_gaps_and_even_nothing() -> None:
    """Promises HS-13 and HS-24."""
    found = filtered(left(0, 2, 10), left(2, 3, 12, 13))
    assert found.validity is Validity.PASS, found.sentence
    found = filtered(left(0, 2, 11), left(2, 1), left(3, 2, 14), places=(1,))
    assert found.validity is Validity.PASS, found.sentence


@pytest.mark.parametrize(
    ("events", "promise", "sentence"),
    [
        (
            [left(0, 2, 10, 11), left(2, 3, 12, 13)],
            "HS-13",
            "Subscriber 5 was given row 11, which its filter leaves out.",
        ),
        (
            [left(0, 2, 10), left(2, 3, 13)],
            "HS-13",
            "Subscriber 5 was not given row 12 of offset 2, which it asked for.",
        ),
        (
            [left(0, 2, 10), left(2, 3, 13, 12)],
            "HS-13",
            "Subscriber 5 was given row 12 of offset 2 behind later ones.",
        ),
        (
            [left(0, 2, 10, 13), left(2, 3, 12, 13)],
            "HS-12",
            "Subscriber 5 was given row 13 among those from 0 to 1, and the table has it at 3.",
        ),
        (
            [left(0, 2, 10, 99), left(2, 3, 12, 13)],
            "HS-12",
            "Subscriber 5 was given row 99, which nobody appended.",
        ),
        (
            [left(0, 2, 10), left(3, 2, 13)],
            "HS-13",
            "Subscriber 5 waited for row 2, and it was given row 3.",
        ),
        (
            [left(0, 2, 10), left(2, 1, 12)],
            "HS-24",
            "Subscriber 5 never got row 3, and the table ends at 5.",
        ),
    ],
)
def test_a_filtered_subscriber_must_get_what_it_asked_for_and_nothing_else(
    events: list[list[Any]], promise: str, sentence: str
) -> None:
    found = filtered(*events)
    assert found.validity is Validity.FAIL
    assert promise in found.promises
    assert found.sentence == sentence
