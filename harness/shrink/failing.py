"""What fails in a run, by names that another run of a smaller scenario has, too."""

import re
from collections.abc import Iterable

from ..promise import PROMISES, order
from ..verdict import Validity, Verdict


def failing(verdict: Verdict) -> frozenset[str]:
    """The promises that broke and, of members who differ from the model, in what they first do."""
    if verdict.validity is not Validity.FAIL:
        return frozenset()
    return frozenset([*verdict.promises, *divergence(verdict)])


def divergence(verdict: Verdict) -> list[str]:
    """The kind of the first divergence: the same step of another run has another number."""
    found = verdict.details.get("divergence")
    if not isinstance(found, dict):
        return []
    what = re.sub(r" \d+$", "", found.get("field") or found.get("what") or "")
    return [f"{verdict.checker}: {found['rule']}{f', {what}' if what else ''}"]


def broken(names: Iterable[str]) -> list[str]:
    """Those of the names that are promises, in their order."""
    return sorted((name for name in names if name in PROMISES), key=order)


def told(names: Iterable[str]) -> str:
    """In a sentence, promises first."""
    return ", ".join(sorted(names, key=order))
