"""The bounded search as a checker: pass with a certificate, fail, or how far it got."""

from typing import Any

from ...evidence import Evidence
from ...prose import plural
from ...verdict import Validity, Verdict
from ..checker import Checker, undecided
from .monitor import CHECKED
from .prose import identity, operation_text, summary, table_text
from .search import Found, search
from .view import LogView, counts, logs, malformed

NAME = "log-search"


def judge(evidence: Evidence) -> Verdict:
    """Judge all logs of a run within the evidence's budget."""
    found = logs(evidence.history)
    if found.malformed:
        return malformed(NAME, found)
    if not any(view.reads or view.acknowledged for view in found.views):
        sentence = "No append was acknowledged and no read answered: there is nothing to order."
        return undecided(NAME, sentence, Validity.INCONCLUSIVE)
    results = list(zip(found.views, search(found.views, evidence.budget), strict=True))
    details = {**counts(found), "configurations": results[-1][1].configurations}
    for view, result in results:
        if result.order is None and result.limit is None:
            return _refuted(view, result, details)
    for view, result in results:
        if result.limit is not None:
            return _unfinished(view, result, details)
    placed = sum(len(result.order or ()) for _, result in results)
    sentence = f"An order of {plural(placed, 'operation')} was found that explains every answer."
    return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)


def _refuted(view: LogView, result: Found, details: dict[str, Any]) -> Verdict:
    stuck = result.stuck
    assert stuck is not None
    configurations = details["configurations"]
    sentence = (
        f"No order of the operations{table_text(view.key)} explains all answers: however those "
        f"are placed that returned before, {operation_text(stuck)} fits nowhere "
        f"({plural(configurations, 'configuration')} tried)."
    )
    return Verdict(
        checker=NAME,
        validity=Validity.FAIL,
        sentence=sentence,
        promises=("HS-4",),
        witness=(identity(stuck.call),),
        details={**details, "verified_below": result.verified, "operations": [summary(stuck)]},
    )


def _unfinished(view: LogView, result: Found, details: dict[str, Any]) -> Verdict:
    sentence = (
        f"Linearizable up to operation {result.verified - 1}{table_text(view.key)}; "
        f"of the rest the search decided nothing within its bound of {result.limit}."
    )
    extra = {"verified_below": result.verified, "limit": result.limit}
    return Verdict(NAME, Validity.UNKNOWN, sentence, CHECKED, details={**details, **extra})


LOG_SEARCH = Checker(
    name=NAME,
    question="Is there an order of all appends and reads that explains every answer? (bounded)",
    promises=CHECKED,
    judge=judge,
)
