"""Seeded bugs: known mistakes that a test may switch on, to show that the checks find them."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from .bug import Bug
from .bugs_of_replication import REPLICATION_BUGS
from .bugs_of_users import USER_BUGS

STALE_READ = "stale-read"
READ_BEFORE_NOOP = "read-before-noop"
READ_ON_LEASE = "read-on-lease"
ABORTED_READ = "aborted-read"
ACK_BEFORE_QUORUM = "ack-before-quorum"
ACK_BEFORE_FSYNC = "ack-before-fsync"
FOLLOWER_ACK_BEFORE_FSYNC = "follower-ack-before-fsync"
FOLDER_NOT_SYNCED = "folder-not-synced"
COUNTS_ITSELF_EARLY = "counts-itself-early"
ACK_OWN_LAST = "ack-own-last"
COMMIT_OLD_TERM = "commit-old-term"
ALWAYS_TRUNCATE = "always-truncate"
TRUNCATES_APPLIED = "truncates-applied"
TRUNCATE_OFF_BY_ONE = "truncate-off-by-one"
CACHE_SURVIVES_CUT = "cache-survives-cut"
BATCH_LEAVES_GAP = "batch-leaves-gap"
DAMAGE_IS_TORN = "damage-is-torn"
STARTS_EMPTY = "starts-empty"
CHECKPOINT_BEFORE_SYNC = "checkpoint-before-sync"
APPLIED_APART = "applied-apart"
SNAPSHOT_OFF_BY_ONE = "snapshot-off-by-one"
SNAPSHOT_KEEPS_CONFLICT = "snapshot-keeps-conflict"
OLD_SNAPSHOT_INSTALLED = "old-snapshot-installed"
VOTE_TWICE = "vote-twice"
STALE_VOTE_COUNTED = "stale-vote-counted"
DUPLICATE_VOTE_COUNTED = "duplicate-vote-counted"
PRE_VOTE_COUNTED = "pre-vote-counted"
PUBLISH_WRITTEN = "publish-written"
SUBSCRIPTIONS_SURVIVE = "subscriptions-survive"
RECORD_ON_RECEIPT = "record-on-receipt"
RESUME_AS_ASKED = "resume-as-asked"
FAILURE_PASSED = "failure-passed"
POLL_UNCOMMITTED = "poll-uncommitted"
NAMES_ITSELF = "names-itself"
RETRIES_FORGOTTEN = "retries-forgotten"
PENDING_KEYS_UNKNOWN = "pending-keys-unknown"
DROP_KEEPS_TABLE = "drop-keeps-table"
BATCH_IN_PARTS = "batch-in-parts"
NO_ROLLBACK = "no-rollback"
REDO_EQUAL_LSN = "redo-equal-lsn"
AGES_FORGOTTEN = "ages-forgotten"


_ALL = (
    Bug(
        STALE_READ,
        "A leader answers reads without confirming that it still leads.",
        "R3: d-engine#381, dqlite#258",
        ("HS-4",),
    ),
    Bug(
        READ_BEFORE_NOOP,
        "A new leader reads before anything of its own term is committed, and so without what "
        "older leaders committed but did not tell it.",
        "R2: redisraft#18, #19",
        ("HS-4",),
    ),
    Bug(
        READ_ON_LEASE,
        "A leader answers reads as long as it has heard a majority within an election tick, by its "
        "own clock.",
        "R4: tikv#964, sofa-jraft#26, #34",
        ("HS-4",),
    ),
    Bug(
        ABORTED_READ,
        "A leader that steps down calls pending appends failed, although they may still commit.",
        "R22: redpanda#3036",
        ("HS-6", "HS-11"),
    ),
    Bug(
        ACK_BEFORE_QUORUM,
        "A leader commits an entry as soon as its own disk holds it.",
        "§5.3",
        ("HS-2", "HS-3"),
    ),
    Bug(
        ACK_BEFORE_FSYNC,
        "A member answers before its log is synced.",
        "R13: nats-server#7564, etcd#14370",
        ("HS-2", "HS-3"),
    ),
    Bug(
        FOLLOWER_ACK_BEFORE_FSYNC,
        "A follower acknowledges entries before its log is synced; one such member is enough.",
        "R14: nats-server#7567; V3",
        ("HS-2", "HS-3"),
    ),
    Bug(
        FOLDER_NOT_SYNCED,
        "The folder of a new log file is not synced, so that a power cut takes the whole file.",
        "R13: etcd#6368",
        ("HS-1", "HS-2", "HS-3", "HS-23"),
    ),
    Bug(
        COUNTS_ITSELF_EARLY,
        "A leader counts itself among those that hold an entry before its disk does.",
        "R27",
        ("HS-4", "HS-20", "HS-25"),
    ),
    Bug(
        ACK_OWN_LAST,
        "A follower acknowledges all of its log instead of what the request showed to be equal.",
        "R9: CCF#6001",
        ("HS-2", "HS-3", "HS-20", "HS-25"),
    ),
    Bug(
        COMMIT_OLD_TERM,
        "A leader commits entries of older terms by counting who holds them (Figure 8).",
        "R1: logcabin#44",
        ("HS-2", "HS-4", "HS-25"),
    ),
    Bug(
        ALWAYS_TRUNCATE,
        "An append cuts the log behind what it carries, conflict or not.",
        "R8: akka-raft#66, CCF#5676",
        ("HS-2", "HS-3", "HS-20", "HS-25"),
    ),
    Bug(
        TRUNCATES_APPLIED,
        "A follower commits and applies what its log holds before it is compared with the "
        "leader's, and then finds a conflict there.",
        "R26: canonical/raft#355",
        ("HS-4", "HS-20", "HS-25"),
    ),
    Bug(
        TRUNCATE_OFF_BY_ONE,
        "Where the log is cut, its file keeps one entry too many, which is back after a restart.",
        "R15: qdrant#1329, #2508",
        ("HS-4", "HS-20", "HS-25"),
    ),
    Bug(
        CACHE_SURVIVES_CUT,
        "Where the log is cut, what was decoded and written ahead of its commit stays, and is "
        "applied in the place of what came instead.",
        "R16: cockroach#63302, #63473",
        ("HS-4", "HS-5", "HS-11", "HS-20"),
    ),
    Bug(
        BATCH_LEAVES_GAP,
        "An entry that does not fit into a request any more is left out of it, and the next one "
        "tried.",
        "R24: logcabin#160",
        ("HS-2", "HS-4", "HS-5", "HS-20"),
    ),
    Bug(
        DAMAGE_IS_TORN,
        "A log is cut where it is damaged, as if it were its torn end, however much was durable.",
        "R23: nats-server#7549, #7556",
        ("HS-1", "HS-2", "HS-3"),
    ),
    Bug(
        STARTS_EMPTY,
        "A member that cannot read its log or its tables begins with none, under its old name.",
        "R20: RethinkDB 2.2.3, etcd#21178",
        ("HS-1", "HS-2", "HS-3"),
    ),
    Bug(
        CHECKPOINT_BEFORE_SYNC,
        "A checkpoint is written, and the log cut, before the data files that it names are synced.",
        "D6",
        ("HS-22", "HS-23", "HS-25"),
    ),
    Bug(
        APPLIED_APART,
        "A checkpoint names the rows of all entries that are applied, and a later entry, so that a "
        "restart skips what is between.",
        "R17: etcd#13766, #14685",
        ("HS-4", "HS-5", "HS-9", "HS-20"),
    ),
    Bug(
        SNAPSHOT_OFF_BY_ONE,
        "Who has installed a snapshot goes on with the second entry behind it.",
        "R12: RedisLabs/raft#49, redisraft#43",
        ("HS-2", "HS-4", "HS-5", "HS-20", "HS-25"),
    ),
    Bug(
        SNAPSHOT_KEEPS_CONFLICT,
        "A follower whose log is as long as a snapshot keeps it, whatever it says.",
        "R10: hashicorp/raft#697, #704",
        ("HS-4", "HS-5", "HS-20", "HS-25"),
    ),
    Bug(
        OLD_SNAPSHOT_INSTALLED,
        "A follower installs a snapshot that is older than what it has committed.",
        "R11: camunda#6092, NuRaft#407, hashicorp/raft#248",
        ("HS-4", "HS-5", "HS-12"),
    ),
    Bug(
        VOTE_TWICE,
        "Term and vote are made durable only with the next entry of the log, so that a member "
        "that restarts may vote again in the same term.",
        "R5: nebula#3415",
        ("HS-1",),
    ),
    Bug(
        STALE_VOTE_COUNTED,
        "A candidate counts votes of another term.",
        "R6: little-raft#44",
        ("HS-1", "HS-2"),
    ),
    Bug(
        DUPLICATE_VOTE_COUNTED,
        "A majority is counted in answers, not in voters.",
        "R7: butane oracles#18",
        ("HS-1", "HS-2"),
    ),
    Bug(
        PRE_VOTE_COUNTED,
        "A late answer to a pre-vote is counted as a vote, since both name the proposed term.",
        "R25: canonical/raft#196, #386, nebula#685",
        ("HS-1", "HS-2"),
    ),
    Bug(
        POLL_UNCOMMITTED,
        "A member shows pollers rows that it has logged and that may never be committed.",
        "R2: redpanda#3036",
        ("HS-5", "HS-12"),
    ),
    Bug(
        NAMES_ITSELF,
        "A member that refuses a write names itself, whoever leads.",
        "§8",
        ("HS-7",),
    ),
    Bug(
        PUBLISH_WRITTEN,
        "A leader publishes rows as soon as they are logged.",
        "V2; release notes 1.30.17",
        ("HS-12",),
    ),
    Bug(
        SUBSCRIPTIONS_SURVIVE,
        "A leader that steps down keeps its subscriptions, and goes on publishing what it applies.",
        "S4 §3.2; release notes 1.30.9, 1.30.10",
        ("HS-8",),
    ),
    Bug(
        RECORD_ON_RECEIPT,
        "A subscriber records rows before its handler has seen them.",
        "S4 §4, B9",
        ("HS-14",),
    ),
    Bug(
        RESUME_AS_ASKED,
        "A subscriber whose connection broke asks for what it asked for at first.",
        "B8",
        ("HS-13",),
    ),
    Bug(
        FAILURE_PASSED,
        "What a handler failed with is not recorded, but what comes next is handled and recorded.",
        "V21",
        ("HS-14",),
    ),
    Bug(
        RETRIES_FORGOTTEN,
        "A new leader knows no keys but those that came since it leads.",
        "R21: redpanda#3039, #5355",
        ("HS-16",),
    ),
    Bug(
        PENDING_KEYS_UNKNOWN,
        "A leader looks for a row's key among the rows of the table, but not among those that are "
        "logged and not committed yet.",
        "V7",
        ("HS-16",),
    ),
    Bug(
        DROP_KEEPS_TABLE,
        "A drop is answered once it is committed, and no member does it.",
        "S4 §2.5",
        ("HS-17", "HS-18"),
    ),
    Bug(
        BATCH_IN_PARTS,
        "Of a batch that was just applied a read shows the first half.",
        "V20",
        ("HS-4", "HS-5", "HS-11"),
    ),
    Bug(
        NO_ROLLBACK,
        "Rows of an overruled entry, written before it was committed, stay in the data file.",
        "V2, W5",
        ("HS-11", "HS-20"),
    ),
    Bug(
        REDO_EQUAL_LSN,
        "After a restart an entry is redone unless its LSN is below the data file's.",
        "S4 §4, V4",
        ("HS-9", "HS-20"),
    ),
    Bug(
        AGES_FORGOTTEN,
        "A restart forgets how old data files are, so that all are older than any retention.",
        "C2: lavinmq#1759",
        ("HS-2", "HS-21"),
    ),
)

BUGS: Mapping[str, Bug] = MappingProxyType({bug.name: bug for bug in _ALL})
"""Those of stream tables by name."""

ALL_BUGS: Mapping[str, Bug] = MappingProxyType({**BUGS, **REPLICATION_BUGS})
"""All that break a numbered promise."""


def parse(names: Iterable[str]) -> frozenset[str]:
    """The names as a set. Raises ValueError, naming those there are, for an unknown one."""
    found, known = frozenset(names), sorted({*ALL_BUGS, *USER_BUGS})
    for name in sorted(found):
        if name not in known:
            raise ValueError(f"no seeded bug '{name}'; there are {', '.join(known)}")
    return found
