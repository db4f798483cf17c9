"""Scenarios as tests: a plugin of pytest that does nothing unless it is asked to.

Every project whose environment has Delphic loads this file, so that it imports nothing of ours
before a scenario is to be run.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .lifecycle import Finished

MARKER = "delphic"
FIXTURE = "delphic_run"

_IS_MEANT = re.compile(r"^workload\s*:", re.MULTILINE)
"""Where a file is no YAML: its test says what is wrong with it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the command line, and of pytest's own configuration."""
    group = parser.getgroup(MARKER, "scenarios of Delphic as tests")
    group.addoption("--delphic", action="store_true", help="Collect scenarios (*.yaml) as tests.")
    group.addoption(
        "--delphic-on",
        metavar="TARGET",
        default="sim",
        help="Where they run: sim, local, lab or a file of hosts. Default: sim.",
    )
    group.addoption("--delphic-seeds", metavar="A..B", help="A test for each. Default: one.")
    group.addoption(
        "--delphic-out", metavar="DIR", default="runs", help="Where run directories go."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(scenario, on='sim', seed=None): run a scenario first; it must be as expected.",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A YAML file that says what clients do is a scenario; every other one is left alone."""
    if not parent.config.getoption("--delphic") or file_path.suffix not in (".yaml", ".yml"):
        return None
    from .language.document import keys_of

    text = file_path.read_text(encoding="utf-8", errors="replace")
    keys = keys_of(text)
    if not (_IS_MEANT.search(text) if keys is None else "workload" in keys):
        return None
    found: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A marked test function gets its run whether it names the fixture or not."""
    for item in items:
        if not isinstance(item, pytest.Function) or item.get_closest_marker(MARKER) is None:
            continue
        if FIXTURE not in item.fixturenames:
            item.fixturenames.insert(0, FIXTURE)


class ScenarioFile(pytest.File):
    """A scenario: a test for each seed."""

    def collect(self) -> Iterator[pytest.Item]:
        from .simulate.cli import seeds_in

        asked = self.config.getoption("--delphic-seeds")
        seeds = None if asked is None else seeds_in(asked)
        if asked is not None and seeds is None:
            raise pytest.UsageError(f"--delphic-seeds {asked}: write 1..20, or 20 for the same")
        target = self.config.getoption("--delphic-on")
        for seed in seeds or [None]:
            name = target if seed is None else f"{target}, seed {seed}"
            yield ScenarioItem.from_parent(self, name=name, target=target, seed=seed)


class ScenarioItem(pytest.Item):
    """One run of a scenario."""

    def __init__(self, *, target: str, seed: int | None, **more: Any) -> None:
        super().__init__(**more)
        self._target, self._seed = target, seed
        self.add_marker(MARKER)

    def runtest(self) -> None:
        _run(str(self.path), self._target, self._seed, self)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.name}: {self.name}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> Any:
        """What was found, and no traceback of ours; a bug of ours with all of it."""
        from .errors import DelphicError

        if isinstance(excinfo.value, NotAsExpected | DelphicError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


_MARKER_WORDS = ("on", "seed")


class NotAsExpected(AssertionError):
    """A run that is not as its scenario expects, or lacks its report."""


@pytest.fixture(name=FIXTURE)
def delphic_run(request: pytest.FixtureRequest) -> "Finished":
    """The run of the scenario that the test's marker names: its directory, its verdict."""
    __tracebackhide__ = True
    marker = request.node.get_closest_marker(MARKER)
    if marker is None or len(marker.args) != 1:
        raise pytest.UsageError(f"{request.node.nodeid}: write @pytest.mark.{MARKER}('SCENARIO')")
    strange = [word for word in marker.kwargs if word not in _MARKER_WORDS]
    if strange:
        raise pytest.UsageError(
            f"{request.node.nodeid}: @pytest.mark.{MARKER} has no {strange[0]!r}; "
            f"there are {', '.join(_MARKER_WORDS)}"
        )
    told = {"on": request.config.getoption("--delphic-on"), "seed": None, **marker.kwargs}
    for word, said in _wrong(**told):
        raise pytest.UsageError(f"{request.node.nodeid}: @pytest.mark.{MARKER}: {word} is {said}")
    scenario = str(marker.args[0])
    beside = request.node.path.parent / scenario
    named = str(beside) if beside.is_file() else scenario
    return _run(named, told["on"], told["seed"], request.node)


def _wrong(on: object, seed: object) -> Iterator[tuple[str, str]]:
    """What a marker says that nothing can be run by, and what would be right."""
    from .scenario import SEED_MAX

    if not isinstance(on, str):
        yield "on", f"a text, not {on!r}"
    if seed is not None and not (type(seed) is int and 0 <= seed <= SEED_MAX):
        yield "seed", f"a whole number from 0 to {SEED_MAX}, not {seed!r}"


def _run(scenario: str, target: str, seed: int | None, item: pytest.Item) -> "Finished":
    """Run it. Raises NotAsExpected, and KeyboardInterrupt where somebody ended it."""
    __tracebackhide__ = True
    from ..reports.write import write
    from .errors import ExitCode
    from .judging.judgement import INTERRUPTED
    from .launch import Asked, launch
    from .running.progress import Quiet

    out = item.config.rootpath / item.config.getoption("--delphic-out")
    finished = launch(Asked(scenario, target, seed), out, Quiet(), write)
    item.user_properties.append((FIXTURE, str(finished.run.path)))
    if any(one.checker == INTERRUPTED for one in finished.verdict.verdicts):
        raise KeyboardInterrupt
    lacks = finished.world or finished.report_failure
    if finished.verdict.exit_code != ExitCode.AS_EXPECTED or lacks is not None:
        raise NotAsExpected(_told(finished))
    return finished


def _told(finished: "Finished") -> str:
    """The sentence, what shows it, and where all of it is."""
    from .judging.judgement import plan_of
    from .judging.shown import broken_promises, witness_lines

    found, run = finished.verdict, finished.run
    promises = f" [{', '.join(broken_promises(found))}]" if broken_promises(found) else ""
    lines = [f"{found.validity.value}{promises}: {found.sentence}"]
    lines += [str(finished.world)] if finished.world is not None else []
    if finished.report_failure is not None:
        lines.append(f"The report could not be written:\n{finished.report_failure}")
    witness = witness_lines(found, run)
    lines += ["witness:", *(f"  {line}" for line in witness)] if witness else []
    lines += [f"run     {run.path}", f"report  {run.report}", f"again   {plan_of(run).command}"]
    return "\n".join(lines)
