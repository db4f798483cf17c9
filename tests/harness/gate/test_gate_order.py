"""A gate's order: budgets, retries, known failures, memory, and one exit code for all."""

import signal
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.harness.errors import ExitCode, WorldError
from delphic.harness.gate.bell import Bell
from delphic.harness.gate.gate import Gate, Rules
from delphic.harness.gate.memory import Memory, digest_of
from delphic.harness.gate.process import Interrupted
from delphic.harness.gate.result import Attempt, Finding, GateResult, Known, State
from delphic.harness.gate.show import Quiet
from delphic.harness.gate.step import Explore, Order, Run, Simulate, Step, Work

GOOD = Attempt(ExitCode.AS_EXPECTED, "All is well.", seconds=1.0)
BROKEN = Attempt(ExitCode.PROMISE_BROKEN, "A read was stale.", (Finding("Stale.", ("HS-4",)),))
UNSURE = Attempt(ExitCode.INCONCLUSIVE, "A fault did not bite.")
HOSTS = Attempt(ExitCode.WORLD, "A port is taken.")
BUG = Attempt(ExitCode.HARNESS, "An assertion.")
SHORT = Attempt(ExitCode.INCONCLUSIVE, "3 of 9 worlds.", unfinished="out of time")

WORLDS = Simulate("chaos", "scenarios/chaos.yaml", "", 1, 9)


def run(target: str = "local", duration_s: float = 1.0) -> Run:
    return Run("quickstart", "scenarios/quickstart.yaml", "", target, 1, duration_s)


def step(name: str, work: Work = WORLDS, **more: Any) -> Step:
    return Step(name, 1, work, **more)


class Play:
    """Answers as it was told to, and remembers what it was asked."""

    def __init__(self, *attempts: Attempt | Interrupted) -> None:
        self.left = list(attempts)
        self.orders: list[Order] = []

    def __call__(self, order: Order, log: Path, tell: Callable[[str], object]) -> Attempt:
        self.orders.append(order)
        found = self.left.pop(0)
        if not isinstance(found, Attempt):
            raise found
        return found


def play(
    tmp_path: Path,
    steps: Iterable[Step],
    *attempts: Attempt | Interrupted,
    affected: dict[str, str] | None = None,
    resume: bool = False,
    digest: Callable[[Step], str] = lambda step: digest_of(step.name.encode()),
    **rules: Any,
) -> GateResult:
    given: dict[str, Any] = {"budget_s": 100.0, "today": date(2026, 11, 21), **rules}
    performer = Play(*attempts)
    gate = Gate(
        Rules(name="gate", file="gate.yaml", jobs=2, out=tmp_path, **given),
        list(steps),
        affected,
        Memory(tmp_path / "done", digest, resume),
        performer,
        Quiet(),
    )
    written: list[GateResult] = []
    result = gate.run(written.append)
    assert not performer.left
    assert written[-1].steps == result.steps
    return result


def words(result: GateResult) -> list[str]:
    return [one.word for one in result.steps]


@pytest.mark.parametrize(
    ("attempts", "code"),
    [
        ([GOOD, GOOD], 0),
        ([GOOD, BROKEN], 1),
        ([BUG, BROKEN], 1),
        ([BUG, HOSTS], 5),
        ([HOSTS, UNSURE], 4),
        ([UNSURE, Attempt(ExitCode.USAGE, "No such file.")], 3),
        ([GOOD, SHORT], 3),
    ],
)
def test_the_worst_step_decides(attempts: list[Attempt], code: int, tmp_path: Path) -> None:
    assert play(tmp_path, [step("a"), step("b")], *attempts).exit_code == code


def test_the_promise_that_broke_is_in_the_sentence(tmp_path: Path) -> None:
    differs = Attempt(ExitCode.PROMISE_BROKEN, "It differs.", (Finding("Differs."),))
    steps = [step("worlds"), step("more"), step("steps")]
    found = play(tmp_path, steps, BROKEN, GOOD, differs)
    assert found.sentence == "HS-4 broke: worlds. Not as it should be: steps."
    assert play(tmp_path, steps[:1], differs).sentence == "Not as it should be: worlds."


def test_what_no_time_is_left_for_is_not_done_and_never_green(tmp_path: Path) -> None:
    found = play(tmp_path, [step("a")], budget_s=0.5)
    assert words(found) == ["not done"]
    assert (found.exit_code, found.sentence) == (3, "Not done: a.")
    assert "out of time" in found.steps[0].sentence


def test_a_run_that_would_not_fit_is_not_begun(tmp_path: Path) -> None:
    found = play(tmp_path, [step("long", run(duration_s=200.0)), step("short")], GOOD)
    assert [one.state for one in found.steps] == [State.NOT_DONE, State.DONE]
    assert "it takes 203 s" in found.steps[0].sentence
    assert found.exit_code == 3


def test_a_step_gets_what_is_left_and_no_more_than_its_own_budget(tmp_path: Path) -> None:
    performer = Play(GOOD, GOOD)
    rules = Rules("gate", "gate.yaml", 100.0, 2, tmp_path)
    memory = Memory(tmp_path / "done", lambda one: one.name, is_asked=False)
    steps = [step("a", budget_s=5.0), step("b")]
    Gate(rules, steps, None, memory, performer, Quiet()).run(lambda _: None)
    assert performer.orders[0].seconds == 5
    assert 90 < performer.orders[1].seconds <= 100


@pytest.mark.parametrize("work", [WORLDS, Explore("raft"), run("sim")])
def test_a_failure_in_simulation_is_never_a_flake(work: Work, tmp_path: Path) -> None:
    retried = frozenset({"broken", "inconclusive", "hosts"})
    found = play(tmp_path, [step("a", work)], BROKEN, retries=3, retried=retried)
    assert (found.exit_code, len(found.steps[0].attempts)) == (1, 1)


def test_a_real_run_is_tried_again_as_the_policy_says_and_both_are_told(tmp_path: Path) -> None:
    steps = [step("a", run()), step("b", run()), step("c", run())]
    policy: dict[str, Any] = {"retries": 2, "retried": frozenset({"inconclusive"})}
    found = play(tmp_path, steps, UNSURE, GOOD, UNSURE, UNSURE, UNSURE, BROKEN, **policy)
    assert words(found) == ["flaky", "inconclusive", "broken"]
    assert [one.attempts for one in found.steps] == [
        (UNSURE, GOOD), (UNSURE, UNSURE, UNSURE), (BROKEN,),
    ]  # fmt: skip
    assert found.steps[0].notes == ("Tried 2 times: inconclusive, then as expected.",)
    only = play(tmp_path, steps[:1], UNSURE, GOOD, **policy)
    assert (only.exit_code, only.sentence) == (0, "All 1 step as expected (1 flaky).")


def known(until: str = "2026-11-21", *promises: str) -> dict[str, Known]:
    return {"a": Known("a", until, "issue 7", promises)}


def test_a_known_failure_does_not_make_a_gate_red(tmp_path: Path) -> None:
    found = play(tmp_path, [step("a")], BROKEN, baseline=known("2026-11-21", "HS-4"))
    assert (found.exit_code, words(found)) == (0, ["known failure"])
    assert found.sentence == "All 1 step as expected (1 known to fail)."
    assert found.steps[0].notes == ("Known until 2026-11-21: issue 7",)


@pytest.mark.parametrize(
    ("entry", "attempt", "code", "note"),
    [
        (known("2026-11-20"), BROKEN, 1, "It was known until 2026-11-20 (issue 7), which is over."),
        (known("2026-11-21", "HS-1"), BROKEN, 1, "It is known that HS-1 breaks (issue 7), but"),
        (known(), GOOD, 0, "A known failure is gone (issue 7): remove it from the baseline."),
        (known(), BUG, 5, ""),
        (known(), UNSURE, 3, ""),
    ],
)
def test_what_is_not_that_failure_any_more_is_told(
    entry: dict[str, Known], attempt: Attempt, code: int, note: str, tmp_path: Path
) -> None:
    found = play(tmp_path, [step("a")], attempt, baseline=entry)
    assert found.exit_code == code
    assert found.steps[0].known is None
    assert " ".join(found.steps[0].notes).startswith(note)
    assert bool(found.steps[0].notes) == bool(note)


def test_a_known_failure_does_not_excuse_what_else_is_undecided(tmp_path: Path) -> None:
    partly = msgspec.structs.replace(BROKEN, beside=ExitCode.INCONCLUSIVE)
    found = play(tmp_path, [step("a")], partly, baseline=known())
    assert (found.exit_code, found.sentence) == (3, "Undecided: a.")
    again = play(tmp_path, [step("a")], resume=True)
    assert (again.exit_code, words(again)) == (1, ["broken"])
    # Of a step that stopped at its failure nobody knows the rest; where it is known, that is asked.
    later = play(tmp_path, [step("a")], BROKEN, resume=True, baseline=known())
    assert (later.exit_code, words(later)) == (0, ["known failure"])


def test_only_a_step_with_a_known_failure_goes_on_after_one(tmp_path: Path) -> None:
    performer = Play(BROKEN, BROKEN)
    rules = Rules("gate", "gate.yaml", 100.0, 2, tmp_path, baseline=known())
    memory = Memory(tmp_path / "done", lambda one: one.name, is_asked=False)
    Gate(rules, [step("a"), step("b")], None, memory, performer, Quiet()).run(lambda _: None)
    assert [order.keep_going for order in performer.orders] == [True, False]


def test_resuming_does_nothing_again_whose_inputs_are_the_same(tmp_path: Path) -> None:
    steps = [step(name) for name in "abcd"]
    first = play(tmp_path, steps, GOOD, BROKEN, SHORT, BUG)
    assert [one.state for one in first.steps] == ["done", "done", "not done", "done"]
    again = play(tmp_path, steps, GOOD, GOOD, resume=True)
    assert [one.state for one in again.steps] == ["kept", "kept", "done", "done"]
    assert [one.code for one in again.steps] == [0, 1, 0, 0]
    changed = play(
        tmp_path, steps[:2], GOOD, resume=True,
        digest=lambda one: digest_of(one.name.encode() + (b" new" if one.name == "b" else b"")),
    )  # fmt: skip
    assert [one.state for one in changed.steps] == ["kept", "done"]


def test_what_changed_while_a_step_was_done_is_done_again(tmp_path: Path) -> None:
    """Nobody knows which of the two it has seen."""
    watched = tmp_path / "watched"
    watched.write_text("right")

    def saved(order: Order, log: Path, tell: Callable[[str], object]) -> Attempt:
        watched.write_text("wrong")
        return GOOD

    memory = Memory(tmp_path / "done", lambda _: digest_of(watched.read_bytes()), is_asked=True)
    rules = Rules("gate", "gate.yaml", 100.0, 2, tmp_path)
    for _ in range(2):
        gate = Gate(rules, [step("a")], None, memory, saved, Quiet())
        found = gate.run(lambda _: None)
        assert words(found) == ["pass"]
        assert found.steps[0].state is State.DONE
        watched.write_text("wrong")
    assert gate.run(lambda _: None).steps[0].state is State.KEPT


def test_what_cannot_be_read_is_not_remembered(tmp_path: Path) -> None:
    def digest(_: Step) -> str:
        raise PermissionError

    found = play(tmp_path, [step("a")], GOOD, resume=True, digest=digest)
    assert (found.exit_code, words(found)) == (0, ["pass"])
    assert not (tmp_path / "done").exists()


def test_without_resume_everything_is_done_again(tmp_path: Path) -> None:
    assert play(tmp_path, [step("a")], GOOD).steps[0].state == "done"
    assert play(tmp_path, [step("a")], BROKEN).steps[0].code == 1


def test_a_known_failure_of_before_is_held_against_the_baseline_of_now(tmp_path: Path) -> None:
    play(tmp_path, [step("a")], BROKEN, baseline=known())
    later = play(tmp_path, [step("a")], resume=True, baseline=known("2026-01-01"))
    assert later.exit_code == 1


def test_what_a_change_cannot_affect_is_not_done_and_that_is_said(tmp_path: Path) -> None:
    found = play(tmp_path, [step("a"), step("b")], GOOD, affected={"b": "changed: b.py"})
    assert words(found) == ["unaffected", "pass"]
    none = play(tmp_path, [step("a")], affected={})
    assert none.exit_code == 0
    assert none.sentence == "Nothing that these steps depend on has changed: nothing was done."


def test_an_interrupted_gate_ends_with_a_result_and_is_not_green(tmp_path: Path) -> None:
    found = play(tmp_path, [step("a"), step("b"), step("c")], GOOD, Interrupted(GOOD))
    assert words(found) == ["pass", "not done", "not done"]
    assert found.exit_code == 3


def test_who_rings_while_a_step_is_done_is_heard_by_it(tmp_path: Path) -> None:
    def ringing(order: Order, log: Path, tell: Callable[[str], object]) -> Attempt:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("it was not heard")

    bell = Bell()
    memory = Memory(tmp_path / "done", lambda one: one.name, is_asked=False)
    rules = Rules("gate", "gate.yaml", 100.0, 2, tmp_path)
    steps = [step("a"), step("b")]
    with bell.hung():
        gate = Gate(rules, steps, None, memory, ringing, Quiet(), bell)
        found = gate.run(lambda _: signal.raise_signal(signal.SIGTERM) if bell.has_rung else None)
    assert words(found) == ["not done", "not done"]


def test_an_interrupted_step_that_broke_a_promise_is_red(tmp_path: Path) -> None:
    found = play(tmp_path, [step("a"), step("b")], Interrupted(BROKEN))
    assert (found.exit_code, words(found)) == (1, ["broken", "not done"])
    assert found.sentence == "HS-4 broke: a."
    # Where that is known, the rest of the step is not.
    excused = play(tmp_path, [step("a")], Interrupted(BROKEN), baseline=known())
    assert excused.exit_code == 3


def test_what_cannot_be_remembered_or_written_hides_no_broken_promise(tmp_path: Path) -> None:
    (tmp_path / "done").touch()
    found = play(tmp_path, [step("a"), step("b")], BROKEN, GOOD)
    assert (found.exit_code, found.sentence) == (1, "HS-4 broke: a.")
    assert found.notes[0].startswith(f"cannot write {tmp_path / 'done'}")
    green = play(tmp_path, [step("b")], GOOD)
    assert green.exit_code == 4
    assert "Not everything could be written: cannot write" in green.sentence

    def full(_: GateResult) -> None:
        raise WorldError("no space")

    rules = Rules("gate", "gate.yaml", 100.0, 2, tmp_path / "out")
    memory = Memory(tmp_path / "kept", lambda one: one.name, is_asked=False)
    steps = [step("a"), step("b")]
    lost = Gate(rules, steps, None, memory, Play(BROKEN, GOOD), Quiet()).run(full)
    assert (lost.exit_code, len(lost.steps), lost.notes) == (1, 2, ("no space",))


def test_a_step_that_has_no_place_for_its_log_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    found = play(tmp_path, [step("a")])
    assert (found.exit_code, found.sentence) == (4, "The hosts failed us: a.")


def test_what_is_written_on_the_way_is_not_green_before_the_end(tmp_path: Path) -> None:
    codes: list[int] = []
    rules = Rules("gate", "gate.yaml", 100.0, 2, tmp_path)
    memory = Memory(tmp_path / "done", lambda one: one.name, is_asked=False)
    gate = Gate(rules, [step("a"), step("b")], None, memory, Play(GOOD, GOOD), Quiet())
    gate.run(lambda so_far: codes.append(so_far.exit_code))
    assert codes == [3, 3, 0]


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    found = play(tmp_path, [step("a")], BROKEN, baseline=known("2026-11-21", "HS-4"))
    assert msgspec.json.decode(msgspec.json.encode(found), type=GateResult) == found
