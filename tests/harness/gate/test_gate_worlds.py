"""Many worlds as one step: how far it goes, and what of it a known failure excuses."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from delphic.harness.errors import ExitCode
from delphic.harness.gate.baseline import excuse
from delphic.harness.gate.result import Attempt, Known
from delphic.harness.gate.step import Order, Simulate
from delphic.harness.gate.work import Doer
from delphic.harness.simulate.campaign import Case, Job, Tried
from delphic.harness.verdict import Validity

SCENARIO = "name: small\nworkload: {name: log, clients: 1, rate: 30}\nduration: 1s\n"
HOPING = SCENARIO + "expect: {verdict: fail, promises: [HS-4]}\n"
KNOWN = Known("a", "2026-11-21", "issue 7", ("HS-4",))
TODAY = date(2026, 11, 21)

World = tuple[Validity, tuple[str, ...]]
SOUND: World = (Validity.PASS, ())
STALE: World = (Validity.FAIL, ("HS-4",))
LOST: World = (Validity.FAIL, ("HS-2",))
ODD: World = (Validity.FAIL, ())
UNSURE: World = (Validity.INCONCLUSIVE, ())


def done(
    worlds: Mapping[int, World],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    text: str = SCENARIO,
    keep_going: bool = False,
    seconds: float = 60.0,
) -> tuple[Attempt, list[Attempt]]:
    """What came of the seeds, each of which does what is said, and what was told on the way."""

    def attempt(job: Job, case: Case, *, measure: bool = False) -> Tried:
        validity, promises = worlds[case.seed]
        hoped = validity is Validity.FAIL and "HS-4" in promises
        as_expected = hoped if text == HOPING else validity is Validity.PASS
        sentence = f"{validity.value} {promises}"
        return Tried(case, validity, as_expected, sentence, (sentence,), promises=promises)

    monkeypatch.setattr("delphic.harness.simulate.campaign.try_case", attempt)
    monkeypatch.setattr("delphic.harness.gate.work.keep_cases", lambda *_: ({}, None))
    work = Simulate("small", "small.yaml", text, min(worlds), max(worlds))
    order = Order(work, seconds, 1, str(folder), keep_going)
    early: list[Attempt] = []
    return Doer(order, lambda run: None, lambda text: None, early.append).do(), early


@pytest.mark.parametrize(
    ("worlds", "excused", "beside"),
    [
        ([STALE, SOUND, STALE], True, ExitCode.AS_EXPECTED),
        ([STALE, LOST], False, ExitCode.AS_EXPECTED),
        ([STALE, ODD], False, ExitCode.AS_EXPECTED),
        ([STALE, UNSURE], True, ExitCode.INCONCLUSIVE),
    ],
)
def test_a_known_failure_excuses_nothing_else_that_breaks_in_later_worlds(
    worlds: list[World],
    excused: bool,
    beside: ExitCode,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    found, _ = done(dict(enumerate(worlds, 1)), monkeypatch, tmp_path, keep_going=True)
    assert found.details["worlds"] == len(worlds)
    assert (found.code, found.beside) == (ExitCode.PROMISE_BROKEN, beside)
    assert excuse(KNOWN, found, TODAY)[0] is excused


def test_a_failure_that_no_finding_has_room_for_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kinds = [(Validity.FAIL, ("HS-4", f"HS-{number}")) for number in range(10, 16)]
    found, _ = done(dict(enumerate(kinds, 1)), monkeypatch, tmp_path, keep_going=True)
    assert found.promises == ("HS-4", *(f"HS-{number}" for number in range(10, 16)))


def test_worlds_that_were_not_tried_are_not_excused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, early = done({1: STALE, 2: SOUND}, monkeypatch, tmp_path)
    assert first.details["worlds"] == 1
    assert [one.beside for one in (first, *early)] == [ExitCode.INCONCLUSIVE] * 2


def test_where_a_failure_is_expected_one_seed_has_to_show_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found, _ = done({5: ODD, 6: LOST, 7: STALE, 8: SOUND}, monkeypatch, tmp_path, text=HOPING)
    assert (found.code, found.details["worlds"]) == (ExitCode.AS_EXPECTED, 3)
    assert found.sentence.endswith("fail ('HS-4',)")
    found, _ = done({5: ODD, 6: LOST}, monkeypatch, tmp_path, text=HOPING)
    assert found.code is ExitCode.PROMISE_BROKEN


def test_an_expected_failure_that_there_was_no_time_to_see_is_undecided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worlds = {1: ODD, 2: STALE}
    found, _ = done(worlds, monkeypatch, tmp_path, text=HOPING, seconds=-1.0)
    assert (found.code, found.unfinished) == (ExitCode.INCONCLUSIVE, "out of time")
