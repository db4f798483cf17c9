"""Histories of logs, written by hand."""

from written import Line

CASES: list[tuple[str, str, list[Line]]] = [
    (
        "log",
        "pass",
        [
            (1, "append", "a", None, 0, 5),
            (2, "append", "b", None, 1, 6),
            (3, "read", None, ["b"], 2, 3),
            (3, "read", None, ["b", "a"], 7, 8),
        ],
    ),
    # Never answered: seen much later, or never.
    (
        "log",
        "pass",
        [
            (1, "append", "a", None, 0, None),
            (2, "append", "c", None, 1, None),
            (3, "read", None, [], 2, 3),
            (3, "append", "b", None, 4, 5),
            (3, "read", None, ["b", "a"], 6, 7),
        ],
    ),
    ("log", "phantom", [(1, "append", "a", None, 0, 1), (2, "read", None, ["a", "z"], 2, 3)]),
    ("log", "duplicate", [(1, "append", "a", None, 0, 1), (2, "read", None, ["a", "a"], 2, 3)]),
    (
        "log",
        "diverged",
        [
            (1, "append", "a", None, 0, 9),
            (2, "append", "b", None, 1, 10),
            (3, "read", None, ["a"], 2, 3),
            (4, "read", None, ["b", "a"], 4, 5),
        ],
    ),
    ("log", "lost", [(1, "append", "a", None, 0, 1), (2, "read", None, [], 2, 3)]),
    (
        "log",
        "stale-read",
        [
            (1, "append", "a", None, 0, 1),
            (2, "read", None, [], 2, 3),
            (3, "read", None, ["a"], 4, 5),
        ],
    ),
    ("log", "future-read", [(2, "read", None, ["a"], 0, 1), (1, "append", "a", None, 2, 3)]),
    (
        "log",
        "reordered",
        [
            (1, "append", "a", None, 0, 1),
            (2, "append", "b", None, 2, 3),
            (3, "read", None, ["b", "a"], 4, 5),
        ],
    ),
    (
        "log",
        "ambiguous",
        [
            (1, "append", "a", None, 0, None),
            (2, "append", "a", None, 1, 2),
            (3, "read", None, ["a"], 3, 4),
        ],
    ),
    (
        "log-poll",
        "pass",
        [
            (1, "append", "a", 0, 0, 1),
            (2, "append", "b", 1, 2, 3),
            (3, "poll", [0, 1], ["a"], 4, 5),
            (3, "poll", [1, 5], ["b"], 6, 7),
            (3, "poll", [2, None], [], 8, 9),
        ],
    ),
    # The hole at offset 0 is taken by the append that was never answered, not by the later one.
    (
        "log-poll",
        "pass",
        [
            (1, "append", "a", None, 0, None),
            (2, "append", "b", 1, 1, 2),
            (3, "append", "c", None, 3, 4),
            (3, "poll", [2, 5], ["c"], 5, 6),
        ],
    ),
    # Two appends were not told their offsets; each has one of the two holes.
    (
        "log-poll",
        "pass",
        [
            (1, "append", "a", None, 0, 5),
            (2, "append", "b", None, 1, 6),
            (3, "append", "c", 2, 2, 7),
            (3, "poll", [3, 5], [], 8, 9),
        ],
    ),
    (
        "log-poll",
        "phantom",
        [
            (1, "append", "a", None, 0, 1),
            (1, "append", "b", None, 2, 3),
            (2, "poll", [0, 5], ["a", "z"], 4, 5),
        ],
    ),
    (
        "log-poll",
        "duplicate",
        [
            (1, "append", "a", 0, 0, 1),
            (1, "append", "b", None, 2, 3),
            (2, "poll", [1, 5], ["a"], 4, 5),
        ],
    ),
    (
        "log-poll",
        "two-at-one-offset",
        [(1, "append", "a", 0, 0, 2), (2, "append", "b", 0, 1, 3)],
    ),
    ("log-poll", "impossible-offset", [(1, "append", "a", 5, 0, 1)]),
    ("log-poll", "impossible-offset", [(1, "append", "a", -1, 0, 1)]),
    (
        "log-poll",
        "overlong",
        [
            (1, "append", "a", 0, 0, 1),
            (1, "append", "b", 1, 2, 3),
            (2, "poll", [0, 1], ["a", "b"], 4, 5),
        ],
    ),
    ("log-poll", "lost", [(1, "append", "a", 0, 0, 1), (2, "poll", [0, 5], [], 2, 3)]),
    (
        "log-poll",
        "stale-read",
        [
            (1, "append", "a", 0, 0, 9),
            (2, "poll", [0, 5], ["a"], 1, 2),
            (3, "read", [0, 5], [], 3, 4),
        ],
    ),
    (
        "log-poll",
        "future-read",
        [(2, "poll", [0, 5], ["a"], 0, 1), (1, "append", "a", 0, 2, 3)],
    ),
    (
        "log-poll",
        "reordered",
        [(1, "append", "a", 1, 0, 1), (2, "append", "b", 0, 2, 3)],
    ),
    # The append of open outcome began after the log had already been two rows long.
    (
        "log-poll",
        "gap",
        [(1, "append", "a", 1, 0, 1), (2, "append", "b", None, 2, None)],
    ),
    # It was acknowledged before the poll began, which found the log full of others.
    (
        "log-poll",
        "unplaced",
        [
            (1, "append", "a", None, 0, 1),
            (2, "append", "b", 0, 2, 3),
            (3, "poll", [0, 5], ["b"], 4, 5),
        ],
    ),
    (
        "log-poll",
        "ambiguous",
        [(1, "append", "a", 0, 0, 1), (2, "append", "a", 1, 2, 3)],
    ),
]
