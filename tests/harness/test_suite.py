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


def test_every_job_is_run_and_told_with_its_code_and_first_sentence(tmp_path: Path) -> None:
    code = "import sys; print(sys.argv[1], 'said'); print('more'); sys.exit(int(sys.argv[2]))"
    found = {done.job: (done.code, done.sentence) for done in play(code, 3, tmp_path)}
    assert found == {
        Job("one", 1): (1, "one said"),
        Job("one", 2): (2, "one said"),
        Job("two", 1): (1, "two said"),
    }


@pytest.mark.parametrize("parallel", [1, 2])
def test_no_more_than_so_many_are_under_way_at_a_time(tmp_path: Path, parallel: int) -> None:
    code = """if True:
        import pathlib, sys, time
        mine = pathlib.Path(sys.argv[3]) / f"{sys.argv[1]}-{sys.argv[2]}"
        mine.touch()
        print(len(list(mine.parent.iterdir())))
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
