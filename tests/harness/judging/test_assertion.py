"""The assertion for tests of one's own: what it says, and what it does not let pass."""

import re
from pathlib import Path

import pytest
from delphic.harness.checkers.operations import UNKNOWN, Operation
from delphic.harness.checkers.specs import SPECS
from delphic.harness.errors import HistoryError, UsageError
from delphic.harness.judging.assertion import assert_right
from delphic.harness.judging.picture import label, picture
from delphic.harness.verdict import Validity

STALE = [
    Operation(0, "write", None, 1, None, 0, 1),
    Operation(0, "write", None, 2, None, 2, 3),
    Operation(1, "read", None, None, 1, 4, 5),
]


def test_what_is_right_passes() -> None:
    assert assert_right(STALE[:2], "register").validity is Validity.PASS
    assert assert_right(STALE[:2], SPECS["register"]).validity is Validity.PASS


def test_what_is_wrong_is_shown() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_right(STALE, "register")
    sentence, meaning, _, *drawn = str(caught.value).splitlines()
    assert sentence.startswith("fail: Read #4 by process 1")
    assert meaning.startswith("  stale-read: ")
    assert drawn == [
        "  process 0  ├ write 1 ─┤ ├ write 2 ─┤",
        "  process 1                            ├ read → 1 ─┤",
        "  No order explains these answers.",
    ]


def test_what_is_undecided_does_not_pass() -> None:
    with pytest.raises(AssertionError, match="inconclusive: No operation was answered"):
        assert_right([Operation(0, "write", None, 1, UNKNOWN, 0, None)], "register")


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("f,argument,result,invoked,returned\nwrite,1,,1,2\nread,,1,3,4\n")
    assert assert_right(path, "register").validity is Validity.PASS
    path.write_text("f,argument,result,invoked,returned\nwrite,1,,1,2\nread,,3,3,4\n")
    with pytest.raises(AssertionError, match="phantom"):
        assert_right(path, "register")


def test_a_file_is_read_as_by_the_command(tmp_path: Path) -> None:
    """Values of Jepsen's independent workloads are [key, value]."""
    path = tmp_path / "history.edn"
    events = [("write", 1, 1), ("write", 2, 2), ("read", 1, 1), ("read", 2, 2)]
    path.write_text(
        "".join(
            f"{{:type :invoke, :f :{f}, :value [{key} {value if f == 'write' else 'nil'}], "
            f":process 0}}\n{{:type :ok, :f :{f}, :value [{key} {value}], :process 0}}\n"
            for f, key, value in events
        )
    )
    assert assert_right(path, "cas-register").validity is Validity.PASS
    with pytest.raises(HistoryError, match=re.escape(f"{path}:1: ")):
        assert_right(path, "queue")
    run = tmp_path / "history.jsonl"
    for file in (run, tmp_path / "plan.json"):
        file.write_text("")
    with pytest.raises(UsageError, match="is the history of a run"):
        assert_right(run, "log")


def test_in_a_picture_what_precedes_stands_left_and_what_overlaps_overlaps() -> None:
    operations = [
        Operation("a", "write", None, 1, None, 0, 3),
        Operation("b", "read", None, None, 1, 1, 2),
        Operation("b", "read", None, None, 1, 4, 6),
        Operation("c", "write", None, "x" * 90, UNKNOWN, 5, None),
    ]
    a, b, c = picture(operations)
    assert a.index("├") < b.index("├") < b.index("┤") < a.index("┤") < b.rindex("├")
    assert b.rindex("├") < c.index("├") < b.rindex("┤") < len(c)
    assert re.fullmatch(r"process c +├ write '?x+… ?─*…", c)
    assert picture([]) == []


def test_a_label_says_what_was_asked_and_answered() -> None:
    told = [("read", None, None), ("write", 1, None), ("write", 1, 1), ("cas", (1, 2), False)]
    made = [label(Operation(0, f, None, argument, result, 0, 1)) for f, argument, result in told]
    assert made == ["read → nothing", "write 1", "write 1", "cas [1, 2] → False"]
    assert label(Operation(0, "cas", None, (1, 2), UNKNOWN, 0, None)) == "cas [1, 2] → ?"
