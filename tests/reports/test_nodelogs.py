"""Log lines find their time, however they tell it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from delphic.reports.page import nodelogs
from delphic.reports.page.nodelogs import Clock, NodeLog, read

ZERO = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
MINUTE = 60_000_000


def log(path: Path, text: str, zero: datetime | None = ZERO) -> NodeLog:
    path.write_text(text)
    return read("n1", path, zero, MINUTE)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("2026-01-31T12:00:01.5Z became leader", 1.5),
        ("2026-01-31 12:00:01,250 INFO x", 1.25),
        ("[2026-01-31T14:00:02+02:00] x", 2),
        ('{"time": "2026-01-31T12:00:03Z"}', 3),
        ("12:00:04.125 n1 INFO x", 4.125),
        ("[12.250] x", 12.25),
        ("time=3.5 x", 3.5),
        ("1769860805.5 x", 5.5),
        ("no time at all", None),
        ("2026-13-41T99:00:00Z impossible", None),
        ("  at line 12.5 of it", None),
        ("12.345: ok", 12.345),
        ("12.345. ok", 12.345),
        ("10.0.0.1 refused the connection", None),
        ("127.0.0.1:5000: reset", None),
        ("3.11.7 (main, Dec  4 2023)", None),
    ],
)
def test_a_lines_time_is_read_in_many_forms(line: str, seconds: float | None) -> None:
    found = Clock(ZERO).time_us(line)
    assert found == (None if seconds is None else round(seconds * 1e6))


def test_times_of_day_need_a_zero() -> None:
    assert Clock(None).time_us("12:00:04 x") is None
    assert Clock(None).time_us("2026-01-31T12:00:01Z x") is None
    assert Clock(None).time_us("1769860805.5 x") is None
    assert Clock(None).time_us("[4.5] x") == 4_500_000


@pytest.mark.parametrize("hours", [0, 1, -5, 5.5, 12.75, -11])
def test_the_zone_of_a_clock_is_found(hours: float) -> None:
    clock = Clock(ZERO)
    shifted = (12 + hours) % 24
    stamp = f"{int(shifted):02}:{int(shifted % 1 * 60):02}"
    assert clock.time_us(f"{stamp}:02.000 x") == 2_000_000
    assert clock.time_us(f"{stamp}:59.000 x") == 59_000_000


def test_a_clock_goes_on_past_midnight() -> None:
    clock = Clock(datetime(2026, 1, 31, 23, 59, 50, tzinfo=UTC))
    assert clock.time_us("23:59:51 x") == 1_000_000
    assert clock.time_us("00:00:05 x") == 15_000_000
    assert clock.time_us("00:00:06 x") == 16_000_000


def test_lines_without_a_time_belong_to_the_one_before(tmp_path: Path) -> None:
    found = log(tmp_path / "log", "12:00:01 boom\nTraceback:\n  x\n12:00:09 later\n")
    assert [(line.time, line.is_stamped) for line in found.lines] == [
        (1_000_000, True),
        (1_000_000, False),
        (1_000_000, False),
        (9_000_000, True),
    ]
    assert found.lines[0].text == "boom"
    assert found.lines[1].text == "Traceback:"
    assert found.timed == 2


def test_an_excerpt_holds_the_lines_of_that_second(tmp_path: Path) -> None:
    found = log(tmp_path / "log", "".join(f"12:00:{n:02} line {n}\n" for n in range(60)))
    excerpt = found.around([20_500_000, 40_000_000])
    assert [line.number for line in excerpt.lines] == [21, 22, 40, 41, 42]
    assert "Within a second" in excerpt.note


def test_of_very_many_lines_the_nearest_are_kept(tmp_path: Path) -> None:
    found = log(tmp_path / "log", "".join(f"12:00:05.{n:03} line {n}\n" for n in range(1000)))
    excerpt = found.around([5_500_000])
    assert len(excerpt.lines) == nodelogs.EXCERPT_LINES_MAX
    assert {abs(line.number - 501) <= 20 for line in excerpt.lines} == {True}
    assert "960 lines" in excerpt.note


def test_a_silent_member_shows_its_nearest_lines(tmp_path: Path) -> None:
    found = log(tmp_path / "log", "12:00:01 a\n12:00:02 b\n12:00:50 c\n")
    excerpt = found.around([30_000_000])
    assert excerpt.note.startswith("Silent")
    assert [line.text for line in excerpt.lines] == ["a", "b", "c"]


def test_a_log_without_times_shows_its_ends(tmp_path: Path) -> None:
    found = log(tmp_path / "log", "".join(f"line {n}\n" for n in range(100)))
    excerpt = found.around([1])
    assert [line.number for line in excerpt.lines] == [*range(1, 9), *range(93, 101)]
    assert "no time" in excerpt.note


def test_times_of_another_day_are_not_of_this_run(tmp_path: Path) -> None:
    found = log(tmp_path / "log", "2025-01-31T12:00:01Z old\n")
    assert found.timed == 0
    assert found.lines[0].text == "2025-01-31T12:00:01Z old"


@pytest.mark.parametrize("text", ["", "\n", "one line without an end"])
def test_tiny_logs_are_shown_whole(tmp_path: Path, text: str) -> None:
    found = log(tmp_path / "log", text)
    assert len(found.lines) == (1 if text else 0)
    assert found.edges().lines == found.lines
    assert found.around([1]).lines == found.lines


def test_of_a_huge_log_both_ends_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodelogs, "BYTES_MAX", 1000)
    found = log(tmp_path / "log", "".join(f"line {n:03}\n" for n in range(500)))
    texts = [line.text for line in found.lines]
    assert texts[0] == "line 000"
    assert texts[-1] == "line 499"
    assert sum("left out" in text for text in texts) == 1
    assert len(texts) < 120


def test_lines_behind_a_gap_have_the_numbers_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodelogs, "BYTES_MAX", 1000)
    found = log(tmp_path / "log", "".join(f"line number {n}\n" for n in range(1, 501)))
    last = found.lines[-1]
    assert (last.number, last.text) == (500, "line number 500")
    told = [line for line in found.lines if line.text.startswith("line number")]
    assert all(line.text == f"line number {line.number}" for line in told)
    (gap,) = [line for line in found.lines if "left out" in line.text]
    assert len(told) < 120
    assert f"{500 - len(told)} lines" in gap.text
    assert found.edges().note == "The ends of 500 lines."


def test_bytes_that_are_no_text_and_endless_lines_are_borne(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"12:00:01 \xff\xfe\x00\n" + b"x" * 10_000)
    found = read("n1", path, ZERO, MINUTE)
    assert found.lines[0].time == 1_000_000
    assert len(found.lines[1].text) == nodelogs.LINE_CHARACTERS_MAX
