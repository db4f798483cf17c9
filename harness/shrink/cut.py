"""A run directory in, the YAML of a small scenario with its story out."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import UsageError
from ..history import load
from ..judging.judgement import plan_of, rejudged
from ..language.document import parse
from ..language.steps import WORD_MAX
from ..reading import read_text
from ..rundir import RunDir
from ..scenario import read
from ..simulate.execute import simulate_plan
from ..targets.sim import SIM
from ..verdict import RunVerdict, Validity
from .failing import broken, divergence, told
from .moments import Data
from .moves import TOLD
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
    "minimum",
    "requires",
    "stop_on_violation",
    "expect",
)
"""How people are used to read a scenario."""

_SHRUNK = "-shrunk"


@dataclass(frozen=True, slots=True)
class Small:
    """A scenario that runs as it is."""

    text: str
    story: str
    shrunk: Shrunk
    failing: frozenset[str]


def start_of(run: RunDir) -> Candidate:
    """What a run did: its scenario and its seed. Raises UsageError where none can be simulated."""
    plan = plan_of(run)
    if plan.crash:
        raise UsageError("a run with --crash cannot be shrunk: no scenario says at which effect")
    document = parse(read_text(run.scenario), str(run.scenario))
    missing = sorted(need.value for need in read(document).needs() - SIM.capabilities)
    if missing:
        raise UsageError(f"{plan.scenario} needs {', '.join(missing)}: it cannot be simulated")
    stops = {"stop_on_violation": True} if plan.stop_on_violation else {}
    return Candidate({**document.data, **stops}, plan.seed)


def failing_in(verdict: RunVerdict, asked: Iterable[str], hoped: Iterable[str]) -> frozenset[str]:
    """What has to go on failing: what is asked for, or the promises of the first failed verdict.

    Of a scenario that hopes for a failure, it is the first with one of the promises that it names.
    Where none broke, it is how members differ from the model. Raises UsageError where nothing
    failed, or not that.
    """
    failures = [one for one in verdict.verdicts if one.validity is Validity.FAIL]
    failed = [frozenset(one.promises) for one in failures if one.promises]
    differing = [frozenset([kind]) for one in failures for kind in divergence(one)]
    if not failed and not differing:
        raise UsageError(f"no promise broke in this run ({verdict.validity}): nothing to shrink")
    wanted = frozenset(asked)
    if wanted:
        found = frozenset[str]().union(*failed)
        if not wanted <= found:
            known = told(found) or "no promise"
            raise UsageError(f"{told(wanted - found)} did not break in this run; {known} did")
        return wanted
    if not failed:
        return differing[0]
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
    """The smallest scenario in which the run's failure is seen. Raises UsageError, WorldError."""
    start = start_of(run)
    wanted = failing_in(rejudged(run), promises, plan_of(run).expect.promises)
    small = shrunk_scenario(start, wanted, trials, bounds, say)
    if small is None:
        raise UsageError(
            f"{told(wanted)} cannot be seen to fail in the simulator, neither with seed "
            f"{start.seed} nor with {bounds.seeds_at_first - 1} others"
        )
    return small


def shrunk_scenario(
    start: Candidate,
    failing: frozenset[str],
    trials: Trials,
    bounds: Bounds,
    say: Callable[[str], None] = lambda line: None,
) -> Small | None:
    """The smallest scenario found, told; None if the simulator does not show the failure."""
    shrunk = shrink(start, failing, trials, bounds, say)
    if shrunk is None:
        return None
    text, story = written(shrunk.candidate, failing)
    return Small(text, story, shrunk, failing)


def written(best: Candidate, failing: frozenset[str]) -> tuple[str, str]:
    """The YAML of a scenario as small as it gets, with the story of its own seed; and that."""
    plan = planned(best)
    again = simulate_plan(plan)
    story = tell(plan, load(io.BytesIO(again.history)), again.verdict, failing)
    text = write(_finished(best, failing, story))
    _assert_the_same(text, best)
    return text, story


def _finished(best: Candidate, failing: frozenset[str], story: str) -> Data:
    """The scenario with all that people and `delphic run` need to know."""
    names = broken(failing)
    said = {
        **best.data,
        "name": best.data["name"].removesuffix(_SHRUNK)[: WORD_MAX - len(_SHRUNK)] + _SHRUNK,
        "seed": best.seed,
        "description": story,
        "promises": names,
        "expect": {"verdict": "fail", "promises": names},
    }
    # No scenario can expect members to differ from the model: that it does is a failure.
    without = frozenset[str]() if names else {"promises", "expect"}
    keys = dict.fromkeys((*_ORDER, *said))
    return {key: said[key] for key in keys if key in said and key not in without}


def _assert_the_same(text: str, best: Candidate) -> None:
    """What was written makes the same run as what was tried."""
    document = parse(text, "shrunk")
    assert read(document).seed == best.seed
    assert _happens(document.data) == _happens(best.data)


def _happens(data: Data) -> Data:
    return {key: part for key, part in data.items() if key not in TOLD}
