"""Situations: what an actor can do depends on its state and on the messages that concern it.

A soup holds dozens of messages, and few of them concern an actor in its present state: those that
it does not ignore, and those that its steps send (sent again, they change nothing). Its state and
the presence of these is its *situation*. Situations are few: thousands, where global states are
millions. So each is worked out once, as a list of moves with what they add to a fingerprint; to
expand a row is to look up one situation an actor.

What is known of a situation stays true: a message that the tables learn of later was absent from
it, and a step that they learn of later takes such a message, or the situation was put off.
"""

import numpy as np

from .facts import CHANGED, FIRST, SENDS, SPECIAL
from .kernel import ROW_LIMIT, U0, U1, inline, jit, report_miss, slot

U6, U29, U58, U63 = np.uint64(6), np.uint64(29), np.uint64(58), np.uint64(63)
SPECIALS, PLAINS, MOVES_END, STEPS, STEPS_END = range(5)
"""Columns of `spans`: where a situation's special moves, plain moves and steps lie."""

ENTRIES, MOVES, STEPS_USED = range(3)
"""What `used` counts."""

_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_POSITION = np.zeros(64, np.int64)
for _k in range(64):
    _POSITION[((int(_DE_BRUIJN) << _k) & (2**64 - 1)) >> 58] = _k


@inline
def trailing_zeros(b):
    """The position of the lowest set bit of a non-zero word, by a de Bruijn sequence."""
    return _POSITION[((b & (~b + U1)) * _DE_BRUIJN) >> U58]


@inline
def describe(env, net, r, local, key):
    """The situation of an actor in state `local` in row r, as words; returns their hash."""
    key[0] = local
    h = key[0] * np.uint64(0x9E3779B97F4A7C15)
    for w in range(net.shape[1]):
        word = net[r, w] & (env.interesting[local, w] | env.sent[local, w])
        key[1 + w] = word
        h = (h ^ (h >> U29)) * np.uint64(0xBF58476D1CE4E5B9) + word
    return h


@inline
def find(memo, key, h):
    """The number of a situation, or -1."""
    size = np.uint64(memo.slots.shape[0])
    p = slot(h, size)
    while True:
        at = memo.slots[p] - 1
        if at < 0:
            return at
        same = True
        for w in range(key.shape[0]):
            same &= memo.keys[at, w] == key[w]
        if same:
            return at
        p += U1
        if p == size:
            p = U0


@jit
def take_uses(memo, fired):
    """Add to `fired` how often the steps of situations fired since the last time."""
    for at in range(memo.used[ENTRIES]):
        for q in range(memo.spans[at, STEPS], memo.spans[at, STEPS_END]):
            fired[memo.steps[q]] += memo.uses[at]
        memo.uses[at] = 0


@jit
def enabled(env, net, r, local, steps, misses, stat):
    """All steps of an actor in row r, into `steps`: their number, or -1 where one is unknown.

    Also where they are more than an actor's part of a row: Tables then raise TooManyMoves.
    """
    most = ROW_LIMIT // env.shape[0]
    begin = env.own_start[local]
    missing = begin < 0
    if missing:
        report_miss(misses, stat, 0, local, 0)
    n = 0
    for q in range(begin, begin + env.own_count[local]):
        steps[n] = env.own_results[q]
        n += 1
    for w in range(net.shape[1]):
        b = net[r, w] & env.interesting[local, w]
        while b != U0:
            m = w * 64 + trailing_zeros(b)
            b &= b - U1
            res = env.delivery[local, env.message_column[m]]
            if res == -1:
                report_miss(misses, stat, 1, local, m)
                missing = True
            elif res > 0:
                if n == most:
                    report_miss(misses, stat, 5, local, 0)
                    return -1
                steps[n] = res
                n += 1
    return -1 if missing else n


@jit
def add_move(env, net, r, res, memo):
    """Enter a move with what it adds to each fingerprint, unless it changes nothing."""
    at = memo.used[MOVES]
    changed = env.result_facts[res, CHANGED] != 0
    for g in range(env.shape[3]):
        memo.deltas[at, g] = env.result_delta[res, g]
    first = env.result_facts[res, FIRST]
    for q in range(first, first + env.result_facts[res, SENDS]):
        m = np.uint64(env.sends[q])
        if net[r, m >> U6] & (U1 << (m & U63)) == U0:
            changed = True
            for g in range(env.shape[3]):
                memo.deltas[at, g] += env.message_hash[m, g]
    if changed:
        memo.moves[at] = res
        memo.used[MOVES] = at + 1


@jit
def work_out(env, net, r, key, h, memo, steps, misses, stat):
    """Enter the situation `key`, seen in row r: its number, or -1 where a step is unknown."""
    n = enabled(env, net, r, np.int64(key[0]), steps, misses, stat)
    if n < 0:
        return -1
    at, used = memo.used[ENTRIES], memo.used
    memo.spans[at, SPECIALS] = used[MOVES]
    for q in range(n):
        if env.result_facts[steps[q], SPECIAL] != 0:
            add_move(env, net, r, steps[q], memo)
    memo.spans[at, PLAINS] = used[MOVES]
    memo.spans[at, STEPS] = used[STEPS_USED]
    for q in range(n):
        if env.result_facts[steps[q], SPECIAL] == 0:
            add_move(env, net, r, steps[q], memo)
            memo.steps[used[STEPS_USED]] = steps[q]
            used[STEPS_USED] += 1
    memo.spans[at, MOVES_END] = used[MOVES]
    memo.spans[at, STEPS_END] = used[STEPS_USED]
    memo.uses[at] = 0
    for w in range(key.shape[0]):
        memo.keys[at, w] = key[w]
    size = np.uint64(memo.slots.shape[0])
    p = slot(h, size)
    while memo.slots[p] != 0:
        p += U1
        if p == size:
            p = U0
    memo.slots[p] = at + 1
    used[ENTRIES] = at + 1
    return at
