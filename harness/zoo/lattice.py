"""The guard `exit-codes`: every pair of verdicts, held against docs/verdicts.md, told anew here."""

from collections.abc import Iterator
from itertools import product
from typing import Literal

import msgspec

from ..judging.judgement import Ending, conclude
from ..plan import Expectation
from ..simulate.campaign import Campaign, Case, Tried
from ..simulate.cli import job_of
from ..verdict import Validity, Verdict
from .guard import Guard, Noticed

_CODES = {"pass": 0, "inconclusive": 3, "unknown": 3, "harness_error": 5, "fail": 1}
"""Exit codes where a pass is expected, from the least severe validity to the most."""

_HOPED_CODES = {"harness_error": 5, "fail": 0}
"""Where the promise is expected to break that a `fail` names: the first that is there, else 1."""

_CAMPAIGN_CODES = {**_CODES, "harness_error": 5}
"""Of many worlds, one error of Delphic's own outweighs all: its other verdicts mean nothing."""

_PROMISE, _OTHER = "HS-2", "HS-1"


def look() -> Iterator[Noticed | None]:
    """All pairs, in a run that should pass, in one that should fail, and in a campaign."""
    for pair in product(_CODES, _CODES):
        severe = max(pair, key=list(_CODES).index)
        yield _run(pair, "pass", severe, _CODES[severe])
        hoped = [code for word, code in _HOPED_CODES.items() if word in pair]
        yield _run(pair, "fail", severe, hoped[0] if hoped else 1)
        codes = list(_CODES)
        loudest = "harness_error" if "harness_error" in pair else max(pair, key=codes.index)
        yield _campaign(pair, _CAMPAIGN_CODES[loudest])
    yield _another_promise()


def _verdict(word: str, promise: str = _PROMISE) -> Verdict:
    return Verdict("planted", Validity(word), f"It is {word}.", (promise,))


def _concluded(verdicts: list[Verdict], expected: Literal["pass", "fail"]) -> tuple[str, int]:
    plan = job_of("no-faults").plan(Case(1))
    promises = (_PROMISE,) if expected == "fail" else ()
    plan = msgspec.structs.replace(plan, expect=Expectation(expected, promises))
    found = conclude(plan, verdicts, Ending("1970-01-01T00:00:00Z", 1.0))
    return found.validity.value, found.exit_code


def _run(
    pair: tuple[str, str], expected: Literal["pass", "fail"], severe: str, code: int
) -> Noticed | None:
    was = _concluded([_verdict(word) for word in pair], expected)
    if was == (severe, code):
        return None
    return Noticed(
        f"{' and '.join(pair)}",
        f"A run with these verdicts that should {expected} is {severe} with exit code {code}, "
        f"not {was[0]} with {was[1]}.",
    )


def _another_promise() -> Noticed | None:
    """A broken promise that nobody expected to break is no success."""
    was = _concluded([_verdict("fail", _OTHER)], "fail")
    if was == ("fail", 1):
        return None
    sentence = f"A run in which another promise broke than expected has exit code 1, not {was[1]}."
    return Noticed(f"fail of {_OTHER}", sentence)


def _campaign(pair: tuple[str, str], code: int) -> Noticed | None:
    tried = [Tried(Case(1), Validity(word), word == "pass", "Planted.") for word in pair]
    was = Campaign(False, tried).exit_code()
    if was == code:
        return None
    words = " and ".join(pair)
    return Noticed(f"campaign of {words}", f"Worlds that were {words} exit with {code}, not {was}.")


EXIT_CODES = Guard(
    "exit-codes",
    "holds what runs and campaigns conclude from every pair of verdicts against the lattice of "
    "docs/verdicts.md",
    "It looks at nothing but conclusions and exit codes.",
    look,
)
