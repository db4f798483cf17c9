"""The inner loop over a soup: every message ever sent stays deliverable."""

import numpy as np

from .facts import FLAG
from .kernel import (
    BROKEN,
    MISSING,
    REFUSED,
    ROW_LIMIT,
    after_step,
    inline,
    is_short,
    jit,
    keep_counts,
    put,
    raise_flag,
    special_delta,
    undo,
)
from .kernel_memo import (
    ENTRIES,
    MOVES,
    MOVES_END,
    PLAINS,
    SPECIALS,
    STEPS,
    STEPS_END,
    STEPS_USED,
    describe,
    find,
    work_out,
)

U20 = np.uint64(20)


@inline
def is_full(memo, actors):
    """Whether the situations of one more row might not fit."""
    return (
        memo.used[ENTRIES] + actors > memo.keys.shape[0]
        or memo.used[MOVES] + ROW_LIMIT > memo.moves.shape[0]
        or memo.used[STEPS_USED] + ROW_LIMIT > memo.steps.shape[0]
    )


@inline
def look_up(env, rows, r, memo, desk, out, misses, stat):
    """The situations of row r, into `found`: how many special moves, or -1: something missed."""
    specials = 0
    for i in range(env.shape[0]):
        local = rows.loc[r, i]
        h = describe(env, rows.net, r, local, desk.key)
        s = find(memo, desk.key, h)
        if s < 0:
            s = work_out(env, rows.net, r, desk.key, h, memo, out.log, misses, stat)
        desk.found[i] = s
        if s < 0:
            specials = -1
        elif specials >= 0:
            specials += memo.spans[s, PLAINS] - memo.spans[s, SPECIALS]
    return specials


@inline
def fire_specials(env, rows, r, memo, desk, out, misses, flags, stat):
    """Hand on the moves that draw on a budget or tell observers; false where something missed."""
    complete = True
    kept_flags, fired = stat[2], stat[3]
    keep_counts(out, desk.kept)
    for i in range(env.shape[0]):
        s = desk.found[i]
        for q in range(memo.spans[s, SPECIALS], memo.spans[s, PLAINS]):
            res = memo.moves[q]
            status, bud = after_step(env, rows.loc, r, res, desk.spare, misses, stat)
            if status == REFUSED:
                continue
            if status == MISSING:
                complete = False
                continue
            out.log[stat[3] - fired] = res
            stat[3] += 1
            if env.result_facts[res, FLAG] != 0:
                raise_flag(res, r, 0, flags, stat)
            if status == BROKEN:
                raise_flag(res, r, 1, flags, stat)
                continue
            fp = ~np.uint64(0)
            for g in range(env.shape[3]):
                more = special_delta(env, rows.loc, r, bud, desk.spare, g)
                fp = min(fp, rows.fps[r, g] + memo.deltas[q, g] + more)
            put(out, fp, r, res)
    if complete:
        for q in range(stat[3] - fired):
            out.fired[out.log[q]] += 1
    else:
        undo(out, desk.kept)
        stat[2], stat[3] = kept_flags, fired
    return complete


@inline
def fire_plains(env, rows, r, memo, desk, out, stat):
    """Hand on all other moves, but for candidates that were handed on lately."""
    for i in range(env.shape[0]):
        s = desk.found[i]
        memo.uses[s] += 1
        stat[3] += memo.spans[s, STEPS_END] - memo.spans[s, STEPS]
        for q in range(memo.spans[s, PLAINS], memo.spans[s, MOVES_END]):
            fp = rows.fps[r, 0] + memo.deltas[q, 0]
            for g in range(1, env.shape[3]):
                fp = min(fp, rows.fps[r, g] + memo.deltas[q, g])
            p = (fp >> U20) & np.uint64(desk.recent.shape[0] - 1)
            if desk.recent[p] != fp:
                desk.recent[p] = fp
                put(out, fp, r, memo.moves[q])


@jit
def expand_soup(env, rows, todo, start, out, memo, desk, misses, deferred, flags, stat):
    """Expand rows todo[start:] until something might overflow; returns where to go on."""
    for at in range(start, todo.shape[0]):
        if is_short(out, flags, stat) or is_full(memo, env.shape[0]):
            return at
        r = todo[at]
        specials = look_up(env, rows, r, memo, desk, out, misses, stat)
        complete = specials >= 0
        if specials > 0:
            complete = fire_specials(env, rows, r, memo, desk, out, misses, flags, stat)
        if complete:
            fire_plains(env, rows, r, memo, desk, out, stat)
        else:
            deferred[stat[1]] = r
            stat[1] += 1
    return todo.shape[0]
