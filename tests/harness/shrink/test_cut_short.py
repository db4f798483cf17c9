"""A search that cannot go on, or need not: the smallest that it has found is not lost."""

import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cut_off_leader import broken_run
from delphic.harness.errors import ExitCode, WorldError
from delphic.harness.rundir import RunDir
from delphic.harness.scenario import load
from delphic.harness.shrink import command, trial
from delphic.harness.shrink.command import shrink_command
from delphic.harness.shrink.moves import size
from delphic.harness.shrink.search import Bounds, Candidate, Failure, Outcome, Trials, shrink
from dying_pool import DyingPool

HS2 = frozenset({"HS-2"})
BOUNDS = Bounds(clock=lambda: 0.0)
DATA: dict[str, Any] = {
    "name": "mine",
    "workload": {"name": "log", "ops": []},
    "duration": "4s",
    "faults": [{"at": "1s", "kill": "leader"}, {"at": "2s", "pause": "leader", "for": "1s"}],
}


def ending(error: BaseException, after: int) -> Trials:
    """All show the failure, until no more can be asked."""
    left = iter(range(after))

    def trials(candidates: Iterable[Candidate]) -> Generator[Outcome, None, None]:
        for _ in candidates:
            if next(left, None) is None:
                raise error
            yield Outcome((Failure(HS2),))

    return trials


@pytest.mark.parametrize("error", [WorldError("no memory"), KeyboardInterrupt()])
def test_what_was_found_by_then_is_what_is_left(error: BaseException) -> None:
    found = shrink(Candidate(DATA, 7), HS2, ending(error, 12), BOUNDS)
    assert found is not None
    assert (found.stopped, found.is_minimal) == (error, False)
    assert size(found.candidate.data) < size(DATA)
    assert found.trials <= 12


@pytest.mark.parametrize("error", [WorldError("no memory"), KeyboardInterrupt()])
def test_before_the_failure_was_seen_once_there_is_nothing_to_keep(error: BaseException) -> None:
    with pytest.raises(type(error)):
        shrink(Candidate(DATA, 7), HS2, ending(error, 0), BOUNDS)


def test_a_process_that_was_ended_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    dying = DyingPool(lambda *_: Outcome((Failure(HS2),)))
    monkeypatch.setattr(trial, "ProcessPoolExecutor", dying)
    with trial.trials(2) as ask:
        found = shrink(Candidate(DATA, 7), HS2, ask, BOUNDS)
    assert found is not None
    assert not found.is_minimal
    assert isinstance(found.stopped, WorldError)
    assert "was ended: mostly the machine had no memory left" in str(found.stopped)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """Broke HS-2."""
    return broken_run(tmp_path_factory.mktemp("runs"))


def stopped(
    run: RunDir, file: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch, *words: str
) -> Result:
    @contextmanager
    def trials(jobs: int) -> Iterator[Trials]:
        yield ending(error, 1)

    monkeypatch.setattr(command, "trials", trials)
    asked = [str(run.path), "--promise", "HS-2", "--out", str(file), *words]
    return CliRunner().invoke(shrink_command, asked)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (WorldError("no memory"), ExitCode.WORLD, "error: no memory\n"),
        (KeyboardInterrupt(), ExitCode.INCONCLUSIVE, "stopped\n"),
    ],
)
def test_the_command_writes_the_smallest_that_it_has(
    run: RunDir,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: ExitCode,
    said: str,
) -> None:
    file = tmp_path / "small.yaml"
    told = stopped(run, file, error, monkeypatch, "--quiet")
    assert (told.exit_code, told.stderr) == (code, said)
    assert "after 1 runs; there may be a smaller one" in told.stdout
    assert load(file.read_text(), "").name == "mine-shrunk"
    plain = json.loads(stopped(run, file, error, monkeypatch, "--json").stdout)
    assert (plain["exit_code"], plain["is_minimal"]) == (code, False)
