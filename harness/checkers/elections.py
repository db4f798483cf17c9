"""Did two members ever lead in one term?"""

from collections.abc import Iterator

import msgspec

from ..evidence import Evidence
from ..op import OBSERVER, Op
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker, undecided
from .liveness import is_leading

NAME = "elections"
PROMISES = ("HS-1",)


class Leadership(msgspec.Struct, frozen=True):
    """That a member led in a term, and who says so: an op of the observer, or its own trace."""

    member: str
    term: int
    index: int | None
    source: str


def judge(evidence: Evidence) -> Verdict:
    """Hold all observations of leaders against one another, term by term."""
    first: dict[int, Leadership] = {}
    for seen in _leaderships(evidence):
        other = first.setdefault(seen.term, seen)
        if other.member != seen.member:
            sentence = two_in_one_term(other, seen)
            witness = tuple(s.index for s in (other, seen) if s.index is not None)
            details = {"term": seen.term, "members": [other.member, seen.member]}
            return Verdict(NAME, Validity.FAIL, sentence, PROMISES, witness, details)
    if not first:
        sentence = "No leader was ever observed: there is no election to check."
        return undecided(NAME, sentence, Validity.INCONCLUSIVE)
    sentence = f"At most one leader in each of {plural(len(first), 'observed term')}."
    details = {"leaders": {str(term): seen.member for term, seen in sorted(first.items())}}
    return Verdict(NAME, Validity.PASS, sentence, PROMISES, details=details)


def two_in_one_term(one: Leadership, other: Leadership) -> str:
    """What is wrong with them, in a sentence."""
    return (
        f"Two leaders in term {one.term}: {one.member} ({one.source}) and "
        f"{other.member} ({other.source})."
    )


def leadership(op: Op) -> Leadership | None:
    """That a member led, if it is what the observer saw."""
    if op.process != OBSERVER or op.f != "role" or op.node is None or not is_leading(op.value):
        return None
    term = op.value.get("term")
    if type(term) is not int:
        return None
    return Leadership(op.node, term, op.index, f"observed at {op.time_ns / 1e9:.3f} s")


def _leaderships(evidence: Evidence) -> Iterator[Leadership]:
    for op in evidence.history.of(OBSERVER):
        seen = leadership(op)
        if seen is not None:
            yield seen
    for member in sorted(evidence.traces):
        for number, record in enumerate(evidence.traces[member].records, start=1):
            if record.post.role == "leader":
                yield Leadership(member, record.post.term, None, f"record {number} of its trace")


ELECTIONS = Checker(
    name=NAME,
    question="Is there at most one leader in a term?",
    promises=PROMISES,
    judge=judge,
)
