"""The arrays that the compiled kernel reads, and how they grow."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .canonical import MASK
from .facts import WIDTH

U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

UNKNOWN = -1
REFUSED = -2
DISABLED = 0

MISS_INTERNAL = 0
MISS_DELIVERY = 1
MISS_OBSERVER = 2
MISS_BUDGET = 3
MISS_PUSH = 4
MISS_MANY = 5

BAD = 1
HIT = 2


class Arrays(NamedTuple):
    """What the kernel sees. First dimensions are capacities; ids index them.

    local_*: per local state. message_*: per message. result_*: per (local state, event) that is
    enabled; result 0 means disabled. hash_*: [id, permutation], uint64, additive.
    """

    shape: npt.NDArray[np.int64]  # actors, observers, links, permutations, bag or queue size
    local_hash: U64
    local_outside: U8
    own_start: I32
    own_count: I32
    own_results: I32
    interesting: U64  # [local, word]: messages that are unknown or enabled there
    sent: U64  # [local, word]: messages that some step out of it sends
    delivery: I32  # [local, column of message]
    message_hash: U64
    message_dst: I32
    message_column: I32
    message_link: I32
    result_facts: I32  # [step, column], see facts.py
    result_delta: U64  # [step, permutation]: what the local state adds to the fingerprint
    sends: I32
    observer_hash: U64
    observer_next: I32  # [observer state, note]
    budget_hash: U64
    budget_next: I32  # [budget, cost]
    queue_hash: U64
    queue_head: I32
    queue_rest: I32
    queue_push: I32  # [queue, message]
    queue_empty: I32  # [link]


def grown(array: npt.NDArray[Any], length: int, fill: int = 0) -> npt.NDArray[Any]:
    """`array` with at least `length` rows, doubled; new rows hold `fill`."""
    if length <= array.shape[0]:
        return array
    rows = max(length, 2 * array.shape[0])
    bigger = np.full((rows, *array.shape[1:]), fill, array.dtype)
    bigger[: array.shape[0]] = array
    return bigger


def widened(array: npt.NDArray[Any], width: int, fill: int) -> npt.NDArray[Any]:
    if width <= array.shape[1]:
        return array
    bigger = np.full((array.shape[0], max(width, 2 * array.shape[1])), fill, array.dtype)
    bigger[:, : array.shape[1]] = array
    return bigger


def empty_arrays(
    *, actors: int, observers: int, links: int, permutations: int, size: int, costs: int
) -> Arrays:
    """Nothing known yet. `size`: of a bag or queue."""
    g = permutations
    shape = [actors, observers, links, g, size]
    u64, i32, u8 = np.uint64, np.int32, np.uint8
    return Arrays(
        shape=np.array(shape, np.int64),
        local_hash=np.zeros((64, g), u64),
        local_outside=np.zeros(64, u8),
        own_start=np.full(64, UNKNOWN, i32),
        own_count=np.zeros(64, i32),
        own_results=np.zeros(256, i32),
        interesting=np.full((64, 1), MASK, u64),
        sent=np.zeros((64, 1), u64),
        delivery=np.full((64, 64), UNKNOWN, i32),
        message_hash=np.zeros((64, g), u64),
        message_dst=np.zeros(64, i32),
        message_column=np.zeros(64, i32),
        message_link=np.zeros(64, i32),
        result_facts=np.zeros((256, WIDTH), i32),
        result_delta=np.zeros((256, g), u64),
        sends=np.zeros(256, i32),
        observer_hash=np.zeros((64, g), u64),
        observer_next=np.full((64, 16), UNKNOWN, i32),
        budget_hash=np.zeros((16, g), u64),
        budget_next=np.full((16, costs), UNKNOWN, i32),
        queue_hash=np.zeros((64, g), u64),
        queue_head=np.full(64, UNKNOWN, i32),
        queue_rest=np.full(64, UNKNOWN, i32),
        queue_push=np.full((64, 64) if links else (1, 1), UNKNOWN, i32),
        queue_empty=np.zeros(max(1, links), i32),
    )
