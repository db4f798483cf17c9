"""What a watch calls wrong, its checker calls wrong in the end: random histories of each kind."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from delphic.harness.check import check
from delphic.harness.checkers.online import WATCHES
from delphic.harness.checkers.online.listener import Listener
from delphic.harness.evidence import Evidence
from delphic.harness.history import validated
from delphic.harness.op import HARNESS, Op, OpType
from delphic.harness.verdict import Validity

HISTORIES = 2_000


class Draft:
    """A random history, mostly of nonsense: two clients append, one reads, one does the rest."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.ops: list[Op] = []
        self.rows = 0

    def add(self, process: Any, kind: OpType, f: str, value: Any) -> None:
        key = "t" if isinstance(process, int) else None
        at = len(self.ops)
        self.ops.append(Op(at, at, process, kind, f, key, value, "n1"))

    def call(self, process: int, f: str, asked: Any, answer: Any, kind: OpType = OpType.OK) -> None:
        self.add(process, OpType.INVOKE, f, asked)
        self.add(process, kind, f, answer if kind is OpType.OK else asked)

    def any_rows(self, most: int) -> list[int]:
        return [self.chance.randint(1, self.rows + 1) for _ in range(most)]

    def fresh(self) -> list[int]:
        first, self.rows = self.rows + 1, self.rows + self.chance.randint(1, 2)
        return list(range(first, self.rows + 1))

    def outcome(self) -> OpType:
        return self.chance.choice([OpType.OK, OpType.OK, OpType.INFO, OpType.FAIL])

    def look(self, process: int, f: str) -> None:
        start = self.chance.choice((0, 0, 1))
        limit = self.chance.choice((None, None, 2)) if f == "poll" else None
        found = self.any_rows(self.chance.randint(0, 2))
        self.call(process, f, [start, limit], found)


def of_logs(draft: Draft) -> None:
    if draft.chance.random() < 0.5:
        process, offset = draft.chance.randint(0, 1), draft.chance.randint(0, 3)
        draft.call(process, "append", draft.fresh(), offset, draft.outcome())
    else:
        draft.look(2, draft.chance.choice(("read", "poll")))


def of_keys(draft: Draft) -> None:
    if draft.chance.random() < 0.5:
        known = draft.any_rows(1) if draft.rows and draft.chance.random() < 0.2 else draft.fresh()
        place = [draft.chance.randint(-1, 3), draft.chance.randint(0, len(known))]
        draft.call(draft.chance.randint(0, 1), "append", known, place, draft.outcome())
    else:
        draft.look(2, draft.chance.choice(("read", "poll")))


def of_subscribers(draft: Draft) -> None:
    chance = draft.chance
    if chance.random() < 0.4:
        of_logs(draft)
        return
    f = chance.choice(("subscribe", "receive", "receive", "crash", "drain"))
    asked = None
    if f == "subscribe":
        asked = {"offset": chance.choice((0, 1, -1, -2)), "persist": chance.random() < 0.5}
        asked |= {"places": [0]} if chance.random() < 0.2 else {}
    events = [
        chance.choice(
            [
                ["live", chance.randint(0, 2), "n1", 1],
                ["handled", chance.randint(0, 2), draft.any_rows(chance.randint(1, 2)), "n1", 1],
                ["recorded", chance.randint(-1, 3)],
                ["failed", chance.randint(0, 2), 1],
                ["lost"],
                ["ended", "Refused"],
            ]
        )
        for _ in range(chance.randint(0, 3))
    ]
    draft.call(5, f, asked, events, chance.choice([OpType.OK] * 4 + [OpType.FAIL]))


KINDS: dict[str, Callable[[Draft], None]] = {
    "log-poll": of_logs,
    "keyed": of_keys,
    "subscriptions": of_subscribers,
}


def histories(kind: str) -> list[tuple[Op, ...]]:
    chance = random.Random(f"20261122/{kind}")
    found = []
    for _ in range(HISTORIES):
        draft = Draft(chance)
        for _ in range(chance.randint(2, 8)):
            KINDS[kind](draft)
        draft.add(HARNESS, OpType.INFO, "phase", "final")
        found.append(tuple(draft.ops))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_seen_is_confirmed(kind: str) -> None:
    seen = 0
    for ops in histories(kind):
        listener = Listener([WATCHES[kind]()], lambda: None)
        for op in ops:
            listener.hear(op)
        assert listener.crash is None
        if listener.first is None:
            continue
        seen += 1
        found = check(Evidence(validated(ops), ("n1",)), [kind])[0]
        assert found.validity is Validity.FAIL, (listener.first, found.sentence)
    assert HISTORIES / 5 < seen < HISTORIES
