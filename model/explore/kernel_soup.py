"""The inner loop over a soup: every message ever sent stays deliverable."""

import numpy as np

from .facts import CHANGED, FIRST, FLAG, SENDS, SPECIAL
from .kernel import (
    BROKEN,
    MISSING,
    REFUSED,
    ROW_LIMIT,
    U0,
    U1,
    after_step,
    inline,
    jit,
    raise_flag,
    report_miss,
    room,
    special_delta,
)

U6, U40, U63 = np.uint64(6), np.uint64(40), np.uint64(63)
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_POSITION = np.zeros(64, np.int64)
for _k in range(64):
    _POSITION[((int(_DE_BRUIJN) << _k) & (2**64 - 1)) >> 58] = _k


@inline
def trailing_zeros(b):
    """The position of the lowest set bit of a non-zero word, by a de Bruijn sequence."""
    return _POSITION[((b & (~b + U1)) * _DE_BRUIJN) >> np.uint64(58)]


@jit
def expand_soup(env, rows, todo, start, out, shards, misses, deferred, flags, stat):
    """Expand rows todo[start:] until a buffer might overflow; returns where to go on.

    One loop in one function: every array is unpacked once, because a field access in the inner
    loop costs a reference count (measured: seven times slower).
    """
    loc, net, fps = rows.loc, rows.net, rows.fps
    own_start, own_count, own_results = env.own_start, env.own_count, env.own_results
    interesting, delivery = env.interesting, env.delivery
    column, message_hash, sends = env.message_column, env.message_hash, env.sends
    facts, result_delta = env.result_facts, env.result_delta
    out_fp, out_row, out_code, out_via = out.fp, out.row, out.code, out.via
    count, counted, log = out.counts, out.fired, out.log
    actors, groups, words = env.shape[0], env.shape[3], net.shape[1]
    spare = np.zeros(max(1, env.shape[1]), np.int32)
    delta = np.zeros(groups, np.uint64)
    kept = np.zeros(shards, np.int64)
    ends = np.zeros(actors, np.int64)
    for at in range(start, todo.shape[0]):
        if room(out, shards) < ROW_LIMIT:
            return at
        r = np.uint64(todo[at])
        missing = False
        n = np.uint64(0)
        for i in range(actors):
            local = np.uint64(loc[r, np.uint64(i)])
            begin = own_start[local]
            if begin < 0:
                report_miss(misses, stat, 0, local, 0)
                missing = True
            else:
                for q in range(begin, begin + own_count[local]):
                    log[n] = own_results[np.uint64(q)]
                    n += U1
            for w in range(words):
                b = net[r, np.uint64(w)] & interesting[local, np.uint64(w)]
                while b != U0:
                    m = np.uint64(w * 64) + np.uint64(trailing_zeros(b))
                    b &= b - U1
                    res = delivery[local, np.uint64(column[m])]
                    if res == -1:
                        report_miss(misses, stat, 1, local, m)
                        missing = True
                    elif res > 0:
                        log[n] = res
                        n += U1
            ends[i] = n
        for s in range(shards):
            kept[s] = count[s]
        kept_flags = stat[2]
        refused = 0
        i = 0
        for q in range(n):
            while q >= ends[i]:
                i += 1
            res = np.uint64(log[np.uint64(q)])
            bud, note = 0, 0
            if facts[res, SPECIAL] != 0:
                status, bud = after_step(env, loc, r, res, spare, misses, stat)
                if status == MISSING:
                    missing = True
                    continue
                if status == REFUSED:
                    log[np.uint64(q)] = 0
                    refused += 1
                    continue
                if facts[res, FLAG] != 0:
                    raise_flag(res, r, 0, flags, stat)
                if status == BROKEN:
                    raise_flag(res, r, 1, flags, stat)
                    continue
                note = 1
            h = result_delta[res, 0]
            changed = facts[res, CHANGED] != 0
            first = np.uint64(facts[res, FIRST])
            last = first + np.uint64(facts[res, SENDS])
            if groups == 1:
                if note != 0:
                    h += special_delta(env, loc, r, res, bud, spare, 0)
                while first < last:
                    m = np.uint64(sends[first])
                    if net[r, m >> U6] & (U1 << (m & U63)) == U0:
                        changed = True
                        h += message_hash[m, 0]
                    first += U1
                h += fps[r, 0]
            else:
                for g in range(groups):
                    delta[g] = fps[r, g] + result_delta[res, g]
                    if note != 0:
                        delta[g] += special_delta(env, loc, r, res, bud, spare, g)
                while first < last:
                    m = np.uint64(sends[first])
                    if net[r, m >> U6] & (U1 << (m & U63)) == U0:
                        changed = True
                        for g in range(groups):
                            delta[g] += message_hash[m, g]
                    first += U1
                h = delta[0]
                for g in range(1, groups):
                    h = min(h, delta[g])
            if changed:
                h = max(h, U1)
                s = np.int64((h >> U40) % np.uint64(shards)) if shards > 1 else 0
                to = count[s]
                out_fp[s, to] = h
                out_row[s, to] = r
                out_code[s, to] = res
                out_via[s, to] = i
                count[s] = to + 1
        if missing:
            for s in range(shards):
                count[s] = kept[s]
            stat[2] = kept_flags
            deferred[stat[1]] = r
            stat[1] += 1
        else:
            stat[3] += np.int64(n) - refused
            for q in range(n):
                counted[log[np.uint64(q)]] += 1
    return todo.shape[0]
