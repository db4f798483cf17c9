"""Admission: a candidate that was never seen gets an index and a row."""

import numpy as np

from .facts import FIRST, LOCAL, MESSAGE, NODE, SENDS, SPECIAL
from .kernel import (
    DROP_BASE,
    RESET_BASE,
    U0,
    U1,
    after_step,
    inline,
    jit,
    slot,
    special_delta,
    unmarked,
    unseen,
)
from .kernel_channels import queues_after


@inline
def build_soup(env, rows, r, code, nxt, to):
    """The parent's soup with what was sent."""
    for w in range(rows.net.shape[1]):
        nxt.net[to, w] = rows.net[r, w]
    first = env.result_facts[code, FIRST]
    for q in range(first, first + env.result_facts[code, SENDS]):
        m = env.sends[q]
        bit = U1 << np.uint64(m & 63)
        if nxt.net[to, m >> 6] & bit == U0:
            nxt.net[to, m >> 6] |= bit
            for g in range(env.shape[3]):
                nxt.fps[to, g] += env.message_hash[m, g]


@jit
def build_bag(env, rows, r, code, nxt, to):
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
def build_queues(env, rows, r, code, nxt, to, desk):
    """The parent's queues after the step, or with one of them emptied."""
    base = env.shape[0] + env.shape[1] + 1
    links, groups = env.shape[2], env.shape[3]
    queues = desk.queues
    if code > 0:
        queues_after(env, rows, r, code, queues, desk.misses, desk.unused)
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
def build_actor(env, rows, r, code, nxt, to, desk):
    """Write what a step changes but for the network; true where the local state differs."""
    actors, observers, groups = env.shape[0], env.shape[1], env.shape[3]
    actor, target = env.result_facts[code, NODE], env.result_facts[code, LOCAL]
    nxt.loc[to, actor] = target
    for g in range(groups):
        nxt.fps[to, g] += env.result_delta[code, g]
    if env.result_facts[code, SPECIAL] != 0:
        _, bud = after_step(env, rows.loc, r, code, desk.spare, desk.misses, desk.unused)
        for g in range(groups):
            nxt.fps[to, g] += special_delta(env, rows.loc, r, bud, desk.spare, g)
        for k in range(observers):
            nxt.loc[to, actors + k] = desk.spare[k]
        nxt.loc[to, actors + observers] = bud
    return target != rows.loc[r, actor]


@inline
def build(env, kind, rows, r, code, nxt, to, desk):
    """Write the row of a new state: its parent's row with what the move changed."""
    for c in range(rows.loc.shape[1]):
        nxt.loc[to, c] = rows.loc[r, c]
    for g in range(env.shape[3]):
        nxt.fps[to, g] = rows.fps[r, g]
    moved = code > 0 and build_actor(env, rows, r, code, nxt, to, desk)
    if kind == 0:
        build_soup(env, rows, r, code, nxt, to)
    elif kind == 1:
        build_bag(env, rows, r, code, nxt, to)
    else:
        build_queues(env, rows, r, code, nxt, to, desk)
    return moved


@inline
def note_tuple(env, store, nxt, to, tuples, stat):
    """Hand Python the local states of a row, if never seen together."""
    actors = env.shape[0]
    h = U0
    for c in range(actors):
        h += env.local_hash[nxt.loc[to, c], 0]
    if unseen(store.tuples, max(h, U1)):
        for c in range(actors):
            tuples[stat[3], c] = nxt.loc[to, c]
        tuples[stat[3], actors] = nxt.ids[to]
        stat[3] += 1


@jit
def admit(env, kind, rows, block, shard, store, nxt, tuples, desk, stat):
    """Insert one block of candidates into a shard; build rows of those never seen.

    Candidates are glanced at by the dozen: their cache misses overlap, and most of them are seen.
    Where the store has hashes, its table is a Bloom filter and takes some new states for seen.
    stat: 0 states inside, 1 states outside, 2 next rows, 3 new tuples, 4 indices given.
    """
    count, shards, glance = block.counts[shard], block.counts.shape[0], desk.glance
    hashes = store.hashes[0]
    for at in range(count):
        if at % glance.shape[0] == 0:
            for ahead in range(at, min(at + glance.shape[0], count)):
                glance[ahead - at] = store.table[slot(block.fp[shard, ahead], store.table.shape[0])]
        fp = block.fp[shard, at]
        if hashes != 0:
            if not unmarked(store.table, fp, hashes):
                continue
        elif glance[at % glance.shape[0]] == fp or not unseen(store.table, fp):
            continue
        r, code = block.row[shard, at], block.code[shard, at]
        index, to = stat[4], stat[2]
        stat[4] = index + 1
        store.parent[index] = rows.ids[r]
        store.code[index] = code
        nxt.ids[to] = index * shards + shard
        moved = build(env, kind, rows, r, code, nxt, to, desk)
        if moved and store.tuples.shape[0] > 1:
            note_tuple(env, store, nxt, to, tuples, stat)
        if moved and env.local_outside[env.result_facts[code, LOCAL]] != 0:
            stat[1] += 1
        else:
            stat[0] += 1
            stat[2] = to + 1
