"""Histories of registers, written by hand."""

from written import Line

CASES: list[tuple[str, str, list[Line]]] = [
    # 1, 1.0 and true are one value, as to the search.
    (
        "register",
        "pass",
        [
            (1, "write", 1, None, 0, 1),
            (2, "read", None, True, 2, 3),
            (2, "read", None, 1.0, 4, 5),
        ],
    ),
    (
        "register",
        "pass",
        [(1, "read", None, None, 0, 1), (1, "write", 1, None, 2, 3), (2, "read", None, 1, 4, 5)],
    ),
    # A read during a write may see either value.
    (
        "register",
        "pass",
        [
            (1, "write", 1, None, 0, 9),
            (2, "read", None, None, 1, 2),
            (3, "read", None, 1, 3, 4),
            (2, "read", None, 1, 5, 6),
        ],
    ),
    # A write that was never answered may take effect long after it was given up.
    (
        "register",
        "pass",
        [
            (1, "write", 1, None, 0, None),
            (2, "write", 2, None, 1, 2),
            (2, "read", None, 2, 3, 4),
            (3, "read", None, 1, 5, 6),
        ],
    ),
    # A value that was written twice, but never read, does not matter.
    (
        "register",
        "pass",
        [(1, "write", 1, None, 0, 1), (1, "write", 1, None, 2, 3), (2, "write", 2, None, 4, 5)],
    ),
    ("register", "phantom", [(1, "write", 1, None, 0, 1), (2, "read", None, 7, 2, 3)]),
    ("register", "future-read", [(2, "read", None, 1, 0, 1), (1, "write", 1, None, 2, 3)]),
    ("register", "stale-read", [(1, "write", 1, None, 0, 1), (2, "read", None, None, 2, 3)]),
    # Two readers disagree on which of two concurrent writes was the later.
    (
        "register",
        "two-orders",
        [
            (1, "write", 1, None, 0, 19),
            (2, "write", 2, None, 1, 20),
            (3, "read", None, 1, 2, 4),
            (4, "read", None, 2, 3, 5),
            (3, "read", None, 2, 6, 8),
            (4, "read", None, 1, 7, 9),
        ],
    ),
    # The old value is read after the new one was, while the new one is still being written.
    (
        "register",
        "stale-read",
        [
            (1, "write", 1, None, 0, 1),
            (2, "write", 2, None, 2, 9),
            (3, "read", None, 2, 3, 4),
            (4, "read", None, 1, 5, 6),
        ],
    ),
    (
        "register",
        "ambiguous",
        [
            (1, "write", 1, None, 0, 1),
            (1, "write", 2, None, 2, 3),
            (1, "write", 1, None, 4, 5),
            (2, "read", None, 1, 6, 7),
        ],
    ),
    # A chain, in which each change found the one before; the last was never answered, but seen.
    (
        "cas-register",
        "pass",
        [
            (1, "cas", [None, 1], True, 0, 5),
            (2, "cas", [1, 2], True, 1, 6),
            (3, "cas", [2, 3], None, 2, None),
            (4, "read", None, 3, 7, 8),
            (4, "cas", [3, 3], True, 9, 10),
        ],
    ),
    # What was never answered, and whose value nobody saw, need not have happened.
    (
        "cas-register",
        "pass",
        [
            (1, "cas", [7, 8], None, 0, None),
            (2, "write", 1, None, 1, 2),
            (3, "cas", [1, 2], None, 3, None),
            (2, "read", None, 1, 4, 5),
        ],
    ),
    ("cas-register", "phantom", [(1, "cas", [7, 8], True, 0, 1)]),
    # The compare-and-set was never answered, but its value was read: it found what nobody wrote.
    ("cas-register", "phantom", [(1, "cas", [7, 8], None, 0, None), (2, "read", None, 8, 1, 2)]),
    ("cas-register", "future-read", [(1, "cas", [1, 2], True, 0, 1), (2, "write", 1, None, 2, 3)]),
    (
        "cas-register",
        "lost-update",
        [
            (1, "write", 1, None, 0, 1),
            (2, "cas", [1, 2], True, 2, 5),
            (3, "cas", [1, 3], True, 3, 4),
        ],
    ),
    (
        "cas-register",
        "circular-update",
        [(1, "cas", [1, 2], True, 0, 3), (2, "cas", [2, 1], True, 1, 4)],
    ),
    (
        "cas-register",
        "stale-read",
        [
            (1, "write", 1, None, 0, 1),
            (2, "cas", [1, 2], True, 2, 9),
            (3, "read", None, 2, 3, 4),
            (4, "read", None, 1, 5, 6),
        ],
    ),
    (
        "cas-register",
        "stale-update",
        [
            (1, "write", 1, None, 0, 1),
            (2, "write", 2, None, 2, 3),
            (3, "cas", [1, 3], True, 4, 5),
        ],
    ),
    # Each chain began before, and went on after, a change of the other.
    (
        "cas-register",
        "two-orders",
        [
            (1, "write", 1, None, 0, 19),
            (2, "write", 2, None, 1, 20),
            (3, "read", None, 1, 2, 4),
            (4, "read", None, 2, 3, 5),
            (3, "cas", [2, 4], True, 6, 8),
            (4, "cas", [1, 3], True, 7, 9),
        ],
    ),
    (
        "cas-register",
        "ambiguous",
        [(1, "write", 1, None, 0, 1), (2, "cas", [2, 3], False, 2, 3)],
    ),
]
