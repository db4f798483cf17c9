"""Mistakes that a monitor could have, each of which the random histories must find."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from delphic.harness.checkers.monitors import (
    bitmask,
    counter,
    element_set,
    grow_set,
    jobs,
    keyed_log,
    log,
    log_poll,
    log_table,
    mutex,
    prefix,
    queue,
    register,
    register_values,
    session,
    sweep,
    zones,
)
from delphic.harness.checkers.monitors.columns import BEFORE, Columns, Flags, Ints
from delphic.harness.checkers.monitors.conclusion import Wrong
from delphic.harness.checkers.monitors.jobs import Job
from delphic.harness.checkers.monitors.register_values import Values
from delphic.harness.checkers.monitors.sweep import UNBOUNDED, Items
from delphic.harness.checkers.operations import Ambiguous, Judgement, Operation

Mistake = tuple[str, Any, str, Callable[..., Any]]
"""A specification, and the function of its monitor that is replaced."""


def only_neighbours_overlap(c: Columns, blocks: zones.Blocks) -> list[tuple[int, int]]:
    """Backward zones are forgotten."""
    is_forward = blocks.first < blocks.last
    kept = np.flatnonzero(is_forward)
    forward = zones.Blocks(blocks.key[kept], blocks.first[kept], blocks.last[kept])
    return [(int(kept[a]), int(kept[b])) for a, b in CLASHES(c, forward)]


def overlaps_are_fine(c: Columns, blocks: zones.Blocks) -> list[tuple[int, int]]:
    pairs = CLASHES(c, blocks)
    return [
        (a, b)
        for a, b in pairs
        if blocks.first[a] >= blocks.last[a] or blocks.first[b] >= blocks.last[b]
    ]


def the_initial_value_may_come_back(c: Columns, found: Values) -> tuple[Ints, Ints]:
    first, last = ZONES(c, found)
    last[found.writer == register_values.INITIAL] = BEFORE
    return first, last


def chains_have_no_order(chain: Ints, last: Ints) -> Ints:
    return np.full_like(last, BEFORE)


def open_writes_never_happened(maybe: Any, observed: set[int]) -> list[Any]:
    return []


def open_swaps_count_only_if_read(
    maybe: list[tuple[int, int, int]], observed: set[int]
) -> list[tuple[int, int, int]]:
    known = set(observed)
    return [entry for entry in HAPPENED(maybe, observed) if entry[1] in known]


def every_swap_is_its_own_chain(found: Values) -> tuple[Ints, Ints, Ints]:
    count = len(found.key)
    return np.arange(count), np.zeros(count, np.int64), np.empty(0, np.int64)


def circles_are_fine(found: Values) -> tuple[Ints, Ints, Ints]:
    chain, place, circling = CHAINS(found)
    chain[circling] = circling
    return chain, place, circling[:0]


def real_time_does_not_matter(c: Columns, found: Items) -> list[tuple[int, int]]:
    return []


def what_nobody_saw_never_happened(c: Columns, logs: log.Logs) -> Items:
    found = PLACED(c, logs)
    ends = np.array([2 * len(logs.places.get(int(key), ())) + 2 for key in c.key[found.at]])
    return _only(found, found.lo < ends)


def reads_stand_before_their_last_element(c: Columns, logs: log.Logs) -> Items:
    found = PLACED(c, logs)
    return Items(found.at, found.lo - 2 * (found.lo % 2), found.hi - 2 * (found.hi % 2))


def _only(found: Items, kept: Flags) -> Items:
    return Items(found.at[kept], found.lo[kept], found.hi[kept])


def nothing(*_: object) -> None:
    return None


def full_pages_show_the_end(*asked: Any) -> tuple[int, int]:
    low, high = SEEN(*asked)
    return (low, low or high)


def empty_polls_bound_nothing(*asked: Any) -> tuple[int, int]:
    low, high = SEEN(*asked)
    return (low, high if low else UNBOUNDED)


def holes_take_any_append(c: Columns, found: Items, of: Ints) -> Ints:
    return np.full(len(of), BEFORE, np.int64)


def appends_have_for_ever(c: Columns, found: Items, of: Ints) -> Ints:
    return np.full(len(of), UNBOUNDED, np.int64)


def equal_ends_precede(c: Columns, found: Items) -> list[tuple[int, int]]:
    return SWEEP(msgspec.structs.replace(c, inv=c.inv + 1), found)


def the_first_to_add_is_any(c: Columns, found: Items) -> list[tuple[int, int]]:
    """Of several adds of one element none has to be early."""
    hi = np.where(found.lo % 2 == 1, UNBOUNDED, found.hi)
    return SWEEP(c, Items(found.at, found.lo, hi))


def unseen_adds_never_happened(
    c: Columns, sets: grow_set.Sets, levels: dict[int, grow_set.Levels], added: Any
) -> Items:
    found = SET_PLACED(c, sets, levels, added)
    return _only(found, (found.lo % 2 == 0) | (found.hi < UNBOUNDED))


def only_the_first_add_counts(
    c: Columns, sets: grow_set.Sets, levels: dict[int, grow_set.Levels], added: Any
) -> Items:
    found = SET_PLACED(c, sets, levels, added)
    return Items(found.at, found.lo, found.lo)


def values_may_overtake(c: Columns, values: queue.Values) -> list[tuple[int, int, int]]:
    return []


def empties_are_fine(*_: object) -> list[tuple[int, int, int]]:
    return []


def open_dequeues_took_nothing(c: Columns, enqueue: Ints, dequeue: Ints, takers: Ints) -> Ints:
    return dequeue


def open_dequeues_take_whenever(c: Columns, enqueue: Ints, dequeue: Ints, takers: Ints) -> Ints:
    """The dequeues that began last take the values that came first."""
    given = GIVEN(c, enqueue, dequeue, takers)
    free = np.flatnonzero(given != dequeue)
    turned = given.copy()
    for key in np.unique(c.key[enqueue[free]]):
        mine = free[c.key[enqueue[free]] == key]
        turned[mine] = given[mine][::-1]
    return turned


def values_leave_when_the_dequeue_returns(c: Columns, queues: queue.Queues) -> queue.Values:
    values = VALUES(c, queues)
    return msgspec.structs.replace(values, left=values.left_at_last)


def increments_fit_anywhere(
    c: Columns, found: counter.Counter, values: list[int], mine: list[Job]
) -> Wrong | None:
    wide = [msgspec.structs.replace(job, lo=0, hi=UNBOUNDED) for job in mine]
    return FILLED(c, found, values, wide)


def increments_may_stand_in_no_slot(
    c: Columns, found: counter.Counter, values: list[int], mine: list[Job]
) -> Wrong | None:
    return FILLED(c, found, values, [job for job in mine if job.lo < job.hi])


def the_last_in_time_are_counted_first(
    c: Columns, found: counter.Counter, values: list[int], mine: list[Job]
) -> Wrong | None:
    """Every increment has until the latest deadline of all."""
    late = max((job.hi for job in mine if job.hi < UNBOUNDED), default=UNBOUNDED)
    return FILLED(
        c, found, values, [msgspec.structs.replace(job, hi=max(job.hi, late)) for job in mine]
    )


def losers_stand_anywhere(c: Columns, logs: Sequence[keyed_log.Keyed], sound: list[int]) -> Items:
    found = KEYED_PLACED(c, logs, sound)
    loses = (found.lo % 2 == 1) & (found.hi == UNBOUNDED)
    return Items(found.at, np.where(loses, 0, found.lo), found.hi)


def losers_stand_before_the_winner(
    c: Columns, logs: Sequence[keyed_log.Keyed], sound: list[int]
) -> Items:
    found = KEYED_PLACED(c, logs, sound)
    loses = (found.lo % 2 == 1) & (found.hi == UNBOUNDED)
    return Items(found.at, found.lo - loses, found.hi)


def holds_may_overlap(c: Columns, holds: list[mutex.Hold]) -> list[Wrong]:
    return []


def open_releases_never_happened(c: Columns, places: list[int]) -> Any:
    kept = [at for at in places if c.operations[at].f == "acquire" or c.operations[at].returned]
    return OWNED(c, kept)


def open_operations_come_first(c: Columns, places: list[int]) -> Any:
    """Those that were never answered are taken before those that have to take effect."""
    ret = np.where(c.ret == c.never, 0, c.ret)
    return ANONYMOUS(msgspec.structs.replace(c, ret=ret), places)


def open_operations_never_happened(c: Columns, places: list[int]) -> Any:
    return ANONYMOUS(c, [at for at in places if c.ret[at] < c.never])


def nothing_has_to_happen(*_: object) -> bool:
    return True


def one_write_serves_for_ever(case: element_set.Case, *, add: bool) -> element_set.Case | None:
    following = AFTER(case, add=add)
    if following is None:
        return None
    return element_set.Case(following.is_there, case.removes, case.adds)


def the_last_to_return_goes_first(case: element_set.Case, *, add: bool) -> element_set.Case | None:
    turned = element_set.Case(case.is_there, case.removes[::-1], case.adds[::-1])
    following = AFTER(turned, add=add)
    if following is None:
        return None
    return element_set.Case(following.is_there, following.removes[::-1], following.adds[::-1])


def one_case_is_as_good_as_any(cases: element_set.Cases, never: int) -> element_set.Cases:
    return dict(list(BEST(cases, never).items())[:1])


def no_findings(*_: object) -> list[Wrong]:
    return []


def sessions_owe_nothing_to_reads(own: list[Operation], owed: dict[Any, Any]) -> list[Wrong]:
    found = list(WITHIN(own, owed))
    for element, due in owed.items():
        owed[element] = msgspec.structs.replace(due, read=None)
    return found


def processes_wait_for_each_other(operations: Any, groups: Any = None) -> Columns:
    return COLUMNS(operations)


def processes_are_alone_with_a_key(operations: Any, groups: Any = None) -> Columns:
    """No operation precedes another."""
    return COLUMNS(operations, None if groups is None else range(len(operations)))


def the_last_is_the_greatest(key: Ints, value: Ints) -> Ints:
    return value


def nobody_came_before(key: Ints, value: Ints, absent: int) -> Ints:
    return np.full_like(value, absent)


def the_greatest_amount_is_not_seen(value: int) -> list[int]:
    return list(BITS(value))[:-1]


def every_amount_is_a_bit(amount: Any) -> bool:
    return True


def what_is_ambiguous_is_right(
    operations: Any, wrong: Any, ambiguous: Any, **told: Any
) -> Judgement | Ambiguous:
    return CONCLUDE(operations, [w for w in wrong if w.key not in ambiguous], {}, **told)


BITS = bitmask.bits
CONCLUDE = register.conclude
BEST = element_set._best
AFTER = element_set.Case.after
WITHIN = session._within
COLUMNS = prefix.columns
FILLED = counter._filled
KEYED_PLACED = keyed_log._placed
OWNED = mutex._owned
ANONYMOUS = mutex._anonymous
GIVEN = queue._given
VALUES = queue._values
SET_PLACED = grow_set._placed
PLACED = log.placed
SEEN = log_table.seen
SWEEP = sweep.sweep
CLASHES = zones.clashes
ZONES = register._zones
HAPPENED = register_values._happened
CHAINS = register._chains

MISTAKES: list[Mistake] = [
    ("register", register, "clashes", only_neighbours_overlap),
    ("register", register, "clashes", overlaps_are_fine),
    ("register", register, "_zones", the_initial_value_may_come_back),
    ("register", register_values, "_happened", open_writes_never_happened),
    ("register", register, "conclude", what_is_ambiguous_is_right),
    ("register", zones, "before", nobody_came_before),
    ("cas-register", register, "_running", chains_have_no_order),
    ("cas-register", register_values, "_happened", open_swaps_count_only_if_read),
    ("cas-register", register, "_chains", every_swap_is_its_own_chain),
    ("cas-register", register, "_chains", circles_are_fine),
    ("log", log, "sweep", real_time_does_not_matter),
    ("log", log, "sweep", equal_ends_precede),
    ("log", log, "placed", what_nobody_saw_never_happened),
    ("log", log, "placed", reads_stand_before_their_last_element),
    ("log", log, "_diverged", nothing),
    ("log", log, "_duplicate", nothing),
    ("log-poll", sweep, "running_max", the_last_is_the_greatest),
    ("log-poll", log_poll, "sweep", real_time_does_not_matter),
    ("log-poll", log_table, "seen", full_pages_show_the_end),
    ("log-poll", log_table, "seen", empty_polls_bound_nothing),
    ("log-poll", log_poll, "_matched", nothing),
    ("log-poll", jobs, "floors", holes_take_any_append),
    ("log-poll", jobs, "ceilings", appends_have_for_ever),
    ("log-poll", log_table, "_duplicate", nothing),
    ("set", grow_set, "sweep", real_time_does_not_matter),
    ("set", grow_set, "sweep", the_first_to_add_is_any),
    ("set", grow_set, "_placed", unseen_adds_never_happened),
    ("set", grow_set, "_placed", only_the_first_add_counts),
    ("bitmask-counter", bitmask, "bits", the_greatest_amount_is_not_seen),
    ("bitmask-counter", bitmask, "_is_bit", every_amount_is_a_bit),
    ("bitmask-counter", grow_set, "sweep", real_time_does_not_matter),
    ("bitmask-counter", grow_set, "_placed", unseen_adds_never_happened),
    ("queue", queue, "_overtaken", values_may_overtake),
    ("queue", queue, "_certainly_there", empties_are_fine),
    ("queue", queue, "_given", open_dequeues_took_nothing),
    ("queue", queue, "_given", open_dequeues_take_whenever),
    ("queue", queue, "_values", values_leave_when_the_dequeue_returns),
    ("counter", counter, "sweep", real_time_does_not_matter),
    ("counter", counter, "_filled", increments_fit_anywhere),
    ("counter", counter, "_filled", increments_may_stand_in_no_slot),
    ("counter", counter, "_filled", the_last_in_time_are_counted_first),
    ("keyed-log", keyed_log, "sweep", real_time_does_not_matter),
    ("keyed-log", keyed_log, "_placed", losers_stand_anywhere),
    ("keyed-log", keyed_log, "_placed", losers_stand_before_the_winner),
    ("keyed-log", keyed_log, "_unseen", nothing),
    ("keyed-log", keyed_log, "_seen", nothing),
    ("mutex-owned", mutex, "_together", holds_may_overlap),
    ("mutex-owned", mutex, "_owned", open_releases_never_happened),
    ("mutex", mutex, "_anonymous", open_operations_never_happened),
    ("mutex", mutex, "_anonymous", open_operations_come_first),
    ("element-set", element_set, "_has_happened", nothing_has_to_happen),
    ("element-set", element_set, "_best", one_case_is_as_good_as_any),
    ("element-set", element_set.Case, "after", one_write_serves_for_ever),
    ("element-set", element_set.Case, "after", the_last_to_return_goes_first),
    ("session", session, "_within", no_findings),
    ("session", session, "_across", no_findings),
    ("session", session, "_within", sessions_owe_nothing_to_reads),
    ("prefix-poll", log_poll, "sweep", real_time_does_not_matter),
    ("prefix-poll", log_poll, "columns", processes_wait_for_each_other),
    ("prefix-poll", log_poll, "columns", processes_are_alone_with_a_key),
    ("prefix-poll", jobs, "ceilings", appends_have_for_ever),
    ("prefix", prefix, "sweep", real_time_does_not_matter),
    ("prefix", prefix, "columns", processes_wait_for_each_other),
    ("prefix", prefix, "columns", processes_are_alone_with_a_key),
]
