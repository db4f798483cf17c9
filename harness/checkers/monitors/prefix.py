"""Logs that followers read behind: every process sees one log grow, each at its own pace.

Sequential consistency: as for logs (`log.py`), but only what one process did and saw is in order. A
read may be old, but not older than what its own process has seen or written before.
"""

from collections.abc import Sequence

from ..operations import Ambiguous, Judgement, Operation
from .columns import columns
from .conclusion import conclude
from .log import contents, disorder, placed
from .sweep import sweep

ANOMALIES = {
    "phantom": "An element was read that nobody had appended, or whose append certainly failed.",
    "duplicate": "An element was read twice that was appended once.",
    "diverged": "Of two reads neither is a prefix of the other: there are two logs.",
    "lost": "A process did not find what it had appended, and nobody ever saw it.",
    "stale-read": "A process did not find what it had appended, or read, before.",
    "future-read": "A process read an element before it began to append it.",
    "reordered": "Of two elements that one process appended the second was seen first.",
}


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all logs, one a key, are sequentially consistent."""
    c = columns(operations)
    wrong, ambiguous, logs = contents(c)
    broken = {w.key for w in wrong} | set(ambiguous)
    alone = columns(operations, ((o.key, o.process) for o in operations))
    for earlier, later in sweep(alone, placed(c, logs)):
        key = operations[later].key
        if key not in broken:
            broken.add(key)
            wrong.append(disorder(c, logs, earlier, later))
    return conclude(
        operations,
        wrong,
        ambiguous,
        keys=len(c.keys),
        fits="show one log that grows, for each process",
    )
