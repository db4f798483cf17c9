"""The compiled search: configurations are rows of words, remembered in a table of their hashes.

A row holds, in this order: the rank of the first operation not placed and the state; a bit for
each slot of operations that may change the state; a bit for each slot of reads; and a counter for
each class of operations of unknown outcome, with a spare bit above it. Rows that are equal in the
first two parts form a chain.

Kernels allocate nothing, and are compiled without reference counts.
"""

from collections import namedtuple

import numba as nb
import numpy as np

PAUSED, FOUND, REFUTED, FULL = range(4)
ROWS, DEPTH, BEST, CONFIGURATIONS, DOOM, COUNTERS = range(6)
"""What `stat` counts: rows remembered, depth of the path, the best rank, rows ever looked at; and
the latest return of an operation because of which a row was given up early."""

NEVER = 1 << 62

U0, U1, U32 = np.uint64(0), np.uint64(1), np.uint64(32)
LOW32 = np.uint64(0xFFFFFFFF)

Puzzle = namedtuple(
    "Puzzle",
    "after kind doubtful invoked returned word bit previous move_start moves read_start reads "
    "open_after open_start open_invoked lane_word lane_shift lane_mask guards "
    "moved_from read_from open_from ahead",
)
"""What does not change.

By rank: `kind`, `doubtful` (it may not have happened), `invoked`, `returned`, `word` and `bit`
(where in a row it is), `previous` (the last of its kind before it). `moves` and `reads` are the
windows: of rank `low` from `move_start[low]` on. By class of unknown outcome:
`open_after[class, state]`, where in `open_invoked` its operations lie, and where in a row it is
counted. `guards` are the spare bits, by word. `ahead` is the next tuple.
"""

Ahead = namedtuple(
    "Ahead",
    "group legal inside_start inside need_start need_invoked need_returned "
    "makes make_start make_invoked open_makes",
)
"""What tells early that an operation will never be placed.

Kinds that are legal in the same states are a group, `group[kind]` (-1: legal in all);
`legal[group, state]`; the groups legal in a state are `inside`, from `inside_start[state]` on. The
operations that a group needs placed are sorted by invocation, `need_returned` being the earliest
return of an operation and all behind it. `makes[group, kind]`: the kind can lead into the group's
states from outside; `make_invoked` are the invocations of such operations; `open_makes` are the
same of classes of unknown outcome.
"""

Memory = namedtuple("Memory", "rows chain parent via slots")
"""What grows: rows, the next row of the same chain, the row before and what led from it."""

Path = namedtuple("Path", "row at scratch")
"""The way to where the search is: rows, what was tried from each, and room for the next."""

jit = nb.njit(cache=True, nogil=True, boundscheck=False, _nrt=False)
inline = nb.njit(cache=True, nogil=True, boundscheck=False, _nrt=False, forceinline=True)


@jit
def windows(invoked, order, returned, wanted, start, ranks, current):
    """Write, by rank `low`, which wanted operations not below it were invoked by its return.

    `order` are ranks by invocation. With no room in `ranks`, `start` alone is written.
    """
    opened = 0
    size = 0
    total = 0
    for low in range(returned.shape[0]):
        if size and current[0] < low:
            size -= 1
            for at in range(size):
                current[at] = current[at + 1]
        while opened < order.shape[0] and invoked[order[opened]] <= returned[low]:
            rank = order[opened]
            opened += 1
            if wanted[rank]:
                at = size
                while at and current[at - 1] > rank:
                    current[at] = current[at - 1]
                    at -= 1
                current[at] = rank
                size += 1
        start[low] = total
        if ranks.shape[0]:
            for at in range(size):
                ranks[total + at] = current[at]
        total += size
    start[returned.shape[0]] = total


@inline
def copy(source, target):
    """Copy a row."""
    for word in range(source.shape[0]):
        target[word] = source[word]


@inline
def settle(puzzle, row):
    """Place all reads that are right now, and move on past what is placed."""
    low = np.int64(row[0] >> U32)
    state = np.int64(row[0] & LOW32)
    total = puzzle.returned.shape[0]
    while low < total:
        for at in range(puzzle.read_start[low], puzzle.read_start[low + 1]):
            rank = puzzle.reads[at]
            if puzzle.after[state, puzzle.kind[rank]] == state:
                row[puzzle.word[rank]] |= puzzle.bit[rank]
        if row[puzzle.word[low]] & puzzle.bit[low] == U0:
            break
        while low < total and row[puzzle.word[low]] & puzzle.bit[low] != U0:
            row[puzzle.word[low]] &= ~puzzle.bit[low]
            low += 1
    row[0] = (np.uint64(low) << U32) | np.uint64(state)
    return low


@inline
def is_first_of_its_kind(puzzle, row, low, rank):
    """Whether all operations of its kind that return before it are placed or not yet allowed."""
    other = puzzle.previous[rank]
    while other >= low:
        waits = row[puzzle.word[other]] & puzzle.bit[other] == U0
        if waits and puzzle.invoked[other] <= puzzle.returned[low]:
            return False
        other = puzzle.previous[other]
    return True


@inline
def advance(puzzle, row, at, child):
    """Make the next successor of a row in `child`, from candidate `at` on.

    Candidate 0 is to pass over the lowest operation if it is doubtful. Return the candidate after
    it and what was performed: a rank, or behind all ranks a class of unknown outcome; -1 where no
    successor is left.
    """
    low = np.int64(row[0] >> U32)
    state = np.int64(row[0] & LOW32)
    if at == 0:
        at = 1
        if puzzle.doubtful[low]:
            copy(row, child)
            child[puzzle.word[low]] |= puzzle.bit[low]
            return at, np.int64(low)
    begin = puzzle.move_start[low] - 1
    count = puzzle.move_start[low + 1] - begin
    while at < count:
        rank = puzzle.moves[begin + at]
        at += 1
        if row[puzzle.word[rank]] & puzzle.bit[rank] != U0:
            continue
        after = puzzle.after[state, puzzle.kind[rank]]
        if after >= 0 and is_first_of_its_kind(puzzle, row, low, rank):
            copy(row, child)
            child[0] = (np.uint64(low) << U32) | np.uint64(after)
            child[puzzle.word[rank]] |= puzzle.bit[rank]
            return at, rank
    total = puzzle.returned.shape[0]
    while at - count < puzzle.open_after.shape[0]:
        kind = at - count
        at += 1
        after = puzzle.open_after[kind, state]
        if after < 0:
            continue
        word, shift = puzzle.lane_word[kind], puzzle.lane_shift[kind]
        used = np.int64((row[word] >> shift) & puzzle.lane_mask[kind])
        first = puzzle.open_start[kind] + used
        if first < puzzle.open_start[kind + 1] and (
            puzzle.open_invoked[first] <= puzzle.returned[low]
        ):
            copy(row, child)
            child[0] = (np.uint64(low) << U32) | np.uint64(after)
            child[word] += U1 << shift
            return at, total + kind
    return at, np.int64(-1)


@inline
def behind(numbers, begin, end, limit):
    """Where, of sorted numbers from begin to end, the first is that is greater than the limit."""
    while begin < end:
        middle = (begin + end) // 2
        if numbers[middle] <= limit:
            begin = middle + 1
        else:
            end = middle
    return begin


@inline
def deadline(puzzle, row, low, group):
    """When the first operation of a group returns of those that are not placed, or NEVER."""
    ahead = puzzle.ahead
    found = NEVER
    for at in range(puzzle.move_start[low], puzzle.move_start[low + 1]):
        rank = puzzle.moves[at]
        waits = row[puzzle.word[rank]] & puzzle.bit[rank] == U0 and not puzzle.doubtful[rank]
        if waits and ahead.group[puzzle.kind[rank]] == group:
            found = puzzle.returned[rank]
            break
    for at in range(puzzle.read_start[low], puzzle.read_start[low + 1]):
        rank = puzzle.reads[at]
        waits = row[puzzle.word[rank]] & puzzle.bit[rank] == U0 and not puzzle.doubtful[rank]
        if waits and ahead.group[puzzle.kind[rank]] == group:
            found = min(found, puzzle.returned[rank])
            break
    end = ahead.need_start[group + 1]
    at = behind(ahead.need_invoked, ahead.need_start[group], end, puzzle.returned[low])
    return min(found, ahead.need_returned[at]) if at < end else found


@inline
def can_enter(puzzle, row, low, group, limit):
    """Whether some operation that began by the limit can still lead into the group's states."""
    ahead = puzzle.ahead
    for at in range(puzzle.move_start[low], puzzle.move_start[low + 1]):
        rank = puzzle.moves[at]
        waits = row[puzzle.word[rank]] & puzzle.bit[rank] == U0
        if waits and ahead.makes[group, puzzle.kind[rank]]:
            return True
    end = ahead.make_start[group + 1]
    at = behind(ahead.make_invoked, ahead.make_start[group], end, puzzle.returned[low])
    if at < end and ahead.make_invoked[at] <= limit:
        return True
    for kind in range(puzzle.open_after.shape[0]):
        if ahead.open_makes[group, kind]:
            word, shift = puzzle.lane_word[kind], puzzle.lane_shift[kind]
            used = np.int64((row[word] >> shift) & puzzle.lane_mask[kind])
            first = puzzle.open_start[kind] + used
            if first < puzzle.open_start[kind + 1] and puzzle.open_invoked[first] <= limit:
                return True
    return False


@inline
def doom(puzzle, row, left):
    """When an operation returns that will never be placed: by then all is lost. Or -1.

    Asked are the groups of state `left`, which was left for that of the row (-1: all groups).
    """
    ahead = puzzle.ahead
    low = np.int64(row[0] >> U32)
    state = np.int64(row[0] & LOW32)
    begin, end = np.int64(0), np.int64(ahead.legal.shape[0])
    if left >= 0:
        begin, end = ahead.inside_start[left], ahead.inside_start[left + 1]
    for at in range(begin, end):
        group = ahead.inside[at] if left >= 0 else at
        if not ahead.legal[group, state]:
            limit = deadline(puzzle, row, low, group)
            if limit != NEVER and not can_enter(puzzle, row, low, group, limit):
                return limit
    return np.int64(-1)


@inline
def hashed(puzzle, row):
    """A hash of what two rows of one chain share."""
    h = row[0] * np.uint64(0x9E3779B97F4A7C15)
    for word in range(puzzle.moved_from, puzzle.read_from):
        h = (h ^ (h >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) + row[word]
    h = (h ^ (h >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(29))


@inline
def find(puzzle, memory, row):
    """The slot of the row's chain, or the free one where it would begin."""
    mask = np.uint64(memory.slots.shape[0] - 1)
    slot = hashed(puzzle, row) & mask
    while True:
        head = memory.slots[slot] - 1
        if head < 0:
            return slot
        same = True
        for word in range(puzzle.read_from):
            same &= memory.rows[head, word] == row[word]
        if same:
            return slot
        slot = (slot + U1) & mask


@inline
def is_as_good(puzzle, old, new):
    """Whether `old` has placed all reads that `new` has, and used no more of unknown outcome."""
    for word in range(puzzle.read_from, puzzle.open_from):
        if new[word] & ~old[word] != U0:
            return False
    for word in range(puzzle.open_from, new.shape[0]):
        guard = puzzle.guards[word]
        if ((new[word] | guard) - old[word]) & guard != guard:
            return False
    return True


@inline
def remember(puzzle, memory, stat, row, parent, via):
    """Enter a row, unless one as good is known; return its number, or -1."""
    slot = find(puzzle, memory, row)
    head = memory.slots[slot] - 1
    at = head
    while at >= 0:
        if is_as_good(puzzle, memory.rows[at], row):
            return np.int64(-1)
        at = memory.chain[at]
    number = stat[ROWS]
    stat[ROWS] += 1
    copy(row, memory.rows[number])
    memory.chain[number] = head
    memory.parent[number] = parent
    memory.via[number] = via
    memory.slots[slot] = number + 1
    return number


@jit
def rehash(puzzle, memory, count):
    """Enter all rows anew into the slots, which are free."""
    mask = np.uint64(memory.slots.shape[0] - 1)
    for number in range(count):
        # A younger row of a chain comes before the older ones: the youngest is to be its head.
        slot = find(puzzle, memory, memory.rows[number])
        memory.chain[number] = memory.slots[slot] - 1
        memory.slots[slot] = number + 1
    return mask


@jit
def begin(puzzle, memory, path, stat, state):
    """Put the configuration at the beginning on the path, unless one as good is known."""
    for word in range(path.scratch.shape[0]):
        path.scratch[word] = U0
    path.scratch[0] = np.uint64(state)
    stat[BEST] = max(stat[BEST], settle(puzzle, path.scratch))
    number = np.int64(-1)
    lost = np.int64(-1)
    if stat[BEST] < puzzle.returned.shape[0]:
        lost = doom(puzzle, path.scratch, -1)
        stat[DOOM] = max(stat[DOOM], lost)
    if lost < 0:
        number = remember(puzzle, memory, stat, path.scratch, -1, -1)
    path.row[0] = number
    path.at[0] = 0
    stat[DEPTH] = number >= 0
    stat[CONFIGURATIONS] += 1


@jit
def run(puzzle, memory, path, stat, steps):
    """Search on for so many configurations, as long as there is room for rows."""
    total = puzzle.returned.shape[0]
    room = memory.rows.shape[0]
    child = path.scratch
    if stat[BEST] == total:
        return FOUND
    stop = stat[CONFIGURATIONS] + steps
    while stat[CONFIGURATIONS] < stop:
        if stat[ROWS] >= room:
            return FULL
        depth = stat[DEPTH]
        if depth == 0:
            return REFUTED
        row = path.row[depth - 1]
        at, via = advance(puzzle, memory.rows[row], path.at[depth - 1], child)
        path.at[depth - 1] = at
        if via < 0:
            stat[DEPTH] -= 1
            continue
        stat[CONFIGURATIONS] += 1
        low = settle(puzzle, child)
        stat[BEST] = max(stat[BEST], low)
        if low < total:
            lost = doom(puzzle, child, np.int64(memory.rows[row, 0] & LOW32))
            if lost >= 0:
                stat[DOOM] = max(stat[DOOM], lost)
                continue
        number = remember(puzzle, memory, stat, child, row, via)
        if low == total:
            return FOUND
        if number >= 0:
            path.row[depth] = number
            path.at[depth] = 0
            stat[DEPTH] += 1
    return PAUSED
