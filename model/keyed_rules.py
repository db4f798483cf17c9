"""How rows with known keys are told from new ones: the bounds, the switches, and what they decide.

Every switch has the value that semantics.md V7 recommends as its default.
"""

from dataclasses import dataclass
from enum import StrEnum

from .keyed_types import Keys, Replica


class Source(StrEnum):
    """What a window is made of: the table, its rows in memory, or nothing."""

    TABLE = "table"
    MEMORY = "memory"
    NOTHING = "nothing"


class Judge(StrEnum):
    """Who drops rows: the leader, before it logs them, or each replica when it applies them."""

    LEADER = "leader"
    REPLICAS = "replicas"


class Known(StrEnum):
    """What becomes of a batch with nothing new: logged without rows, answered at once, nothing."""

    LOGGED = "logged"
    ANSWERED = "answered"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Options:
    """Bounds (how many of each), then switches.

    `batches` of each producer, with up to `batch` rows, whose keys are below `keys`. `window`: rows
    whose keys are known; 0: all.

    `pending`: rows count that are logged and not committed. `forgets`: a change of the leader ends
    the windows. `waits`: a leader first applies all that it has. `known`: what becomes of a batch
    with nothing new. `counts_dropped`: rows that are dropped move the window on, too. `first_wins`:
    within a batch, the first row of a key is the only one.
    """

    members: int = 2
    producers: int = 1
    batches: int = 2
    batch: int = 1
    keys: int = 2
    window: int = 1
    timeouts: int = 1
    changes: int = 1
    restarts: int = 1
    checkpoints: int = 1
    source: Source = Source.TABLE
    judge: Judge = Judge.LEADER
    pending: bool = True
    forgets: bool = True
    waits: bool = True
    known: Known = Known.LOGGED
    counts_dropped: bool = False
    first_wins: bool = True


def newest(options: Options, keys: Keys) -> Keys:
    """As many of the last rows as a window holds."""
    return keys[-options.window :] if options.window else keys


def fresh(keys: Keys, window: Keys, *, first_wins: bool = True) -> Keys:
    """The keys that are new (X2)."""
    found: list[int] = []
    for key in keys:
        if key not in window and not (first_wins and key in found):
            found.append(key)
    return tuple(found)


def window_of(options: Options, replica: Replica) -> Keys:
    """What a leader judges the next batch by."""
    if replica.window is not None and options.pending:
        return replica.window
    match options.source:
        case Source.TABLE:
            return newest(options, replica.rows)
        case Source.MEMORY:
            return newest(options, replica.rows[replica.loaded :])
        case Source.NOTHING:
            return ()


def screened(options: Options, replica: Replica, keys: Keys) -> tuple[Keys, Keys | None]:
    """Of a batch the rows to log, and the window behind them."""
    if options.judge is Judge.REPLICAS:
        return keys, None
    window = window_of(options, replica)
    accepted = fresh(keys, window, first_wins=options.first_wins)
    moved_by = keys if options.counts_dropped else accepted
    return accepted, newest(options, window + moved_by)


def added(options: Options, replica: Replica, keys: Keys) -> Keys:
    """The rows that a replica adds for an entry."""
    if options.judge is Judge.LEADER:
        return keys
    return fresh(keys, window_of(options, replica), first_wins=options.first_wins)
