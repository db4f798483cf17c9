"""Histories of sets, counters and queues, written by hand."""

from written import Line

SETS: list[tuple[str, list[Line]]] = [
    (
        "pass",
        [
            (1, "add", 1, None, 0, 5),
            (2, "add", 2, None, 1, 6),
            (3, "read", None, [2], 2, 3),
            (3, "read", None, [2, 1], 7, 8),
        ],
    ),
    # Never answered: seen much later, or never.
    (
        "pass",
        [
            (1, "add", 1, None, 0, None),
            (2, "add", 4, None, 1, None),
            (3, "read", None, [], 2, 3),
            (3, "read", None, [1], 4, 5),
        ],
    ),
    ("phantom", [(1, "add", 1, None, 0, 1), (2, "read", None, [1, 8], 2, 3)]),
    (
        "diverged",
        [
            (1, "add", 1, None, 0, 9),
            (2, "add", 2, None, 1, 10),
            (3, "read", None, [1], 2, 4),
            (4, "read", None, [2], 3, 5),
        ],
    ),
    ("lost", [(1, "add", 1, None, 0, 1), (2, "read", None, [], 2, 3)]),
    (
        "stale-read",
        [
            (1, "add", 1, None, 0, 9),
            (2, "read", None, [1], 1, 2),
            (3, "read", None, [], 3, 4),
        ],
    ),
    (
        "stale-read",
        [
            (1, "add", 1, None, 0, 1),
            (3, "read", None, [], 2, 3),
            (2, "read", None, [1], 4, 5),
        ],
    ),
    ("future-read", [(2, "read", None, [1], 0, 1), (1, "add", 1, None, 2, 3)]),
    (
        "reordered",
        [
            (3, "read", None, [2], 0, 5),
            (1, "add", 1, None, 1, 2),
            (2, "add", 2, None, 3, 4),
        ],
    ),
]

CASES: list[tuple[str, str, list[Line]]] = [
    *(("set", expected, lines) for expected, lines in SETS),
    # The same as sums of powers of two.
    *(
        (
            "bitmask-counter",
            expected,
            [(*line[:3], sum(line[3]), *line[4:]) if line[1] == "read" else line for line in lines],
        )
        for expected, lines in SETS
    ),
    # Adding it again changes nothing, even long before the other add was answered.
    (
        "set",
        "pass",
        [
            (1, "add", 1, None, 0, 3),
            (2, "read", None, [1], 1, 2),
            (2, "add", 1, None, 4, 5),
            (2, "read", None, [1], 6, 7),
        ],
    ),
    ("set", "duplicate", [(1, "add", 1, None, 0, 1), (2, "read", None, [1, 1], 2, 3)]),
    # 1 and true are one element, as to the search.
    ("set", "pass", [(1, "add", 1, None, 0, 1), (2, "read", None, [True], 2, 3)]),
    (
        "set",
        "duplicate",
        [
            (1, "add", 1, None, 0, 1),
            (1, "add", True, None, 2, 3),
            (2, "read", None, [1, True], 4, 5),
        ],
    ),
    ("bitmask-counter", "phantom", [(1, "add", 1, None, 0, 1), (2, "read", None, -1, 2, 3)]),
    (
        "bitmask-counter",
        "ambiguous",
        [(1, "add", 2, None, 0, 1), (1, "add", 2, None, 2, 3), (2, "read", None, 4, 4, 5)],
    ),
    ("bitmask-counter", "ambiguous", [(1, "add", 3, None, 0, 1), (2, "read", None, 3, 2, 3)]),
    (
        "queue",
        "pass",
        [
            (1, "enqueue", "a", None, 0, 3),
            (2, "enqueue", "b", None, 1, 4),
            (3, "dequeue", None, None, 2, 5),
            (3, "dequeue", None, "b", 6, 9),
            (4, "dequeue", None, "a", 7, 8),
            (3, "dequeue", None, None, 10, 11),
        ],
    ),
    # The dequeue that was never answered took a, so that b could leave and nothing was left.
    (
        "queue",
        "pass",
        [
            (1, "enqueue", "a", None, 0, 1),
            (1, "enqueue", "b", None, 2, 3),
            (2, "dequeue", None, None, 4, None),
            (3, "dequeue", None, "b", 5, 6),
            (3, "dequeue", None, None, 7, 8),
        ],
    ),
    # Enqueued twice, but nobody asked for it.
    (
        "queue",
        "pass",
        [
            (1, "enqueue", "a", None, 0, 1),
            (2, "enqueue", "b", None, 2, 3),
            (1, "enqueue", "b", None, 4, 5),
            (3, "dequeue", None, "a", 6, 7),
        ],
    ),
    ("queue", "phantom", [(1, "enqueue", "a", None, 0, 1), (2, "dequeue", None, "z", 2, 3)]),
    (
        "queue",
        "duplicate",
        [
            (1, "enqueue", "a", None, 0, 1),
            (2, "dequeue", None, "a", 2, 3),
            (3, "dequeue", None, "a", 4, 5),
        ],
    ),
    (
        "queue",
        "future-dequeue",
        [(2, "dequeue", None, "a", 0, 1), (1, "enqueue", "a", None, 2, 3)],
    ),
    (
        "queue",
        "reordered",
        [
            (1, "enqueue", "a", None, 0, 1),
            (1, "enqueue", "b", None, 2, 3),
            (2, "dequeue", None, "b", 4, 5),
            (2, "dequeue", None, "a", 6, 7),
        ],
    ),
    (
        "queue",
        "skipped",
        [
            (1, "enqueue", "a", None, 0, 1),
            (1, "enqueue", "b", None, 2, 3),
            (2, "dequeue", None, "b", 4, 5),
        ],
    ),
    # There is a dequeue that may have taken it, but it began after b was gone.
    (
        "queue",
        "skipped",
        [
            (1, "enqueue", "a", None, 0, 1),
            (1, "enqueue", "b", None, 2, 3),
            (2, "dequeue", None, "b", 4, 5),
            (3, "dequeue", None, None, 6, None),
        ],
    ),
    (
        "queue",
        "false-empty",
        [
            (1, "enqueue", "a", None, 0, 1),
            (2, "dequeue", None, None, 2, 3),
            (2, "dequeue", None, "a", 4, 5),
        ],
    ),
    # Two values, one after the other, were there without a break.
    (
        "queue",
        "false-empty",
        [
            (1, "enqueue", "a", None, 0, 1),
            (2, "dequeue", None, None, 2, 8),
            (1, "enqueue", "b", None, 3, 4),
            (3, "dequeue", None, "a", 5, 6),
            (3, "dequeue", None, "b", 9, 10),
        ],
    ),
    (
        "queue",
        "ambiguous",
        [
            (1, "enqueue", "a", None, 0, 1),
            (1, "enqueue", "a", None, 2, 3),
            (2, "dequeue", None, "a", 4, 5),
        ],
    ),
]
