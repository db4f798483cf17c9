"""Shrinks every scenario with a seeded bug anew, for scenarios/regress: minutes each.

python bench/regress.py [NAME …] [--jobs 2]           # anew
python bench/regress.py --tell [NAME …] [--local 5]   # only their stories; runs on this machine

With `--tell --local 0` what runs on this machine once showed is left as it is said.
"""

import argparse
import tempfile
import textwrap
import time
from pathlib import Path

from delphic.harness.language import shipped
from delphic.harness.language.document import parse
from delphic.harness.lifecycle import Order, execute
from delphic.harness.plan import plan
from delphic.harness.running.progress import Quiet
from delphic.harness.scenario import load
from delphic.harness.shrink.cut import shrunk_scenario, written
from delphic.harness.shrink.place import beyond
from delphic.harness.shrink.search import Bounds, Candidate, summary
from delphic.harness.shrink.trial import outcome, trials

FOLDER = Path(__file__).resolve().parent.parent / "scenarios" / "regress"
SEEDS = 60
SEEN = "# With --on local: seen in "


def failing(name: str) -> tuple[Candidate, frozenset[str]] | None:
    """A seed that breaks a promise that the scenario names, and the first verdict's promises."""
    text, file = shipped.text_of(name)
    scenario = load(text, file)
    hoped = frozenset(scenario.expect.promises)
    own = [] if scenario.seed is None else [scenario.seed]
    for seed in (*own, *range(SEEDS)):
        candidate = Candidate(parse(text, file).data, seed)
        for failure in outcome(candidate).failures:
            if failure.names & hoped:
                return candidate, failure.names & hoped
    return None


def on_local(text: str, runs: int) -> str:
    """What as many runs on this machine show, as a comment; empty where nothing runs here."""
    scenario = load(text, "shrunk")
    if runs == 0 or beyond(plan(scenario, seed=0, target="local", command=""), "local"):
        return ""
    seen = 0
    for seed in range(runs):
        planned = plan(scenario, seed=seed, target="local", command="")
        with tempfile.TemporaryDirectory() as out:
            found = execute(Order(planned, text, Path(out)), Quiet(), lambda path: None)
            seen += found.verdict.as_expected
    return f"{SEEN}{seen} of {runs} runs.\n"


def keep(name: str, text: str, seen: str) -> None:
    """Write the file of a scenario."""
    head = f"# The smallest scenario that shows {name}, made by bench/regress.py.\n"
    (FOLDER / f"{name}.yaml").write_text(head + seen + text)
    print(textwrap.indent(text, "    "), flush=True)


def tell_again(name: str, runs: int) -> None:
    """Only the story, of the same scenario with the same seed or, if need be, another one."""
    found = failing(f"regress/{name}")
    if found is None:
        print(f"{name}: no failure in {SEEDS} seeds", flush=True)
        return
    start, _ = found
    text, file = shipped.text_of(f"regress/{name}")
    again = written(start, frozenset(load(text, file).expect.promises))[0]
    said = "".join(line for line in text.splitlines(keepends=True) if line.startswith(SEEN))
    keep(name, again, on_local(again, runs) if runs else said)


def shrink_again(name: str, asked: argparse.Namespace) -> None:
    began = time.monotonic()
    last = f"regress/{name}"
    found = failing(last if asked.again and last in shipped.regressions() else name)
    if found is None:
        print(f"{name}: no failure in {SEEDS} seeds", flush=True)
        return
    start, promises = found
    with trials(asked.jobs) as ask:
        small = shrunk_scenario(start, promises, ask, Bounds(seconds=asked.seconds))
    assert small is not None
    took = f"{small.shrunk.trials} runs, {time.monotonic() - began:.0f} s"
    minimal = "" if small.shrunk.is_minimal else ", not minimal"
    print(f"{name}: {summary(small.shrunk.candidate.data)}; {took}{minimal}", flush=True)
    keep(name, small.text, on_local(small.text, asked.local))
    if small.shrunk.stopped is not None:
        raise small.shrunk.stopped


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="go on from what is there")
    parser.add_argument("--tell", action="store_true", help="only the stories")
    parser.add_argument("--local", type=int, default=5, help="runs on this machine, where it can")
    parser.add_argument("--seconds", type=float, default=200.0)
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    kept = [name.removeprefix("regress/") for name in shipped.regressions()]
    bugs = [name for name in shipped.names() if name.startswith("bug-")]
    for name in asked.names or (kept if asked.tell else bugs):
        if asked.tell:
            tell_again(name, asked.local)
        else:
            shrink_again(name, asked)


if __name__ == "__main__":
    main()
