"""Histories of counters, of logs with keys and of locks, written by hand."""

from written import Line

A1, A2, B1 = ["a", 1], ["a", 2], ["b", 1]

CASES: list[tuple[str, str, list[Line]]] = [
    (
        "counter",
        "pass",
        [
            (1, "add", 1, None, 0, 5),
            (2, "add", None, None, 1, None),
            (3, "read", None, 0, 2, 3),
            (3, "read", None, 2, 4, 6),
            (3, "read", None, 2, 7, 8),
        ],
    ),
    ("counter", "impossible-value", [(1, "add", 1, None, 0, 1), (2, "read", None, -1, 2, 3)]),
    ("counter", "impossible-value", [(1, "add", 1, None, 0, 1), (2, "read", None, 0.5, 2, 3)]),
    ("counter", "impossible-value", [(2, "read", None, float("inf"), 2, 3)]),
    # A table whose cells are floats, as where some are empty.
    (
        "counter",
        "pass",
        [
            (1, "add", 1, None, 0, 1),
            (2, "read", None, 1.0, 2, 3),
            (1, "add", 1, None, 4, 5),
            (2, "read", None, 2.0, 6, 7),
            (3, "read", None, 2, 8, 9),
        ],
    ),
    ("counter", "overcount", [(1, "add", 1, None, 0, 1), (2, "read", None, 1e30, 2, 3)]),
    (
        "bitmask-counter",
        "pass",
        [(1, "add", 1, None, 0, 1), (1, "add", 4, None, 2, 3), (2, "read", None, 5.0, 4, 5)],
    ),
    ("bitmask-counter", "phantom", [(1, "add", 1, None, 0, 1), (2, "read", None, 0.5, 2, 3)]),
    ("bitmask-counter", "phantom", [(1, "add", 1, None, 0, 1), (2, "read", None, 3.0, 2, 3)]),
    (
        "counter",
        "went-back",
        [
            (1, "add", 1, None, 0, 9),
            (2, "read", None, 1, 1, 2),
            (3, "read", None, 0, 3, 4),
        ],
    ),
    (
        "counter",
        "lost-increment",
        [
            (2, "read", None, 0, 0, 1),
            (1, "add", 1, None, 2, 3),
            (2, "read", None, 0, 4, 5),
        ],
    ),
    ("counter", "overcount", [(1, "add", 1, None, 0, 1), (2, "read", None, 2, 2, 3)]),
    # There are two increments, but the second began when the read had returned.
    (
        "counter",
        "overcount",
        [
            (1, "add", 1, None, 0, 1),
            (2, "read", None, 2, 2, 3),
            (1, "add", 1, None, 4, 5),
        ],
    ),
    ("counter", "undercount", [(1, "add", 1, None, 0, 1), (2, "read", None, 0, 2, 3)]),
    ("counter", "ambiguous", [(1, "add", 2, None, 0, 1), (2, "read", None, 2, 2, 3)]),
    (
        "keyed-log",
        "pass",
        [
            (1, "append", A1, True, 0, 3),
            (2, "append", A2, False, 1, 4),
            (3, "append", B1, None, 2, None),
            (4, "read", None, [A1], 5, 6),
            (4, "read", None, [A1, B1], 7, 8),
        ],
    ),
    # Left out by one that was never answered and never seen.
    (
        "keyed-log",
        "pass",
        [(1, "append", A1, None, 0, None), (2, "append", A2, False, 1, 2)],
    ),
    ("keyed-log", "phantom", [(1, "append", A1, None, 0, 1), (2, "read", None, [A1, B1], 2, 3)]),
    (
        "keyed-log",
        "duplicate",
        [
            (1, "append", A1, None, 0, 2),
            (2, "append", A2, None, 1, 3),
            (3, "read", None, [A1, A2], 4, 5),
        ],
    ),
    (
        "keyed-log",
        "diverged",
        [
            (1, "append", A1, None, 0, 9),
            (2, "append", B1, None, 1, 10),
            (3, "read", None, [A1], 2, 3),
            (3, "read", None, [B1, A1], 4, 5),
        ],
    ),
    (
        "keyed-log",
        "two-winners",
        [(1, "append", A1, True, 0, 2), (2, "append", A2, True, 1, 3)],
    ),
    (
        "keyed-log",
        "usurped",
        [
            (1, "append", A1, True, 0, 2),
            (2, "append", A2, None, 1, 3),
            (3, "read", None, [A2], 4, 5),
        ],
    ),
    ("keyed-log", "kept-anyway", [(1, "append", A1, False, 0, 1), (3, "read", None, [A1], 2, 3)]),
    ("keyed-log", "no-winner", [(1, "append", A1, False, 0, 1), (2, "append", A2, None, 2, 3)]),
    ("keyed-log", "lost", [(1, "append", A1, None, 0, 1), (3, "read", None, [], 2, 3)]),
    (
        "keyed-log",
        "stale-read",
        [
            (1, "append", A1, None, 0, 9),
            (3, "read", None, [A1], 1, 2),
            (4, "read", None, [], 3, 4),
        ],
    ),
    # The row that was left out shows that its key was there.
    (
        "keyed-log",
        "stale-read",
        [
            (1, "append", A1, None, 0, 9),
            (2, "append", A2, None, 1, 2),
            (4, "read", None, [], 3, 4),
            (3, "read", None, [A1], 5, 6),
        ],
    ),
    ("keyed-log", "future-read", [(3, "read", None, [A1], 0, 1), (1, "append", A1, None, 2, 3)]),
    (
        "keyed-log",
        "reordered",
        [
            (1, "append", A1, None, 0, 1),
            (1, "append", B1, None, 2, 3),
            (3, "read", None, [B1, A1], 4, 5),
        ],
    ),
    (
        "keyed-log",
        "late-winner",
        [
            (1, "append", A1, None, 0, 1),
            (2, "append", A2, None, 2, 3),
            (3, "read", None, [A2], 4, 5),
        ],
    ),
    (
        "keyed-log",
        "ambiguous",
        [
            (1, "append", A1, None, 0, 1),
            (1, "append", A1, None, 2, 3),
            (3, "read", None, [A1], 4, 5),
        ],
    ),
    (
        "mutex",
        "pass",
        [
            (1, "acquire", None, None, 0, 3),
            (2, "acquire", None, None, 1, 6),
            (1, "release", None, None, 4, 5),
            (2, "release", None, None, 7, 8),
        ],
    ),
    # The release was never answered, but took place: the lock was acquired again.
    (
        "mutex",
        "pass",
        [
            (1, "acquire", "p", None, 0, 1),
            (1, "release", "p", None, 2, None),
            (2, "acquire", "q", None, 3, 4),
        ],
    ),
    (
        "mutex",
        "two-holders",
        [
            (1, "acquire", "p", None, 0, 1),
            (2, "acquire", "q", None, 2, 3),
            (1, "release", "p", None, 4, 5),
            (2, "release", "q", None, 6, 7),
        ],
    ),
    (
        "mutex",
        "double-acquire",
        [
            (1, "acquire", None, None, 0, 1),
            (2, "acquire", None, None, 2, 3),
            (1, "release", None, None, 4, 5),
        ],
    ),
    (
        "mutex",
        "double-acquire",
        [(1, "acquire", "p", None, 0, 1), (1, "acquire", "p", None, 2, 3)],
    ),
    ("mutex", "unheld-release", [(1, "release", None, None, 0, 1)]),
    (
        "mutex",
        "unheld-release",
        [(1, "acquire", "p", None, 0, 1), (2, "release", "q", None, 2, 3)],
    ),
    (
        "mutex",
        "ambiguous",
        [(1, "acquire", "p", None, 0, None), (1, "acquire", "p", None, 1, 2)],
    ),
    ("mutex", "ambiguous", [(1, "acquire", "p", None, 0, 2), (2, "release", "p", None, 1, 3)]),
    ("mutex", "ambiguous", [(1, "acquire", "p", None, 0, 1), (2, "release", None, None, 2, 3)]),
]
