"""A run directory in, the YAML of a small scenario with its story out."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..document import Document, parse
from ..errors import UsageError
from ..history import load
from ..judgement import plan_of, recheck
from ..promise import order
from ..rundir import RunDir
from ..scenario import read
from ..simulate.execute import simulate_plan
from ..targets.sim import SIM
from ..verdict import RunVerdict, Validity
from .moments import Data
from .search import Bounds, Candidate, Shrunk, Trials, shrink
from .story import tell
from .text import write
from .trial import planned

_ORDER = (
    "name",
    "title",
    "seed",
    "description",
    "promises",
    "cluster",
    "workload",
    "duration",
    "faults",
    "limits",
    "requires",
    "expect",
)


@dataclass(frozen=True, slots=True)
class Small:
    """A scenario that runs as it is."""

    text: str
    story: str
    shrunk: Shrunk
    promises: tuple[str, ...]


def start_of(run: RunDir) -> Candidate:
    """What a run did: its scenario and its seed. Raises UsageError where none can be simulated."""
    plan = plan_of(run)
    if plan.crash:
        raise UsageError("a run with --crash cannot be shrunk: no scenario says at which effect")
    try:
        document = parse(run.scenario.read_text(encoding="utf-8"), str(run.scenario))
    except OSError as error:
        raise UsageError(f"cannot read {run.scenario}: {error.strerror}") from error
    missing = sorted(need.value for need in read(document).needs() - SIM.capabilities)
    if missing:
        raise UsageError(f"{plan.scenario} needs {', '.join(missing)}: it cannot be simulated")
    return Candidate(document.data, plan.seed)


def broken_in(verdict: RunVerdict, asked: Iterable[str], hoped: Iterable[str]) -> frozenset[str]:
    """The promises to go on breaking: those asked for, or those of the first verdict that failed.

    Of a scenario that hopes for a failure, it is the first with one of the promises that it names.
    Raises UsageError where nothing broke, or not that.
    """
    failed = [
        frozenset(one.promises)
        for one in verdict.verdicts
        if one.validity is Validity.FAIL and one.promises
    ]
    if not failed:
        raise UsageError(f"no promise broke in this run ({verdict.validity}): nothing to shrink")
    wanted = frozenset(asked)
    if wanted:
        broken = frozenset[str]().union(*failed)
        if not wanted <= broken:
            known = ", ".join(sorted(broken, key=order))
            unbroken = ", ".join(sorted(wanted - broken, key=order))
            raise UsageError(f"{unbroken} did not break in this run; {known} did")
        return wanted
    hopes = frozenset(hoped)
    return next((promises & hopes for promises in failed if promises & hopes), failed[0])


def cut_down(
    run: RunDir,
    trials: Trials,
    *,
    bounds: Bounds,
    promises: Iterable[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Small:
    """The smallest scenario that breaks what the run broke. Raises UsageError, WorldError."""
    start = start_of(run)
    wanted = broken_in(recheck(run), promises, plan_of(run).expect.promises)
    small = shrunk_scenario(start, wanted, trials, bounds, say)
    if small is None:
        told = ", ".join(sorted(wanted, key=order))
        raise UsageError(
            f"{told} cannot be seen to break in the simulator, neither with seed {start.seed} nor "
            f"with {bounds.seeds_at_first - 1} others"
        )
    return small


def shrunk_scenario(
    start: Candidate,
    promises: frozenset[str],
    trials: Trials,
    bounds: Bounds,
    say: Callable[[str], None] = lambda line: None,
) -> Small | None:
    """The smallest scenario found, told; None if the simulator does not show the failure."""
    shrunk = shrink(start, promises, trials, bounds, say)
    if shrunk is None:
        return None
    text, story = written(shrunk.candidate, promises)
    return Small(text, story, shrunk, tuple(sorted(promises, key=order)))


def written(best: Candidate, promises: frozenset[str]) -> tuple[str, str]:
    """The YAML of a scenario as small as it gets, with the story of its own seed; and that."""
    plan = planned(best)
    again = simulate_plan(plan)
    story = tell(plan, load(io.BytesIO(again.history)), again.verdict, promises)
    text = write(_finished(best, promises, story))
    _assert_the_same(text, best)
    return text, story


def _finished(best: Candidate, promises: frozenset[str], story: str) -> Data:
    """The scenario with all that people and `delphic run` need to know."""
    broken = sorted(promises, key=order)
    said = {
        **best.data,
        "name": best.data["name"].removesuffix("-shrunk") + "-shrunk",
        "seed": best.seed,
        "description": story,
        "promises": broken,
        "expect": {"verdict": "fail", "promises": broken},
    }
    return {key: said[key] for key in _ORDER if key in said}


def _assert_the_same(text: str, best: Candidate) -> None:
    """What was written makes the same run as what was tried."""
    found = read(Document(parse(text, "shrunk").data, {}, "shrunk"))
    tried = read(Document(best.data, {}, "tried"))
    assert found.seed == best.seed
    assert found.fixed() == tried.fixed()
    assert found.workload == tried.workload
    assert (found.cluster, found.duration) == (tried.cluster, tried.duration)
