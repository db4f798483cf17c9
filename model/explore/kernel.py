"""The compiled inner loops: expand rows by table look-up, admit what is new.

A row is one global state: `loc` holds the ids of local states, observers, the budget and (fifo)
the queues; `net` the words of a soup or the sorted message ids of a bag; `fps` one additive
fingerprint per permutation. A successor's fingerprint is its parent's plus a delta, so a row is
built only for a state that was never seen. What the tables do not know yet is reported, and its
row put off.

Counters of one call, in `stat`: 0 misses, 1 deferred rows, 2 flags, 3 transitions, 4 losses,
5 steps of the current row (in `log`).
"""

import numba as nb
import numpy as np

from .facts import COST, NOTE

U0 = np.uint64(0)
U1 = np.uint64(1)
OK, REFUSED, MISSING, BROKEN = 0, 1, 2, 3
DROP_BASE = -2
RESET_BASE = -(1 << 30)
ROW_LIMIT = 4096
"""More transitions than any one row may have."""

jit = nb.njit(cache=True, nogil=True, boundscheck=False)
inline = nb.njit(cache=True, nogil=True, boundscheck=False, inline="always")


@inline
def slot(fp, mask):
    """Where a fingerprint's search in the table begins."""
    return (((fp ^ (fp >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & mask


@inline
def report_miss(misses, stat, kind, a, b):
    """Remember what Python must decide; a full list is completed by the next try."""
    if stat[0] < misses.shape[0]:
        misses[stat[0]] = (np.int64(kind) << 60) | (np.int64(a) << 30) | np.int64(b)
        stat[0] += 1


@jit
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


@jit
def special_delta(env, loc, r, res, bud, spare, g):
    """What a step adds to fingerprint g by its budget and by what observers saw."""
    actors, observers = env.shape[0], env.shape[1]
    h = U0
    old = loc[r, actors + observers]
    if bud != old:
        h += env.budget_hash[bud, g] - env.budget_hash[old, g]
    if env.result_facts[res, NOTE] != 0:
        for k in range(observers):
            h += env.observer_hash[spare[k], g] - env.observer_hash[loc[r, actors + k], g]
    return h


@inline
def put(out, shards, fp, r, code, via):
    """Hand a candidate to the shard that owns its fingerprint."""
    fp = max(fp, U1)
    s = np.int64((fp >> np.uint64(40)) % np.uint64(shards)) if shards > 1 else 0
    at = out.counts[s]
    out.fp[s, at] = fp
    out.row[s, at] = r
    out.code[s, at] = code
    out.via[s, at] = via
    out.counts[s] = at + 1


@jit
def least(delta, fps, r):
    """The canonical fingerprint: the least over all permutations."""
    best = fps[r, 0] + delta[0]
    for g in range(1, fps.shape[1]):
        best = min(best, fps[r, g] + delta[g])
    return best


@jit
def raise_flag(res, r, refused, flags, stat):
    """Tell Python that a step fired that breaks or reaches a property, or that was refused."""
    if stat[2] < flags.shape[0]:
        flags[stat[2], 0] = r
        flags[stat[2], 1] = res
        flags[stat[2], 2] = refused
        stat[2] += 1


@inline
def room(out, shards):
    """Free places in the fullest buffer."""
    free = out.fp.shape[1]
    for s in range(shards):
        free = min(free, out.fp.shape[1] - out.counts[s])
    return free


@inline
def undo(out, kept, shards):
    """Forget the candidates of a row that must be tried again."""
    for s in range(shards):
        out.counts[s] = kept[s]


@jit
def rehash(old, new):
    """Move every fingerprint into a larger table."""
    mask = np.uint64(new.shape[0] - 1)
    for at in range(old.shape[0]):
        fp = old[at]
        if fp != U0:
            p = slot(fp, mask)
            while new[p] != U0:
                p = (p + U1) & mask
            new[p] = fp


@inline
def unseen(table, fp):
    """Insert a fingerprint; true where it was not there."""
    mask = np.uint64(table.shape[0] - 1)
    p = slot(fp, mask)
    while True:
        found = table[p]
        if found == fp:
            return False
        if found == U0:
            table[p] = fp
            return True
        p = (p + U1) & mask
