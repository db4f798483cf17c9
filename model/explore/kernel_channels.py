"""The inner loops over networks that hold messages one by one: a bag, or queues."""

import numpy as np

from .facts import FIRST, FLAG, MESSAGE, SENDS
from .kernel import (
    BROKEN,
    DROP_BASE,
    MISSING,
    OK,
    REFUSED,
    RESET_BASE,
    U0,
    after_step,
    inline,
    is_short,
    jit,
    keep_counts,
    put,
    raise_flag,
    report_miss,
    special_delta,
    undo,
)


@inline
def offer(env, rows, r, delta, out, code):
    """Hand on a candidate under its canonical fingerprint: the least over all permutations."""
    fp = rows.fps[r, 0] + delta[0]
    for g in range(1, env.shape[3]):
        fp = min(fp, rows.fps[r, g] + delta[g])
    put(out, fp, r, code)


@inline
def log_step(env, res, r, out, flags, stat):
    """Note a step of the current row, and tell Python where it breaks or reaches a property."""
    stat[3] += 1
    out.log[stat[5]] = res
    stat[5] += 1
    if env.result_facts[res, FLAG] != 0:
        raise_flag(res, r, 0, flags, stat)


@jit
def fire_bag(env, rows, r, res, m, held, out, desk, misses, flags, stat):
    """One step over a bag; `m` is the message it takes away, or -1. True where something missed."""
    sends = env.result_facts[res, SENDS]
    if held - (m >= 0) + sends > env.shape[4]:
        return False
    status, bud = after_step(env, rows.loc, r, res, desk.spare, misses, stat)
    if status == REFUSED:
        return False
    if status == MISSING:
        return True
    log_step(env, res, r, out, flags, stat)
    if status == BROKEN:
        raise_flag(res, r, 1, flags, stat)
        return False
    first, delta = env.result_facts[res, FIRST], desk.delta
    for g in range(env.shape[3]):
        delta[g] = env.result_delta[res, g] + special_delta(env, rows.loc, r, bud, desk.spare, g)
        if m >= 0:
            delta[g] -= env.message_hash[m, g]
        for q in range(first, first + sends):
            delta[g] += env.message_hash[env.sends[q], g]
    offer(env, rows, r, delta, out, res)
    return False


@jit
def bag_row(env, rows, r, out, desk, misses, flags, stat):
    """Everything that may follow one row over a bag; true where something missed."""
    size, delta = env.shape[4], desk.delta
    held = 0
    while held < size and rows.net[r, held] != 0:
        held += 1
    missing = False
    for i in range(env.shape[0]):
        local = rows.loc[r, i]
        begin = env.own_start[local]
        if begin < 0:
            report_miss(misses, stat, 0, local, 0)
            missing = True
            continue
        for q in range(begin, begin + env.own_count[local]):
            missing |= fire_bag(
                env, rows, r, env.own_results[q], -1, held, out, desk, misses, flags, stat
            )
    for at in range(held):
        if at > 0 and rows.net[r, at] == rows.net[r, at - 1]:
            continue
        m = np.int64(rows.net[r, at]) - 1
        local = rows.loc[r, env.message_dst[m]]
        res = env.delivery[local, env.message_column[m]]
        if res == -1:
            report_miss(misses, stat, 1, local, m)
            missing = True
        elif res > 0:
            missing |= fire_bag(env, rows, r, res, m, held, out, desk, misses, flags, stat)
        stat[3] += 1
        stat[4] += 1
        for g in range(env.shape[3]):
            delta[g] = U0 - env.message_hash[m, g]
        offer(env, rows, r, delta, out, DROP_BASE - m)
    return missing


@jit
def queues_after(env, rows, r, res, queues, misses, stat):
    """Queues after a step takes its message and sends its own: OK, REFUSED (full) or MISSING."""
    base = env.shape[0] + env.shape[1] + 1
    for q in range(env.shape[2]):
        queues[q] = rows.loc[r, base + q]
    m = env.result_facts[res, MESSAGE]
    if m >= 0:
        link = env.message_link[m]
        queues[link] = env.queue_rest[queues[link]]
    first = env.result_facts[res, FIRST]
    for q in range(first, first + env.result_facts[res, SENDS]):
        m = env.sends[q]
        link = env.message_link[m]
        after = env.queue_push[queues[link], m]
        if after == -1:
            report_miss(misses, stat, 4, queues[link], m)
            return MISSING
        if after == -2:
            return REFUSED
        queues[link] = after
    return OK


@jit
def fire_queues(env, rows, r, res, out, desk, misses, flags, stat):
    """One step over queues; true where something missed."""
    status, bud = after_step(env, rows.loc, r, res, desk.spare, misses, stat)
    if status == REFUSED:
        return False
    if status == MISSING:
        return True
    queues, delta = desk.queues, desk.delta
    sent = queues_after(env, rows, r, res, queues, misses, stat)
    if sent == REFUSED:
        return False
    if sent == MISSING:
        return True
    log_step(env, res, r, out, flags, stat)
    if status == BROKEN:
        raise_flag(res, r, 1, flags, stat)
        return False
    base = env.shape[0] + env.shape[1] + 1
    for g in range(env.shape[3]):
        delta[g] = env.result_delta[res, g] + special_delta(env, rows.loc, r, bud, desk.spare, g)
        for q in range(env.shape[2]):
            old = rows.loc[r, base + q]
            if queues[q] != old:
                delta[g] += env.queue_hash[queues[q], g] - env.queue_hash[old, g]
    offer(env, rows, r, delta, out, res)
    return False


@jit
def queue_row(env, rows, r, out, desk, misses, flags, stat):
    """Everything that may follow one row over queues; true where something missed."""
    missing = False
    for i in range(env.shape[0]):
        local = rows.loc[r, i]
        begin = env.own_start[local]
        if begin < 0:
            report_miss(misses, stat, 0, local, 0)
            missing = True
            continue
        for q in range(begin, begin + env.own_count[local]):
            missing |= fire_queues(env, rows, r, env.own_results[q], out, desk, misses, flags, stat)
    base, delta = env.shape[0] + env.shape[1] + 1, desk.delta
    for link in range(env.shape[2]):
        queue = rows.loc[r, base + link]
        m = env.queue_head[queue]
        if m < 0:
            continue
        local = rows.loc[r, env.message_dst[m]]
        res = env.delivery[local, env.message_column[m]]
        if res == -1:
            report_miss(misses, stat, 1, local, m)
            missing = True
        else:
            missing |= fire_queues(env, rows, r, res, out, desk, misses, flags, stat)
        stat[3] += 1
        stat[4] += 1
        for g in range(env.shape[3]):
            delta[g] = U0 - env.queue_hash[queue, g]
        offer(env, rows, r, delta, out, RESET_BASE - link)
    return missing


@jit
def expand_held(env, rows, todo, start, out, desk, misses, deferred, flags, stat):
    """As `expand_soup`, for a bag (queue links = 0) or queues."""
    for at in range(start, todo.shape[0]):
        if is_short(out, flags, stat):
            return at
        r = todo[at]
        keep_counts(out, desk.kept)
        kept_flags, kept_transitions, kept_losses = stat[2], stat[3], stat[4]
        stat[5] = 0
        if env.shape[2] == 0:
            missing = bag_row(env, rows, r, out, desk, misses, flags, stat)
        else:
            missing = queue_row(env, rows, r, out, desk, misses, flags, stat)
        if missing:
            undo(out, desk.kept)
            stat[2], stat[3], stat[4] = kept_flags, kept_transitions, kept_losses
            deferred[stat[1]] = r
            stat[1] += 1
        else:
            for q in range(stat[5]):
                out.fired[out.log[q]] += 1
    return todo.shape[0]
