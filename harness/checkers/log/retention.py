"""Did members keep rows as long as they had to?

Whoever asks for a row that is kept no more is refused, and told from where on rows are kept. Rows
go from the beginning on, so that all before are gone: at least on that member, and by then.
"""

import msgspec

from ...prose import plural
from ...verdict import Validity, Verdict
from .prose import append_text, identity, read_text, summary
from .view import Append, LogView, Purged

PROMISES = ("HS-2", "HS-21")

KEPT_MIN_S = 60
"""No row is younger that retention removes: it is said in minutes."""


class Early(msgspec.Struct, frozen=True):
    """An acknowledged append whose first row was gone, by the first refusal that tells it.

    `age_s`: how old it was then, at most.
    """

    append: Append
    refusal: Purged
    age_s: float


def age_s(append: Append, time_ns: int) -> float:
    """How old its rows were then, at most."""
    return (time_ns - append.call.invoke.time_ns) / 1e9


def too_early(view: LogView) -> list[Early]:
    """What was refused, at any time of the run, although it was too young to be gone."""
    appends = sorted(view.acknowledged, key=_offset)
    found: list[Early] = []
    at = 0
    for refusal in sorted(view.purged, key=lambda purged: purged.time_ns):
        while at < len(appends) and _offset(appends[at]) < refusal.kept:
            age = age_s(appends[at], refusal.time_ns)
            if age < KEPT_MIN_S:
                found.append(Early(appends[at], refusal, age))
            at += 1
    return found


def judged(name: str, early: list[Early], acknowledged: int) -> Verdict:
    """The verdict where there are such."""
    first = min(early, key=lambda item: item.refusal.time_ns)
    more = len(early) - 1
    others = f" So are {plural(more, 'more acknowledged append')}." if more else ""
    sentence = (
        f"Row {first.append.rows[0]} of {append_text(first.append)} was kept no more after "
        f"{first.age_s:.1f} s, as {read_text(first.refusal)} was told; no row is younger than "
        f"{KEPT_MIN_S} s that retention removes.{others}"
    )
    return Verdict(
        checker=name,
        validity=Validity.FAIL,
        sentence=sentence,
        promises=PROMISES,
        witness=(identity(first.append.call), identity(first.refusal.call)),
        details={
            "acknowledged": acknowledged,
            "lost": len(early),
            "operations": [summary(first.append), summary(first.refusal)],
        },
    )


def _offset(append: Append) -> int:
    assert append.offset is not None
    return append.offset
