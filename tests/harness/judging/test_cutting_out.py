"""What is cut out of a history is as small as can be, and proves what it shows."""

import random

import pytest
from delphic.harness.checkers.judging import check
from delphic.harness.checkers.operations import UNKNOWN, Operation
from delphic.harness.checkers.specs import SPECS
from delphic.harness.evidence import Budget
from delphic.harness.judging.judged import WITNESS_MAX, judged
from delphic.harness.judging.witness import cut
from delphic.harness.verdict import Validity

PATIENT = Budget(seconds=20.0)


def one_by_one(*asked: tuple[object, ...]) -> list[Operation]:
    return [
        Operation(at % 3, str(f), None, argument, result, 2 * at, 2 * at + 1)
        for at, (f, argument, result) in enumerate(asked)
    ]


def shown(name: str, operations: list[Operation]) -> tuple[list[tuple[str, object]], bool]:
    judgement = check(operations, name)
    assert judgement.validity is Validity.FAIL
    found = cut(operations, judgement.findings[0], SPECS[name], PATIENT)
    return [(o.f, o.argument or o.result) for o in found.operations], found.is_proof


def test_of_a_stale_read_only_what_overwrote_and_the_read_are_left() -> None:
    operations = one_by_one(
        *(("write", value, None) for value in range(1, 30)), ("read", None, 29), ("read", None, 28)
    )
    few, is_proof = shown("register", operations)
    assert is_proof
    assert ("read", 28) in few
    assert len(few) <= 3
    assert ("write", 5) not in few


def test_what_is_not_needed_is_forgotten_and_not_left_out() -> None:
    """Without its write a read proves nothing: one of them must keep its answer."""
    operations = one_by_one(
        ("write", 1, None), ("write", 1, None), ("write", 2, None), ("read", None, 1)
    )
    few, is_proof = shown("register", operations)
    assert is_proof
    assert few == [("write", 1), ("write", 1), ("write", 2), ("read", 1)]


def test_an_anomaly_that_counts_gets_what_it_needs() -> None:
    """Three increments were acknowledged, and two are seen."""
    operations = one_by_one(
        ("add", None, None), ("add", None, None), ("add", None, None), ("read", None, 2)
    )
    few, is_proof = shown("counter", operations)
    assert is_proof
    assert [f for f, _ in few] == ["add", "add", "add", "read"]


def texts(*asked: tuple[str, str]) -> list[Operation]:
    """Appends and gets one by one: a get says what it finds."""
    return one_by_one(*((f, text, None) if f != "get" else (f, None, text) for f, text in asked))


WORDS = [f"<{number}>" for number in range(60)]
WHOLE = "".join(WORDS)
APPENDED = [("append", word) for word in WORDS]


@pytest.mark.parametrize(
    ("wrong", "few"),
    [
        (WHOLE.replace("<31>", ""), [("append", "<31>"), ("get", "")]),
        (WHOLE + "<59>", [("append", "<59>"), ("get", "<59><59>")]),
        (
            WHOLE.replace("<58><59>", "<59><58>"),
            [("append", "<58>"), ("append", "<59>"), ("get", "<59><58>")],
        ),
        (WHOLE + "never", [("get", "never")]),
    ],
    ids=["hole", "twice", "order", "nobody's"],
)
def test_of_long_texts_only_the_words_that_matter_are_left(
    wrong: str, few: list[tuple[str, str]]
) -> None:
    operations = texts(*APPENDED, ("get", WHOLE), *[("get", WHOLE)] * 3, ("get", wrong))
    judgement = check(operations, "text")
    found = cut(operations, judgement.findings[0], SPECS["text"], PATIENT)
    assert (found.is_proof, found.is_simpler) == (True, True)
    shown = [(o.f, o.argument if o.f == "append" else o.result) for o in found.operations]
    assert len(shown) <= len(few)
    assert shown[-1] == few[-1]
    told = judged(operations, SPECS["text"], judgement)
    assert "from which all that does not matter was left out" in told.proof


def test_words_that_cannot_be_told_apart_are_left_as_they_are() -> None:
    """`a` begins `ab`: what a text is made of is not certain."""
    operations = texts(("append", "a"), ("append", "ab"), ("get", "aab"), ("get", "ab"))
    judgement = check(operations, "text")
    assert judgement.validity is Validity.FAIL
    found = cut(operations, judgement.findings[0], SPECS["text"], PATIENT)
    assert (found.is_proof, found.is_simpler) == (True, False)


@pytest.mark.slow
def test_a_simpler_history_is_right_if_the_whole_is() -> None:
    chance = random.Random(7)
    wrong = 0
    for _ in range(400):
        words = iter(["a", "b", "cc", "d", "e"])
        state, asked = "", []
        for _ in range(5):
            f = chance.choice(["put", "append", "get"])
            word = state if f == "get" else next(words)
            state = word if f == "put" else state + word if f == "append" else state
            asked.append((f, chance.choice(["a", "ab", "ccd", state]) if f == "get" else word))
        operations = texts(*asked)
        is_right = check(operations, "text").validity is not Validity.FAIL
        simpler = SPECS["text"].simpler
        assert simpler is not None
        fails = [
            check(few, "text").validity is Validity.FAIL
            for few in simpler(operations, operations[0])
        ]
        assert not (is_right and any(fails))
        wrong += any(fails)
    assert wrong > 50


@pytest.mark.slow
def test_random_wrong_histories_stay_wrong_when_all_else_is_forgotten() -> None:
    chance = random.Random(5)
    proofs = 0
    for _ in range(60):
        name = chance.choice(["register", "counter", "queue", "set"])
        operations = drafted(name, chance)
        judgement = check(operations, name)
        if judgement.validity is not Validity.FAIL:
            continue
        found = cut(operations, judgement.findings[0], SPECS[name], PATIENT)
        assert found.is_proof
        kept = {operation.invoked for operation in found.operations}
        rest = [o if o.invoked in kept else forgotten(o) for o in operations]
        assert check(rest, name).validity is Validity.FAIL
        for one in kept:
            fewer = [o if o.invoked in kept - {one} else forgotten(o) for o in operations]
            assert check(fewer, name).validity is not Validity.FAIL
        proofs += 1
    assert proofs > 20


def drafted(name: str, chance: random.Random) -> list[Operation]:
    """Operations that overlap, with answers drawn at random."""
    write, read = {
        "register": ("write", "read"),
        "counter": ("add", "read"),
        "queue": ("enqueue", "dequeue"),
        "set": ("add", "read"),
    }[name]
    places = list(range(16))
    chance.shuffle(places)
    found = []
    for at in range(8):
        begin, end = sorted(places[2 * at : 2 * at + 2])
        is_write = chance.random() < 0.6
        argument = (None if name == "counter" else at) if is_write else None
        number = chance.randint(0, 7)
        answer = tuple(sorted({number, at})) if name == "set" else number
        result = None if is_write else answer
        f = write if is_write else read
        found.append(Operation(at, f, None, argument, result, begin, end))
    return sorted(found, key=lambda operation: operation.invoked)


def forgotten(operation: Operation) -> Operation:
    return Operation(
        operation.process, operation.f, None, operation.argument, UNKNOWN, operation.invoked, None
    )


def test_of_very_many_operations_those_around_the_misfit_are_shown() -> None:
    operations = one_by_one(*(("add", None, None) for _ in range(40)), ("read", None, 39))
    found = judged(operations, SPECS["counter"], check(operations, "counter"))
    assert found.witness_count == 41
    assert [shown.f for shown in found.witness] == ["add"] * (WITNESS_MAX - 1) + ["read"]
    assert found.proof == f"These are {WITNESS_MAX} of 41 operations that show it together."
    assert len(found.picture) == 3
