"""Admission: a candidate that was never seen gets an index and a row."""

import numpy as np

from .facts import FIRST, LOCAL, MESSAGE, SENDS
from .kernel import (
    DROP_BASE,
    RESET_BASE,
    U0,
    U1,
    after_step,
    inline,
    jit,
    special_delta,
    unseen,
)
from .kernel_channels import queues_after


@inline
def build_soup(env, rows, r, code, nxt, to):
    """The parent's soup with what was sent."""
    for w in range(rows.net.shape[1]):
        nxt.net[to, w] = rows.net[r, w]
    if code < 0:
        return
    first = env.result_facts[code, FIRST]
    for q in range(first, first + env.result_facts[code, SENDS]):
        m = env.sends[q]
        bit = U1 << np.uint64(m & 63)
        if nxt.net[to, m >> 6] & bit == U0:
            nxt.net[to, m >> 6] |= bit
            for g in range(env.shape[3]):
                nxt.fps[to, g] += env.message_hash[m, g]


@jit
def build_bag(env, rows, r, i, code, nxt, to):
    """The parent's bag without the message taken or lost, with those sent, sorted."""
    size = env.shape[4]
    gone = DROP_BASE - code if code < 0 else env.result_facts[code, MESSAGE]
    n = 0
    taken = False
    for at in range(size):
        word = rows.net[r, at]
        if word == U0:
            break
        if not taken and np.int64(word) - 1 == gone:
            taken = True
            continue
        nxt.net[to, n] = word
        n += 1
    if taken:
        for g in range(env.shape[3]):
            nxt.fps[to, g] -= env.message_hash[gone, g]
    if code > 0:
        first = env.result_facts[code, FIRST]
        for q in range(first, first + env.result_facts[code, SENDS]):
            m = env.sends[q]
            for g in range(env.shape[3]):
                nxt.fps[to, g] += env.message_hash[m, g]
            at = n
            while at > 0 and np.int64(nxt.net[to, at - 1]) > m + 1:
                nxt.net[to, at] = nxt.net[to, at - 1]
                at -= 1
            nxt.net[to, at] = np.uint64(m + 1)
            n += 1
    for at in range(n, size):
        nxt.net[to, at] = U0


@jit
def build_queues(env, rows, r, i, code, nxt, to):
    """The parent's queues after the step, or with one of them emptied."""
    base = env.shape[0] + env.shape[1] + 1
    links, groups = env.shape[2], env.shape[3]
    queues = np.zeros(links, np.int32)
    if code > 0:
        queues_after(env, rows, r, code, queues, np.zeros(1, np.int64), np.zeros(8, np.int64))
    else:
        for q in range(links):
            queues[q] = rows.loc[r, base + q]
        queues[RESET_BASE - code] = env.queue_empty[RESET_BASE - code]
    for q in range(links):
        old = rows.loc[r, base + q]
        nxt.loc[to, base + q] = queues[q]
        if queues[q] != old:
            for g in range(groups):
                nxt.fps[to, g] += env.queue_hash[queues[q], g] - env.queue_hash[old, g]


@inline
def build(env, kind, rows, r, i, code, nxt, to, spare, misses, unused):
    """Write the row of a new state: its parent's row with what the move changed."""
    actors, observers, groups = env.shape[0], env.shape[1], env.shape[3]
    for c in range(rows.loc.shape[1]):
        nxt.loc[to, c] = rows.loc[r, c]
    for g in range(groups):
        nxt.fps[to, g] = rows.fps[r, g]
    if code > 0:
        _, bud = after_step(env, rows.loc, r, code, spare, misses, unused)
        for g in range(groups):
            nxt.fps[to, g] += env.result_delta[code, g] + special_delta(
                env, rows.loc, r, code, bud, spare, g
            )
        nxt.loc[to, i] = env.result_facts[code, LOCAL]
        nxt.loc[to, actors + observers] = bud
        for k in range(observers):
            nxt.loc[to, actors + k] = spare[k]
    if kind == 0:
        build_soup(env, rows, r, code, nxt, to)
    elif kind == 1:
        build_bag(env, rows, r, i, code, nxt, to)
    else:
        build_queues(env, rows, r, i, code, nxt, to)


@jit
def admit(env, kind, rows, block, shard, shards, store, nxt, tuples, stat):
    """Insert one block of candidates into a shard; build rows of those never seen.

    stat: 0 states inside, 1 states outside, 2 next rows, 3 new tuples, 4 indices given.
    """
    actors = env.shape[0]
    spare = np.zeros(max(1, env.shape[1]), np.int32)
    misses = np.zeros(1, np.int64)
    unused = np.zeros(8, np.int64)
    count = block.counts[shard]
    for at in range(count):
        fp = block.fp[shard, at]
        if not unseen(store.table, fp):
            continue
        r, code, i = block.row[shard, at], block.code[shard, at], block.via[shard, at]
        index = stat[4]
        stat[4] = index + 1
        store.parent[index] = rows.ids[r]
        store.code[index] = code
        outside = code > 0 and env.local_outside[env.result_facts[code, LOCAL]] != 0
        to = stat[2]
        build(env, kind, rows, r, i, code, nxt, to, spare, misses, unused)
        nxt.ids[to] = index * shards + shard
        if store.tuples.shape[0] > 1 and code > 0:
            key = U0
            for c in range(actors):
                key += env.local_hash[nxt.loc[to, c], 0]
            if key == U0:
                key = U1
            if unseen(store.tuples, key):
                for c in range(actors):
                    tuples[stat[3], c] = nxt.loc[to, c]
                tuples[stat[3], actors] = nxt.ids[to]
                stat[3] += 1
        if outside:
            stat[1] += 1
        else:
            stat[0] += 1
            stat[2] = to + 1
