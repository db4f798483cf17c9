"""The named traces: every stage is reached on every seed; with the bug the promise breaks."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from delphic.harness.checkers.timeline import Act, acts
from delphic.harness.history import History, load
from delphic.harness.language import shipped
from delphic.harness.language.document import Document, parse
from delphic.harness.op import OpType
from delphic.harness.plan import plan
from delphic.harness.scenario import Scenario, read
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.verdict import RunVerdict, Validity
from delphic.impl.bugs import BUGS

SEEDS = (1, 2, 77, 4711, 1 << 40)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What the trace shows: a seeded bug, the promise that it breaks on every seed, and how many
    of the last stages only the correct build reaches."""

    bug: str
    promise: str
    missed: int = 0


MISTAKES = {
    "trace-early-vote": Mistake("ack-before-fsync", "HS-1"),
    "trace-false-ack": Mistake("ack-own-last", "HS-2"),
    "trace-figure-8": Mistake("commit-old-term", "HS-2", missed=1),
    "trace-figure-8-three": Mistake("commit-old-term", "HS-2", missed=1),
    "trace-forgotten-vote": Mistake("vote-twice", "HS-1", missed=1),
    "trace-late-append": Mistake("always-truncate", "HS-2", missed=1),
    "trace-lost-tail": Mistake("ack-before-fsync", "HS-2"),
    "trace-new-leader-reads": Mistake("read-before-noop", "HS-4"),
    "trace-old-leader-reads": Mistake("stale-read", "HS-4"),
    "trace-stale-vote": Mistake("stale-vote-counted", "HS-1"),
}
WITHOUT = ("trace-figure-8-e", "trace-rejoin", "trace-stale-refusal")
"""Traces whose mistake is seeded in the model only."""

NAMES = sorted((*MISTAKES, *WITHOUT))


@dataclass(frozen=True, slots=True)
class Played:
    """One world: its verdict, its history, what its members wrote, and how many clients it had."""

    verdict: RunVerdict
    history: History
    traces: dict[str, bytes]
    clients: int

    def stages(self) -> dict[str, dict[str, Any]]:
        """What was known of every member at each stage that was reached."""
        return {
            act.asked.value["target"]: act.details["fired"]["states"]
            for act in self._stage_acts()
            if act.bit
        }

    def term(self, stage: str, member: str) -> int:
        """The member's term when the stage was reached; stages by how they begin."""
        found = [states for name, states in self.stages().items() if name.startswith(stage)]
        return int(found[0][member]["term"])

    def missed(self) -> list[str]:
        return [act.asked.value["target"] for act in self._stage_acts() if not act.bit]

    def _stage_acts(self) -> Iterator[Act]:
        return (act for act in acts(self.history) if act.f == "stage")

    def outcome(self, client: int, number: int) -> OpType:
        """How the client's operation of this number in the script came out."""
        mine = [
            call
            for call in self.history.calls()
            if isinstance(call.invoke.process, int) and call.invoke.process % self.clients == client
        ]
        return mine[number].outcome

    def steps(self, member: str) -> Iterator[dict[str, Any]]:
        """The records of a member's trace."""
        return map(json.loads, self.traces[member].splitlines())

    def answers(self, member: str, term: int) -> Iterator[tuple[str, dict[str, Any], int]]:
        """Append responses that it was given as leader of a term: of whom, what, and its commit."""
        for record in self.steps(member):
            event, post = record["event"], record["post"]
            leads = post["role"] == "leader" and post["term"] == term
            if leads and event.get("message", {}).get("kind") == "AppendResponse":
                yield event["uid"][0], event["message"]["fields"], post["commit"]


def scenario(name: str, bug: str | None) -> Scenario:
    document = parse(*shipped.text_of(name))
    if bug is None:
        return read(document)
    cluster = {**document.data["cluster"], "bugs": {"all": [bug]}}
    return read(Document({**document.data, "cluster": cluster}, {}, name))


def played(name: str, seed: int, bug: str | None = None) -> Played:
    return _played(name, seed, bug)


@cache
def _played(name: str, seed: int, bug: str | None) -> Played:
    made = plan(scenario(name, bug), seed=seed, target="sim", command="")
    found = simulate_plan(made)
    history = load(io.BytesIO(found.history))
    return Played(found.verdict, history, found.traces, made.load.clients)


def stages_of(name: str) -> list[str]:
    return [fault.target for _, fault in scenario(name, None).fixed() if fault.kind == "stage"]


def test_every_named_trace_is_here_and_tells_its_stages() -> None:
    assert [name for name in shipped.names() if name.startswith("trace-")] == NAMES
    for name, mistake in MISTAKES.items():
        assert mistake.bug in BUGS
        assert mistake.promise in scenario(name, None).promises
    for name in NAMES:
        found = scenario(name, None)
        assert found.random_parts() == []
        assert len(set(stages_of(name))) == len(stages_of(name)) >= 3
        assert all(op.node is not None for op in found.workload.ops or ())


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_every_stage_is_reached_and_every_promise_kept(name: str, seed: int) -> None:
    found = played(name, seed)
    assert found.verdict.validity is Validity.PASS, found.verdict.sentence
    assert list(found.stages()) == stages_of(name)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", MISTAKES)
def test_with_its_bug_the_promise_breaks(name: str, seed: int) -> None:
    mistake = MISTAKES[name]
    found = played(name, seed, mistake.bug)
    broken = [v for v in found.verdict.verdicts if v.validity is Validity.FAIL]
    assert found.verdict.validity is Validity.FAIL, found.verdict.sentence
    assert mistake.promise in {promise for verdict in broken for promise in verdict.promises}
    told = stages_of(name)
    common = len(told) - mistake.missed
    assert list(found.stages())[:common] == told[:common]
    assert found.missed() == told[common:]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "a", "b", "stages"),
    [
        ("trace-figure-8", "n1", "n5", ("(a)", "(b)", "(c)", "(d) S5")),
        ("trace-figure-8-three", "n1", "n2", ("x is", "b leads", "a leads, and x", "b leads ag")),
    ],
)
def test_figure_8_has_the_terms_of_the_paper(
    name: str, a: str, b: str, stages: tuple[str, ...], seed: int
) -> None:
    """HS-2, HS-4: a knows that a majority holds x, and does not take it for committed."""
    found = played(name, seed)
    terms = [found.term(stage, who) for stage, who in zip(stages, (a, b, a, b), strict=True)]
    assert terms == [terms[0] + more for more in range(4)]
    states = next(s for stage, s in found.stages().items() if stage.startswith(stages[2]))
    x = states[a]["last"] - 1
    holders = {
        who
        for who, fields, commit in found.answers(a, terms[2])
        if fields["success"] and fields["match"] == x and commit < x
    }
    assert len(holders) + 1 == len(found.traces) // 2 + 1
    assert states[a]["commit"] < x


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_in_the_second_ending_x_is_committed_with_an_entry_of_the_leaders_own(seed: int) -> None:
    found = played("trace-figure-8-e", seed)
    before, after = (
        found.stages()["(c) S1 leads, and x is on S1, S2 and S3"]["n1"],
        next(
            states["n1"] for stage, states in found.stages().items() if stage.startswith("(e) S1")
        ),
    )
    assert before["commit"] < before["last"] - 1
    assert (after["commit"], after["last_term"]) == (after["last"], before["term"])
    led = [
        (record["t_ns"], member)
        for member in ("n2", "n3", "n4", "n5")
        for record in found.steps(member)
        if record["post"]["role"] == "leader" and record["post"]["term"] > before["term"]
    ]
    assert min(led)[1] in ("n2", "n3")


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_two_stand_in_one_term_and_one_is_elected(seed: int) -> None:
    """HS-1."""
    found = played("trace-forgotten-vote", seed)
    assert found.term("b has answered", "n3") == found.term("a leads", "n1")
    found = played("trace-early-vote", seed)
    assert found.term("b has voted", "n1") == found.term("b elects c", "n3")
    found = played("trace-stale-vote", seed)
    assert found.term("a stands again", "n1") == found.term("b elects c", "n3")
    assert found.term("a stands again", "n1") == found.term("a stands, and", "n1") + 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bug", [False, True])
def test_what_is_to_be_lost_or_missed_was_acknowledged(seed: int, bug: bool) -> None:
    """HS-2, HS-4: a promise breaks only by what a client was told."""

    def of(name: str) -> Played:
        return played(name, seed, MISTAKES[name].bug if bug else None)

    assert of("trace-false-ack").outcome(client=2, number=0) is OpType.OK
    assert of("trace-late-append").outcome(client=0, number=1) is OpType.OK
    assert of("trace-late-append").outcome(client=1, number=0) is OpType.OK
    assert (of("trace-lost-tail").outcome(client=0, number=1) is OpType.OK) is bug
    assert of("trace-new-leader-reads").outcome(client=0, number=1) is OpType.OK
    assert of("trace-new-leader-reads").outcome(client=1, number=0) is OpType.OK
    assert of("trace-old-leader-reads").outcome(client=0, number=1) is OpType.OK
    old = of("trace-old-leader-reads").outcome(client=1, number=0)
    assert old is (OpType.OK if bug else OpType.INFO)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_refusal_is_overtaken_and_a_rejoining_member_disturbs_nobody(seed: int) -> None:
    """HS-22, HS-25."""
    found = played("trace-stale-refusal", seed)
    term = found.term("b has acknowledged", "n1")
    told = [fields for who, fields, _ in found.answers("n1", term) if who == "n2"]
    refused = max(at for at, fields in enumerate(told) if not fields["success"])
    assert max(fields["match"] for fields in told[:refused]) > told[refused]["hint"] + 1
    found = played("trace-rejoin", seed)
    terms = {states["n1"]["term"] for states in found.stages().values()}
    assert len(terms) == 1
    assert found.term("a leads on", "n3") in terms
