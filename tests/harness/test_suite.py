"""Many runs: so many at a time, and one exit code for all."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from delphic.harness.commands import suite
from delphic.harness.commands.suite import Done, Job, able, counted, run_all
from delphic.harness.errors import UsageError, worst_code
from delphic.harness.judging.judgement import NOT_SEEN
from delphic.harness.language import shipped

JOBS = [Job("one", 1), Job("one", 2), Job("two", 1)]


def play(code: str, parallel: int, tmp_path: Path) -> list[Done]:
    told: list[Done] = []

    def command(job: Job) -> Sequence[str]:
        return [sys.executable, "-c", code, job.scenario, str(job.seed), str(tmp_path)]

    found = asyncio.run(run_all(JOBS, command, parallel, told.append))
    assert found == told
    return found


TOLD = """
import json, sys
print("The harness of gone (pid 7) is gone.", "", "more", sep="\\n", file=sys.stderr)
print(json.dumps({"validity": "pass", "sentence": f"{sys.argv[1]} said"}, indent=2))
sys.exit(int(sys.argv[2]))
"""


def test_every_job_is_run_and_told_with_its_code_and_what_its_verdict_says(tmp_path: Path) -> None:
    found = {done.job: (done.code, done.sentence) for done in play(TOLD, 3, tmp_path)}
    assert found == {
        Job("one", 1): (1, "pass: one said"),
        Job("one", 2): (2, "pass: one said"),
        Job("two", 1): (1, "pass: two said"),
    }


def test_what_a_run_says_beside_its_verdict_is_kept_apart(tmp_path: Path) -> None:
    beside = "The harness of gone (pid 7) is gone.\nmore"
    assert [done.beside for done in play(TOLD, 1, tmp_path)] == [beside] * 3


@pytest.mark.parametrize(
    ("text", "sentence", "beside"),
    [
        (
            "Something is gone.\nerror: no such place\n",
            "error: no such place",
            "Something is gone.",
        ),
        ("Usage: x\n\nError: no such option\n", "Error: no such option", "Usage: x"),
        ("stopped\n", "stopped", ""),
        ("", "", ""),
    ],
)
def test_of_a_run_without_a_verdict_the_mistake_is_told(
    text: str, sentence: str, beside: str, tmp_path: Path
) -> None:
    code = f"import sys; sys.stderr.write({text!r}); sys.exit(2)"
    for done in play(code, 1, tmp_path):
        assert (done.code, done.sentence, done.beside) == (2, sentence, beside)


def test_runs_are_asked_for_data_and_their_warnings_are_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes a seeded bug count as not shown stands in the verdict's sentence alone."""
    asked: list[Sequence[str]] = []

    async def play(job: Job, words: Sequence[str]) -> Done:
        asked.append(words)
        shown = job.seed == 1
        sentence = "fail: HS-2 broke" if shown else f"pass: HS-2 {NOT_SEEN} (pass)."
        return Done(job, int(not shown), sentence, 1.0, "A harness is gone.")

    monkeypatch.setattr(suite, "_run", play)
    words = ["handful", "--on", "sim", "--seeds", "1..2", "--out", str(tmp_path / "r")]
    found = CliRunner().invoke(suite.suite_command, words)
    assert all("--json" in words for words in asked)
    assert found.exit_code == 0, found.output
    assert found.stderr.count("A harness is gone.") == 2


@pytest.mark.parametrize("parallel", [1, 2])
def test_no_more_than_so_many_are_under_way_at_a_time(tmp_path: Path, parallel: int) -> None:
    code = """if True:
        import pathlib, sys, time
        mine = pathlib.Path(sys.argv[3]) / f"{sys.argv[1]}-{sys.argv[2]}"
        mine.touch()
        print(len(list(mine.parent.iterdir())), file=sys.stderr)
        time.sleep(0.1)
        mine.unlink()
    """
    assert max(int(done.sentence) for done in play(code, parallel, tmp_path)) <= parallel


@pytest.mark.parametrize(
    ("codes", "of_all"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 3], 3),
        ([3, 4, 0], 4),
        ([5, 1, 4], 1),
        ([0, -9], 5),
        ([0, 77, 4], 5),
        ([2, 0], 2),
    ],
)
def test_the_worst_code_is_that_of_all(codes: list[int], of_all: int) -> None:
    assert worst_code(codes) == of_all


def test_a_seeded_bug_need_not_show_for_every_seed_but_for_one() -> None:
    missed = f"pass: HS-2 {NOT_SEEN} (pass)."
    shown = Done(Job("bug", 1), 0, "fail: HS-2 broke", 1.0)
    other = Done(Job("bug", 2), 1, missed, 1.0)
    wrong = Done(Job("bug", 3), 1, "fail: HS-4 broke, not HS-2 as expected", 1.0)
    ended = Done(Job("bug", 4), 3, missed, 1.0)
    never = Done(Job("rare", 1), 1, missed, 1.0)
    assert counted([shown, other, wrong, ended, never]) == [shown, wrong, ended, never]


def test_what_a_place_cannot_do_is_left_out_and_named() -> None:
    names = ["quickstart", "trace-figure-8"]
    assert able(names, "local") == (["quickstart"], {"trace-figure-8": "message-order"})
    assert able(names, "sim") == (names, {})
    assert set(names) <= set(shipped.names())
    assert suite.suite_command.name == "suite"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["quickstart", "--but", "quickstart"], "nothing to run: --but leaves nothing"),
        (["trace-figure-8", "--on", "local"], "nothing to run: local can do none of them"),
        (["--but", "quikstart"], "--but quikstart: is none of them; did you mean 'quickstart'?"),
        (["chaos", "--but", "quickstart"], "--but quickstart: is none of them"),
        (["--on", "labs.yaml", "--jobs", "2"], "--jobs: hosts of a file can carry one run"),
    ],
)
def test_what_would_run_nothing_or_too_much_is_refused(
    words: list[str], told: str, tmp_path: Path
) -> None:
    where = [] if "--on" in words else ["--on", "sim"]
    found = CliRunner().invoke(suite.suite_command, [*words, *where, "--out", str(tmp_path / "r")])
    assert isinstance(found.exception, UsageError), found.output
    assert told in str(found.exception)
    assert not (tmp_path / "r").exists()
