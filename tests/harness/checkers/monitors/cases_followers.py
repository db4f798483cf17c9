"""Histories of sets by element, of sessions and of followers, written by hand."""

from cases_logs import CASES as OF_LOGS
from written import Line

BEHIND = {"log": "prefix", "log-poll": "prefix-poll"}
"""What is read of a log, and what of followers that are behind."""

CASES: list[tuple[str, str, list[Line]]] = [
    (
        "element-set",
        "pass",
        [
            (1, "add", "a", None, 0, 3),
            (2, "contains", "a", False, 1, 4),
            (2, "contains", "a", True, 5, 6),
            (1, "remove", "a", None, 7, 12),
            (2, "contains", "a", False, 8, 9),
            (3, "contains", "b", False, 10, 11),
        ],
    ),
    # The remove that was never answered took effect between the two questions; so did the add.
    (
        "element-set",
        "pass",
        [
            (1, "add", "a", None, 0, 1),
            (2, "remove", "a", None, 2, None),
            (4, "add", "a", None, 3, None),
            (3, "contains", "a", False, 4, 5),
            (3, "contains", "a", True, 6, 7),
        ],
    ),
    # Two adds at once: the second is spent while a is there already, so that the remove is last.
    (
        "element-set",
        "pass",
        [
            (1, "add", "a", None, 0, 5),
            (2, "add", "a", None, 1, 4),
            (3, "remove", "a", None, 2, 3),
            (3, "contains", "a", False, 6, 7),
        ],
    ),
    ("element-set", "false-present", [(1, "contains", "a", True, 0, 1)]),
    (
        "element-set",
        "false-present",
        [
            (1, "add", "a", None, 0, 1),
            (1, "remove", "a", None, 2, 3),
            (2, "contains", "a", True, 4, 5),
        ],
    ),
    (
        "element-set",
        "false-absent",
        [
            (1, "add", "a", None, 0, 9),
            (2, "contains", "a", True, 1, 2),
            (2, "contains", "a", False, 3, 4),
        ],
    ),
    # Nobody sees all, and the replicas differ: no session notices.
    (
        "session",
        "pass",
        [
            (1, "add", "a", None, 0, 1),
            (2, "add", "b", None, 2, 3),
            (1, "read", None, ["a"], 4, 5),
            (2, "read", None, ["b"], 6, 7),
            (3, "read", None, [], 8, 9),
            (3, "read", None, ["b", "a"], 10, 11),
        ],
    ),
    # It was never acknowledged, so that its process may miss it.
    (
        "session",
        "pass",
        [
            (1, "add", "a", None, 0, None),
            (1, "add", "b", None, 1, 2),
            (1, "read", None, ["b"], 3, 4),
        ],
    ),
    (
        "session",
        "monotonic-reads",
        [
            (1, "add", "a", None, 0, 1),
            (2, "read", None, ["a"], 2, 3),
            (2, "read", None, [], 4, 5),
        ],
    ),
    ("session", "read-your-writes", [(1, "add", "a", None, 0, 1), (1, "read", None, [], 2, 3)]),
    (
        "session",
        "monotonic-writes",
        [
            (1, "add", "a", None, 0, 1),
            (1, "add", "b", None, 2, 3),
            (2, "read", None, ["b"], 4, 5),
        ],
    ),
    (
        "session",
        "writes-follow-reads",
        [
            (1, "append", "a", None, 0, 1),
            (2, "read", None, ["a"], 2, 3),
            (2, "append", "b", None, 4, 5),
            (3, "read", None, ["b"], 6, 7),
        ],
    ),
    (
        "session",
        "ambiguous",
        [
            (1, "write", "a", None, 0, 1),
            (2, "write", "a", None, 2, 3),
            (1, "read", None, ["a"], 4, 5),
        ],
    ),
    ("session", "ambiguous", [(1, "write", "a", None, 0, 2), (1, "read", None, ["a"], 1, 3)]),
    # An old read is fine as long as its process has seen nothing newer.
    (
        "prefix",
        "pass",
        [
            (1, "append", "a", None, 0, 1),
            (1, "append", "b", None, 2, 3),
            (2, "read", None, ["a", "b"], 4, 5),
            (3, "read", None, [], 6, 7),
            (3, "read", None, ["a"], 8, 9),
        ],
    ),
    (
        "prefix",
        "ambiguous",
        [
            (1, "append", "a", None, 0, 1),
            (1, "append", "a", None, 2, 3),
            (2, "read", None, ["a"], 4, 5),
        ],
    ),
    # An old slice is fine as long as its process has seen nothing newer.
    (
        "prefix-poll",
        "pass",
        [
            (1, "append", "a", 0, 0, 1),
            (1, "append", "b", 1, 2, 3),
            (2, "poll", [1, 5], ["b"], 4, 5),
            (3, "poll", [0, 5], [], 6, 7),
            (3, "poll", [0, 5], ["a"], 8, 9),
        ],
    ),
    # What is wrong for several processes is wrong where one process did it all.
    *(
        (BEHIND[name], expected, [(1, *line[1:]) for line in lines])
        for name, expected, lines in OF_LOGS
        if expected not in ("pass", "ambiguous")
    ),
]
