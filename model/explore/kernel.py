"""The compiled primitives: tables of fingerprints, what is reported to Python, candidates.

A row is one global state: `loc` holds the ids of local states, observers, the budget and (fifo)
the queues; `net` the words of a soup or the sorted message ids of a bag; `fps` one additive
fingerprint per permutation. A successor's fingerprint is its parent's plus a delta, so a row is
built only for a state that was never seen. What the tables do not know yet is reported, and its
row put off.

Counters of one call, in `stat`: 0 misses, 1 deferred rows, 2 flags, 3 transitions, 4 losses,
5 steps of the current row (in `log`).

Kernels allocate nothing, and are compiled without reference counts: counting cost more than half
of the time (measured), as every access to a field of a record counts.
"""

import hashlib
import os
from pathlib import Path

import numba as nb
import numpy as np

from .facts import COST, NOTE

U0 = np.uint64(0)
U1 = np.uint64(1)
U32 = np.uint64(32)
OK, REFUSED, MISSING, BROKEN = 0, 1, 2, 3
DROP_BASE = -2
RESET_BASE = -(1 << 30)
ROW_LIMIT = 4096
"""More transitions than any one row has: Tables and `enabled` see to it."""

ROW_FLAGS = 2 * ROW_LIMIT
"""More flags than any one row raises: a step is flagged for what it is, and where it is refused."""

jit = nb.njit(cache=True, nogil=True, boundscheck=False, _nrt=False)
inline = nb.njit(cache=True, nogil=True, boundscheck=False, _nrt=False, forceinline=True)


def drop_stale_code() -> None:
    """Delete compiled kernels if any kernel's source changed.

    The compiler's cache looks at the file of a function, not at those of the functions it calls.
    """
    here = Path(__file__).parent
    cache = here / "__pycache__"
    if not os.access(cache, os.W_OK):
        return
    digest = hashlib.sha256()
    for source in (*sorted(here.glob("kernel*.py")), here / "facts.py"):
        digest.update(source.read_bytes())
    stamp = cache / "kernels.sha256"
    if stamp.is_file() and stamp.read_text() == digest.hexdigest():
        return
    for compiled in cache.glob("kernel*.nb?"):
        compiled.unlink(missing_ok=True)
    stamp.write_text(digest.hexdigest())


drop_stale_code()


# A table of fingerprints: open addressing, 0 marks a free place. Homes are in the order of the
# mixed fingerprints whatever the table's size, so that a longer table is filled in one sweep.


@inline
def slot(fp, size):
    """Where a fingerprint's search begins in a table of less than 2^32 places."""
    mixed = (fp ^ (fp >> U32)) * np.uint64(0x9E3779B97F4A7C15)
    return ((mixed >> U32) * np.uint64(size)) >> U32


@inline
def unseen(table, fp):
    """Insert a fingerprint; true where it was not there."""
    size = np.uint64(table.shape[0])
    p = slot(fp, size)
    while True:
        found = table[p]
        if found == fp:
            return False
        if found == U0:
            table[p] = fp
            return True
        p += U1
        if p == size:
            p = U0


@inline
def unmarked(bits, fp, hashes):
    """Set a fingerprint's bits in a Bloom filter; true where one of them was not set."""
    new = False
    h = fp
    for _ in range(hashes):
        word = slot(h, bits.shape[0])
        bit = U1 << ((h >> np.uint64(7)) & np.uint64(63))
        if bits[word] & bit == U0:
            bits[word] |= bit
            new = True
        h = h * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return new


@jit
def spread(old, new):
    """Enter every fingerprint of a table into a longer one."""
    for at in range(old.shape[0]):
        if old[at] != U0:
            unseen(new, old[at])


# What Python is told.


@inline
def report_miss(misses, stat, kind, a, b):
    """Remember what Python must decide; a full list is completed by the next try."""
    if stat[0] < misses.shape[0]:
        misses[stat[0]] = (np.int64(kind) << 60) | (np.int64(a) << 30) | np.int64(b)
        stat[0] += 1


@inline
def raise_flag(res, r, refused, flags, stat):
    """Tell Python that a step fired that breaks or reaches a property, or that was refused.

    None may be lost: a row is begun only where the list has room for ROW_FLAGS.
    """
    flags[stat[2], 0] = r
    flags[stat[2], 1] = res
    flags[stat[2], 2] = refused
    stat[2] += 1


# Budgets and observers.


@inline
def after_step(env, loc, r, res, spare, misses, stat):
    """Budget and observers after a step: status, the new budget; observers go to `spare`."""
    actors, observers = env.shape[0], env.shape[1]
    bud = loc[r, actors + observers]
    cost = env.result_facts[res, COST]
    if cost != 0:
        after = env.budget_next[bud, cost]
        if after == -2:
            return REFUSED, bud
        if after == -1:
            report_miss(misses, stat, 3, bud, cost)
            return MISSING, bud
        bud = after
    note = env.result_facts[res, NOTE]
    status = OK
    for k in range(observers):
        o = loc[r, actors + k]
        if note != 0:
            after = env.observer_next[o, note]
            if after == -1:
                report_miss(misses, stat, 2, o, note)
                status = MISSING
            elif after == -2 and status == OK:
                status = BROKEN
            o = after
        spare[k] = o
    return status, bud


@inline
def special_delta(env, loc, r, bud, spare, g):
    """What a step adds to fingerprint g by its budget and by what observers saw."""
    actors, observers = env.shape[0], env.shape[1]
    h = env.budget_hash[bud, g] - env.budget_hash[loc[r, actors + observers], g]
    for k in range(observers):
        h += env.observer_hash[spare[k], g] - env.observer_hash[loc[r, actors + k], g]
    return h


# Candidates.


@inline
def is_short(out, flags, stat):
    """Whether the candidates or the flags of one more row might not fit."""
    free = out.fp.shape[1]
    for s in range(out.counts.shape[0]):
        free = min(free, out.fp.shape[1] - out.counts[s])
    return free < ROW_LIMIT or flags.shape[0] - stat[2] < ROW_FLAGS


@inline
def put(out, fp, r, code):
    """Hand a candidate to the shard that owns its fingerprint."""
    fp = max(fp, U1)
    shards = out.counts.shape[0]
    s = np.int64((fp >> np.uint64(40)) % np.uint64(shards)) if shards > 1 else 0
    at = out.counts[s]
    out.fp[s, at] = fp
    out.row[s, at] = r
    out.code[s, at] = code
    out.counts[s] = at + 1


@inline
def keep_counts(out, kept):
    """Remember how many candidates there are."""
    for s in range(out.counts.shape[0]):
        kept[s] = out.counts[s]


@inline
def undo(out, kept):
    """Forget the candidates of a row that must be tried again."""
    for s in range(out.counts.shape[0]):
        out.counts[s] = kept[s]
