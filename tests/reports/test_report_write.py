"""The door of the room: three files, or a sentence that says why not."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.errors import UsageError, WorldError
from delphic.harness.rundir import RunDir
from delphic.harness.verdict import Validity
from delphic.reports.page.document import document
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
    before = sorted(path.rglob("*"))
    with pytest.raises(WorldError, match=r"cannot write .*report\.html"):
        write(path)
    assert sorted(path.rglob("*")) == before


def test_what_another_one_writes_at_the_same_time_is_left_alone(
    copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copied("small")
    unfinished: list[str] = []
    replace = Path.replace

    def late(self: Path, target: Path) -> Path:
        # Before the first file is put in place, another report of the same run is made as a whole.
        unfinished.append(self.name)
        if len(unfinished) == 1:
            write(path)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", late)
    assert all(file.is_file() for file in write(path))
    assert len(set(unfinished)) == 6
    assert not any(file.name.startswith(".") for file in path.iterdir())


@pytest.mark.parametrize("name", [".report.html", "report.html", "junit.xml", "summary.md"])
def test_nothing_is_written_through_a_link(
    copied: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    path = copied("small")
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    (path / name).symlink_to(victim)
    write(path)
    assert victim.read_text() == "mine"
    assert not RunDir(path).report.is_symlink()


@pytest.mark.parametrize("place", ["shrunk.yaml", "scenario.yaml", "nodes/n1/log.txt", "nodes"])
def test_nothing_is_told_of_what_links_lead_to(
    copied: Callable[[str], Path], tmp_path: Path, place: str
) -> None:
    path = copied("fail")
    # What somebody may have packed: a run, with something in it that leads elsewhere.
    elsewhere = tmp_path / "elsewhere"
    secret = elsewhere / "n9" / "log.txt"
    secret.parent.mkdir(parents=True)
    secret.write_text("12:00:01 the-secret\n")
    if (path / place).is_dir():
        shutil.rmtree(path / place)
        (path / place).symlink_to(elsewhere)
    else:
        (path / place).unlink(missing_ok=True)
        (path / place).symlink_to(secret)
    pages = [file.read_text() for file in write(path)]
    assert not any("the-secret" in page or "n9" in page for page in pages)


@pytest.mark.parametrize("name", ["plan.json", "verdict.json", "history.jsonl", "journal.jsonl"])
def test_a_pipe_in_place_of_a_file_is_no_file(copied: Callable[[str], Path], name: str) -> None:
    path = copied("small")
    (path / name).unlink()
    os.mkfifo(path / name)
    found = document(path)
    assert name not in dict(found.files)
    if name != "journal.jsonl":
        assert f"{name} is no ordinary file that can be read" in " ".join(found.missing)


@pytest.mark.slow
def test_a_hundred_thousand_ops_make_a_page_that_still_opens(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    made = build(tmp_path / "run", ops=108_000, clients=16, validity=Validity.FAIL, expected="fail")
    assert len(made.ops) >= 100_000
    report, *_ = write(made.path)
    assert report.stat().st_size < SIZE_MAX
