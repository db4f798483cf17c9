"""The whole suite, as `make test` runs it: python tests/suite.py [FOLDER OR TEST …].

A test that talks to real processes, hosts or browsers (marked `slow`) can fail because the machine
is busy. So what failed is run three times more, alone, with nothing beside it. Whatever fails again
is a failure; what passes all three times is named as flaky, and does not stop anybody. Never
forgiven: a test that is not `slow`, for nothing of it depends on time, and more than three at once.
The same policy that `delphic gate` has for real runs.
"""

import json
import subprocess
import sys
from pathlib import Path

FORGIVEN_MAX, TIMES = 3, 3
PARALLEL = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")
FAILED, NOTHING_FOUND = 1, 5


def main(words: list[str]) -> int:
    """pytest's exit code, 0 if all that failed was flaky."""
    cache = Path(".pytest_cache/v/cache/lastfailed")
    cache.unlink(missing_ok=True)
    code = _pytest(*PARALLEL, *words)
    if code != FAILED or not cache.exists():
        return code
    failed = list(json.loads(cache.read_text()))
    why = _unforgivable(failed)
    if why:
        print(f"\nFailed for good: {why}.")
        return code
    for time in range(1, TIMES + 1):
        print(f"\nWhat failed, alone, time {time} of {TIMES}:", flush=True)
        if _pytest("-p", "no:cacheprovider", *failed):
            return code
    print(f"\nFLAKY: failed beside others, passed {TIMES} times alone. To be mended:")
    print("\n".join(failed))
    return 0


def _unforgivable(failed: list[str]) -> str | None:
    if len(failed) > FORGIVEN_MAX:
        return f"{len(failed)} tests at once are no accident"
    words = ("-p", "no:cacheprovider", "--collect-only", "-q", "-m", "not slow", *failed)
    if _pytest(*words) != NOTHING_FOUND:
        return "not all of them are marked slow, and others depend on no machine"
    return None


def _pytest(*words: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *words]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
