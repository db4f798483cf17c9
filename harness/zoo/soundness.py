"""Guards that run worlds: those in which all is well have to pass, those with a bug to fail."""

from collections.abc import Iterator

from ..language import shipped
from ..plan import plan
from ..scenario import load
from ..simulate.campaign import Case
from ..simulate.cli import job_of
from .aa import nulled_job
from .guard import Guard, Noticed, must_fail, must_pass

_AA = ("no-faults", "handful", "majority-ring", "replicate")
_AA_S = 2.0
"""How long a scenario is in the guard `aa`; `delphic aa` has all of them at full length."""

_SOUND = ("drill", "one-way", "replicate-metadata")

_OTHER_SEEDS = 8
"""Tried where a scenario's own seed does not show its bug any more: what a seed decides changes
with every change of the simulator."""


def _aa() -> Iterator[Noticed | None]:
    for name in _AA:
        yield must_pass(nulled_job(name, _AA_S).plan(Case(1)))


def _sound() -> Iterator[Noticed | None]:
    for name in _SOUND:
        yield must_pass(job_of(name).plan(Case(1)))


def _controls() -> Iterator[Noticed | None]:
    for name in shipped.regressions():
        text, file = shipped.text_of(name)
        scenario = load(text, file)
        seeds = [*filter(None, (scenario.seed,)), *range(1, _OTHER_SEEDS)]
        noticed: Noticed | None = None
        for seed in seeds:
            noticed = must_fail(plan(scenario, seed=seed, target="sim", command=""))
            if noticed is None:
                break
        yield noticed


AA = Guard(
    "aa",
    "A/A: runs correct groups with no faults at all, in which nothing may be found",
    "Where nothing goes wrong, the mistake changes nothing.",
    _aa,
)

SOUND_RUNS = Guard(
    "sound-runs",
    "runs correct groups under faults: every promise has to hold, every receipt to bite",
    "Runs of correct groups look the same with it.",
    _sound,
)

CONTROLS = Guard(
    "controls",
    "runs the smallest scenarios of seeded bugs: each has to break what it is expected to break",
    "All the small scenarios of seeded bugs still show them.",
    _controls,
)
