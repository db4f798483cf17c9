"""Checks while a run goes on: they see at once what checkers see later, and nothing else."""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.harness.check import check
from delphic.harness.checkers.log import monitor
from delphic.harness.checkers.online import WATCHES, log, log_poll
from delphic.harness.checkers.online.listener import Listener
from delphic.harness.checkers.online.watch import Flaw, Sighting
from delphic.harness.evidence import Evidence
from delphic.harness.history import History, load, validated
from delphic.harness.op import NEMESIS, Op, OpType
from delphic.harness.verdict import Validity
from log_drafts import draft, tamper

FOLDER = Path(__file__).parent / "histories"
FOLDERS = {**{name: name for name in WATCHES}, "linearizable": "log-monitor"}
FILES = [(name, f) for name in WATCHES for f in sorted(FOLDER.glob(f"{FOLDERS[name]}/*/*.jsonl"))]
MEMBERS = ("n1", "n2", "n3")

IN_THE_END = {
    # Whether open appends of these sizes could have filled the gap.
    "log-monitor/gap--open-batches-of-the-wrong-size",
    # What was acknowledged is missed once all is quiet, and what was never given, too.
    "keyed/lost",
    "keyed/lost--the-last-row",
    # Where the table ends is known then, too.
    "keyed/misplaced--behind-the-end",
    "log-poll/lost",
    "subscriptions/rows_unseen",
    # That a row was certainly not sent again is known in the end.
    "keyed/phantom--of-what-certainly-failed",
    # Any restart excuses any member: cheaper than to know whose it was.
    "log-poll/taken-back--another-member-was-restarted",
    "subscriptions/published_after_a_step_down",
}
"""What is not wrong as far as it can be known at any moment of the run."""

HISTORIES = 4_000


def seen(name: str, ops: tuple[Op, ...]) -> Sighting | None:
    listener = Listener([WATCHES[name]()], lambda: None)
    for op in ops:
        listener.hear(op)
    assert listener.crash is None
    return listener.first


@pytest.mark.parametrize(("name", "file"), FILES, ids=lambda one: getattr(one, "stem", one))
def test_a_written_history_is_seen_to_be_what_it_is(name: str, file: Path) -> None:
    with file.open("rb") as stream:
        history = load(stream)
    found = seen(name, history.ops)
    title = f"{file.parts[-3]}/{file.stem}"
    assert (found is not None) is (file.parts[-2] == "fail" and title not in IN_THE_END)
    if found is not None:
        assert found.checker == name
        assert found.flaw.promises
        assert found.flaw.sentence[0].isupper()
        assert found.flaw.sentence.endswith(".")
        assert max(found.flaw.witness) == found.index


def test_what_is_said_to_be_known_in_the_end_is_there() -> None:
    titles = {f"{file.parts[-3]}/{file.stem}" for _, file in FILES if file.parts[-2] == "fail"}
    assert titles > IN_THE_END


@cache
def histories() -> list[History]:
    chance = random.Random(20_261_121)
    found = []
    for _ in range(HISTORIES):
        ops = draft(chance)
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            ops = tamper(ops, chance)
        found.append(validated(ops))
    return found


def kinds(ops: tuple[Op, ...]) -> set[str]:
    """What the exact monitor finds wrong, but for what could not have been filled in."""
    found = monitor.judge(Evidence(History(ops), MEMBERS))
    return set(found.details.get("kinds", ())) - {"gap"}


def disagreements() -> list[History]:
    """Where the op at which something was seen is not the first at which it was wrong."""
    wrong = []
    for history in histories():
        found = seen("linearizable", history.ops)
        end = len(history.ops) if found is None else found.index
        missed = bool(kinds(history.ops[:end]))
        invented = found is not None and not monitor_fails(history.ops[: end + 1])
        unconfirmed = found is not None and not monitor_fails(history.ops)
        if missed or invented or unconfirmed:
            wrong.append(history)
    return wrong


def monitor_fails(ops: tuple[Op, ...]) -> bool:
    return monitor.judge(Evidence(History(ops), MEMBERS)).validity is Validity.FAIL


def test_a_log_is_seen_to_be_wrong_at_the_first_op_at_which_it_is() -> None:
    assert disagreements() == []
    found = [seen("linearizable", history.ops) for history in histories()]
    assert 0.2 < sum(one is not None for one in found) / HISTORIES < 0.7
    ends = [(one, len(h.ops)) for h, one in zip(histories(), found, strict=True)]
    assert sum(one is not None and one.index < end - 2 for one, end in ends) > HISTORIES / 20


def test_a_gap_is_seen_where_nobody_can_have_filled_it() -> None:
    ops: list[Op] = []
    for process, (rows, offset) in enumerate((([1], 0), ([2, 3], 2))):
        ops.append(Op(len(ops), len(ops), process, OpType.INVOKE, "append", value=rows))
        ops.append(Op(len(ops), len(ops), process, OpType.OK, "append", value=offset))
    found = seen("linearizable", tuple(ops))
    assert found is not None
    assert (found.index, found.flaw.promises) == (3, ("HS-4", "HS-5"))
    assert "the log has 4 rows, but no more than 3 can have been appended" in found.flaw.sentence


FAR = 10**15


def far(*looks: tuple[str, Any, Any]) -> tuple[Op, ...]:
    """An append that is acknowledged far beyond all that was ever begun, and looks at the log."""
    ops: list[Op] = []
    for f, asked, answer in (("append", [1], 0), ("append", [2, 3], FAR), *looks):
        ops.append(Op(len(ops), len(ops), 0, OpType.INVOKE, f, value=asked, node="n1"))
        ops.append(Op(len(ops), len(ops), 0, OpType.OK, f, value=answer, node="n1"))
    return tuple(ops)


@pytest.mark.parametrize("name", ["linearizable", "log-poll"])
def test_an_acknowledgement_from_far_behind_the_end_is_seen_at_once(name: str) -> None:
    found = seen(name, far())
    assert found is not None
    assert (found.index, found.flaw.promises) == (3, ("HS-4", "HS-5"))
    assert "rows, but no more than 3 can have been appended" in found.flaw.sentence


def test_an_acknowledgement_from_far_behind_the_end_takes_no_memory() -> None:
    assert seen("subscriptions", far(("read", [FAR, None], []))) is None
    main = far(("poll", [0, None], [1]), ("read", [0, None], [1]))
    count = len(main)
    final = [
        Op(count, count, "harness", OpType.INFO, "phase", value="final"),
        Op(count + 1, count, 0, OpType.INVOKE, "read", value=[FAR, None]),
        Op(count + 2, count, 0, OpType.OK, "read", value=[], node="n1"),
    ]
    evidence = Evidence(History((*main, *final)), MEMBERS)
    for name in ("log-monitor", "log-poll"):
        (found,) = check(evidence, [name])
        assert found.validity is Validity.FAIL
        assert "the log has 1,000,000,000,000,002 rows, but no more than 3" in found.sentence
    for name in ("durability", "order", "log-search", "batches"):
        (found,) = check(evidence, [name])
        assert found.validity is not Validity.HARNESS_ERROR, found.sentence


def test_an_open_append_that_is_seen_far_behind_the_end_is_told_of_once() -> None:
    ops: list[Op] = []
    for f, asked, kind, answer in (
        ("append", [1], OpType.OK, 0),
        ("append", [2], OpType.INFO, None),
        ("read", [FAR, None], OpType.OK, [2]),
        ("read", [FAR, None], OpType.OK, [2]),
    ):
        ops.append(Op(len(ops), len(ops), len(ops), OpType.INVOKE, f, value=asked, node="n1"))
        ops.append(Op(len(ops), len(ops), len(ops) - 1, kind, f, value=answer, node="n1"))
    (found,) = check(Evidence(History(tuple(ops)), MEMBERS), ["log-monitor"])
    assert found.details["kinds"] == {"gap": 1}
    assert found.sentence.startswith("By read #5")
    sighting = seen("linearizable", tuple(ops))
    assert sighting is not None
    assert sighting.index == 5


def skips(*_: Any) -> None:
    return None


def any_floor(self: Any, item: Any, floor: Any) -> Any:
    return FITS(self, item, None)


def greedy(self: Any, item: Any, floor: Any) -> Any:
    return FITS(self, item, self._floor)


FITS = log._Log._fits

MISTAKES: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "no order in time": (log._Log, "_fits", any_floor),
    "what returned meanwhile counts, too": (log._Log, "_fits", greedy),
    "failures are forgotten": (log, "take_failed", skips),
    "what is under way is not known": (log._Log, "began", skips),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_watch_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MISTAKES[mistake])
    assert disagreements()


def test_an_append_is_seen_where_it_cannot_have_come_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody knows yet that the first row is not of the append that is still open."""
    lines = [
        (0, OpType.INVOKE, "append", [1]),
        (1, OpType.INVOKE, "append", [2]),
        (1, OpType.OK, "append", 1),
        (2, OpType.INVOKE, "append", [3]),
        (3, OpType.INVOKE, "read", [0, None]),
        (3, OpType.OK, "read", [3, 2]),
    ]
    ops = tuple(Op(n, n, who, kind, f, value=v) for n, (who, kind, f, v) in enumerate(lines))
    found = seen("linearizable", ops)
    assert found is not None
    assert "took effect at offset 0, but before it began" in found.flaw.sentence
    assert kinds(ops) == {"reordered"}
    monkeypatch.setattr(log._Log, "_sighted", lambda self, count: iter(()))
    assert seen("linearizable", ops) is None


def test_a_watch_that_crashes_is_told_of_and_costs_nobody_else_anything() -> None:
    class Broken:
        def __init__(self, name: str) -> None:
            self.name = name

        def hear(self, op: Op, call: object) -> Flaw | None:
            raise KeyError(self.name)

    heard: list[int] = []
    listener = Listener([Broken("x"), Broken("y"), WATCHES["elections"]()], lambda: heard.append(1))
    for number, node in enumerate(("n1", "n2", "n2")):
        value = {"role": "leader", "term": 4, "leader": "n1"}
        listener.hear(Op(number, number, "observer", OpType.INFO, "role", value=value, node=node))
    assert listener.crash is not None
    assert "KeyError: 'x'" in listener.crash
    assert "KeyError: 'y'" in listener.crash
    assert listener.first is not None
    assert listener.first.index == 1
    assert heard == [1], "the alarm is raised once"


def test_a_restart_excuses_a_member_that_shows_less() -> None:
    file = FOLDER / "log-poll/fail/taken-back.jsonl"
    with file.open("rb") as stream:
        ops = load(stream).ops
    found = seen("log-poll", ops)
    assert found is not None
    assert "and was not restarted since" in found.flaw.sentence
    at = found.flaw.witness[0] + 1
    killed = Op(at, at, NEMESIS, OpType.INFO, "kill", node="n1")
    later = [msgspec.structs.replace(op, index=op.index + 1) for op in ops[at:]]
    assert log_poll.ENDING
    assert seen("log-poll", (*ops[:at], killed, *later)) is None
    verdict = check(Evidence(History(ops), MEMBERS), ["log-poll"])[0]
    assert verdict.validity is Validity.FAIL
