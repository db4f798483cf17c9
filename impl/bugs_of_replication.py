"""Seeded bugs of replication between clusters: known mistakes that a test may switch on."""

from collections.abc import Mapping
from types import MappingProxyType

from .bug import Bug

QUEUES_WHILE_DISABLED = "queues-while-disabled"
STOP_DROPS_QUEUE = "stop-drops-queue"
FLAG_OFF_DROPS_QUEUED = "flag-off-drops-queued"
TRIMS_UNREAD = "trims-unread"
WAITS_FOR_SLOWEST = "waits-for-slowest"
OFFSET_BEFORE_LOG = "offset-before-log"
DEDUP_BY_HIGHEST = "dedup-by-highest"
APPLIED_UNCHECKED = "applied-unchecked"
SKIP_NOT_KEPT = "skip-not-kept"
FAILURE_SWALLOWED = "failure-swallowed"
LAST_GROUP_WAITS = "last-group-waits"
FAILURES_ADD_UP = "failures-add-up"
GROUPS_OVERLAP = "groups-overlap"
RECORDED_AT_BEGIN = "recorded-at-begin"
SERVES_UNCOMMITTED = "serves-uncommitted"
TASK_DATA_UNCHECKED = "task-data-unchecked"
INCOMPLETE_SHOWN = "incomplete-shown"

_ALL = (
    Bug(
        QUEUES_WHILE_DISABLED,
        "A master that was stopped goes on queueing what completes.",
        "A14",
        ("PR-1", "PR-12"),
    ),
    Bug(
        STOP_DROPS_QUEUE,
        "A master that is stopped forgets what its slaves have still to read.",
        "A14",
        ("PR-17", "PR-26", "PR-29"),
    ),
    Bug(
        FLAG_OFF_DROPS_QUEUED,
        "A database that is switched off loses its queued tasks; slaves wait for ids that never "
        "come.",
        "A10: HBASE-25583",
        ("PR-2", "PR-3", "PR-26"),
    ),
    Bug(
        TRIMS_UNREAD,
        "The master keeps its newest tasks, however far behind a slave is.",
        "A7: HBASE-24871",
        ("PR-17", "PR-18", "PR-26"),
    ),
    Bug(
        WAITS_FOR_SLOWEST,
        "No slave is given more than the slowest one can take.",
        "A9: HBASE-20417",
        ("PR-25", "PR-26"),
    ),
    Bug(
        OFFSET_BEFORE_LOG,
        "A slave goes on behind what it has pulled, also if its log did not take that.",
        "A2: pulsar#26106",
        ("PR-26", "PR-29"),
    ),
    Bug(
        DEDUP_BY_HIGHEST,
        "A task that failed is taken for applied when a later one is.",
        "A1: pulsar#26113",
        ("PR-7", "PR-26"),
    ),
    Bug(
        APPLIED_UNCHECKED,
        "A commit does not ask whether its task is applied already.",
        "A4: pikiwidb#2659",
        ("PR-7", "PR-15"),
    ),
    Bug(
        SKIP_NOT_KEPT,
        "A checkpoint forgets that a task was skipped.",
        "A5: tarantool#3977",
        ("PR-15", "PR-28"),
    ),
    Bug(
        FAILURE_SWALLOWED,
        "A task that failed is called finished.",
        "A6: mysql-wsrep#167",
        ("PR-7", "PR-9", "PR-26"),
    ),
    Bug(
        LAST_GROUP_WAITS,
        "A group begins only when a later one is known.",
        "A8: HBASE-29499",
        ("PR-26",),
    ),
    Bug(
        FAILURES_ADD_UP,
        "One counter counts the failures of all tasks.",
        "A15",
        ("PR-9",),
    ),
    Bug(
        GROUPS_OVERLAP,
        "A group begins while tasks of the one before are executed.",
        "A16",
        ("PR-4", "PR-5"),
    ),
    Bug(
        RECORDED_AT_BEGIN,
        "A task is finished when the transaction that executes it begins.",
        "A3: neondatabase/postgres#461",
        ("PR-7", "PR-8", "PR-26"),
    ),
    Bug(
        SERVES_UNCOMMITTED,
        "A master's leader gives slaves what is in its log and not committed yet.",
        "A11: litefs#158",
        ("PR-1", "PR-3", "PR-26"),
    ),
    Bug(
        TASK_DATA_UNCHECKED,
        "Damaged task data is handed out as it is.",
        "A12: redis#3899",
        ("PR-21", "PR-26"),
    ),
    Bug(
        INCOMPLETE_SHOWN,
        "Readers see of a transaction what its first participants have committed.",
        "A13: RDS PostgreSQL 17.4",
        ("PR-8", "PR-21"),
    ),
)

REPLICATION_BUGS: Mapping[str, Bug] = MappingProxyType({bug.name: bug for bug in _ALL})
"""All of them by name."""
