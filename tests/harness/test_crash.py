"""Crash points as the command line writes them."""

import pytest
from delphic.harness.crash import CrashPoint, parse


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("n1:17:before", CrashPoint("n1", 17)),
        ("n1:17:after", CrashPoint("n1", 17, after=True)),
        ("n2:1:after:power", CrashPoint("n2", 1, after=True, power=True)),
    ],
)
def test_a_crash_point_is_read_and_written_alike(text: str, point: CrashPoint) -> None:
    assert parse(text) == point
    assert str(point) == text


@pytest.mark.parametrize("text", ["", "n1", "n1:0:after", "n1:1", "n1:1:during", "n1:1:after:slow"])
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"as in n1:17:after"):
        parse(text)
