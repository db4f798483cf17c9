"""The door of the room: three files, or a sentence that says why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.errors import UsageError, WorldError
from delphic.harness.rundir import RunDir
from delphic.harness.verdict import Validity
from delphic.reports.write import write

SIZE_MAX = 15_000_000


def test_it_writes_three_files_and_leaves_the_others(copied: Callable[[str], Path]) -> None:
    path = copied("fail")
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    run = RunDir(path)
    assert write(path) == [run.report, run.junit, run.summary]
    after = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert set(after) - set(before) == {run.report, run.junit, run.summary}
    assert all(after[file] == content for file, content in before.items())


def test_writing_again_gives_the_same_bytes(copied: Callable[[str], Path]) -> None:
    path = copied("small")
    first = [file.read_bytes() for file in write(path)]
    assert [file.read_bytes() for file in write(path)] == first


def test_no_run_no_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written_is_the_worlds_failure(
    copied: Callable[[str], Path],
) -> None:
    path = copied("small")
    RunDir(path).report.mkdir()
    with pytest.raises(WorldError, match=r"cannot write .*report\.html"):
        write(path)


@pytest.mark.slow
def test_a_hundred_thousand_ops_make_a_page_that_still_opens(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    made = build(tmp_path / "run", ops=108_000, clients=16, validity=Validity.FAIL, expected="fail")
    assert len(made.ops) >= 100_000
    report, *_ = write(made.path)
    assert report.stat().st_size < SIZE_MAX
