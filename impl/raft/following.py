"""What a follower's log takes from its leader: entries (§5.3), or a snapshot instead (§7)."""

from typing import NamedTuple

from ..bugs import (
    ACK_OWN_LAST,
    ALWAYS_TRUNCATE,
    OLD_SNAPSHOT_INSTALLED,
    SNAPSHOT_KEEPS_CONFLICT,
    TRUNCATES_APPLIED,
)
from .log import Log
from .messages import AppendRequest, Entry, SnapshotRequest
from .ready import Ready


class Taken(NamedTuple):
    """What is answered: success and how far the logs are equal, or a hint where they may be."""

    success: bool
    match: int
    hint: int


def take_entries(
    log: Log, m: AppendRequest, ready: Ready, bugs: frozenset[str] = frozenset()
) -> Taken:
    """Let the log follow a request of the term's leader; `ready` gets what is to be written."""
    if not log.holds(m.prev_index, m.prev_term):
        assert m.prev_index > log.commit, "a leader contradicts what is committed"
        return Taken(False, 0, log.may_agree_until(m.prev_index, m.prev_term))
    if TRUNCATES_APPLIED in bugs:
        log.commit_to(max(log.commit, min(m.commit, log.last_index)))
    _merge(log, m, ready, bugs)
    # Only what this request showed is known to equal the leader's log, however long ours is.
    match = m.prev_index + len(m.entries)
    log.commit_to(max(log.commit, min(m.commit, match)))
    return Taken(True, log.last_index if ACK_OWN_LAST in bugs else match, 0)


def _merge(log: Log, m: AppendRequest, ready: Ready, bugs: frozenset[str]) -> None:
    """Add what is missing; only a real conflict removes entries, never a committed one."""
    first, entries = m.prev_index + 1, m.entries
    held = log.count_held(first, entries)
    if ALWAYS_TRUNCATE in bugs:
        held = min(held, max(0, log.commit + 1 - first))
    if held == len(entries):
        return
    if first + held <= log.last_index:
        ready.truncate_from = first + held
        log.truncate_from(first + held, m.term)
    add(log, entries[held:], ready)


def add(log: Log, entries: tuple[Entry, ...], ready: Ready) -> None:
    """Put entries at the end of the log."""
    assert not ready.entries
    ready.first_index = log.last_index + 1
    ready.entries = entries
    log.append(entries)


def take_snapshot(
    log: Log, m: SnapshotRequest, ready: Ready, bugs: frozenset[str] = frozenset()
) -> Taken:
    """Begin the log behind a snapshot, unless it has nothing that the log has not.

    A log that holds the snapshot's last entry holds all of them: they are committed, and what
    stands behind them may stay.
    """
    is_old = m.last_index <= log.commit
    if is_old and OLD_SNAPSHOT_INSTALLED in bugs:
        log.commit = 0
        log.install(m.terms, m.term)
        ready.base, ready.installs = m.terms, True
    elif not is_old:
        keeps = SNAPSHOT_KEEPS_CONFLICT in bugs and m.last_index <= log.last_index
        if keeps or log.holds(m.last_index, m.last_term):
            log.commit_to(m.last_index)
        else:
            log.install(m.terms, m.term)
            ready.base, ready.installs = m.terms, True
    return Taken(True, log.commit, 0)
