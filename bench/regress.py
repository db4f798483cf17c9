"""Shrinks every scenario with a seeded bug anew, for scenarios/regress: minutes each.

python bench/regress.py [NAME …] [--jobs 2]
"""

import argparse
import textwrap
import time
from pathlib import Path

from delphic.harness import shipped
from delphic.harness.document import parse
from delphic.harness.scenario import load
from delphic.harness.shrink.cut import shrunk_scenario
from delphic.harness.shrink.search import Bounds, Candidate, summary
from delphic.harness.shrink.trial import outcome, trials

FOLDER = Path(__file__).resolve().parent.parent / "scenarios" / "regress"
SEEDS = 60


def failing(name: str) -> tuple[Candidate, frozenset[str]] | None:
    """A seed that breaks a promise that the scenario names, and the first verdict's promises."""
    text, file = shipped.text_of(name)
    scenario = load(text, file)
    hoped = frozenset(scenario.expect.promises)
    own = [] if scenario.seed is None else [scenario.seed]
    for seed in (*own, *range(SEEDS)):
        candidate = Candidate(parse(text, file).data, seed)
        for failure in outcome(candidate).failures:
            if failure.promises & hoped:
                return candidate, failure.promises & hoped
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--seconds", type=float, default=200.0)
    asked = parser.parse_args()
    names = asked.names or [name for name in shipped.names() if name.startswith("bug-")]
    FOLDER.mkdir(exist_ok=True)
    for name in names:
        began = time.monotonic()
        last = f"regress/{name}"
        found = failing(last if asked.again and last in shipped.regressions() else name)
        if found is None:
            print(f"{name}: no failure in {SEEDS} seeds", flush=True)
            continue
        start, promises = found
        with trials(asked.jobs) as ask:
            small = shrunk_scenario(start, promises, ask, Bounds(seconds=asked.seconds))
        assert small is not None
        head = f"# The smallest scenario that shows {name}, made by bench/regress.py.\n"
        (FOLDER / f"{name}.yaml").write_text(head + small.text)
        took = f"{small.shrunk.trials} runs, {time.monotonic() - began:.0f} s"
        minimal = "" if small.shrunk.is_minimal else ", not minimal"
        print(f"{name}: {summary(small.shrunk.candidate.data)}; {took}{minimal}", flush=True)
        print(textwrap.indent(small.text, "    "), flush=True)


if __name__ == "__main__":
    main()
