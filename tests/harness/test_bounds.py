"""Values that no run could use are refused where they are written: with line, or code 2."""

import sys
from pathlib import Path

import pytest
from complaints import HEAD, complaint
from delphic.__main__ import main
from delphic.harness.errors import ExitCode, ScenarioError
from delphic.harness.gate import config
from delphic.harness.gate.resolve import resolve
from delphic.harness.language.steps import WORD_MAX
from delphic.harness.plan import decode, encode, plan
from delphic.harness.scenario import SEED_MAX, load
from delphic.harness.simulate.cli import WORLDS_MAX, are_too_many, seeds_in


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            HEAD.replace("mine", "m" * (WORD_MAX + 1)),
            f"my.yaml:1: name: must be at most {WORD_MAX}",
        ),
        (f"{HEAD}seed: {SEED_MAX + 1}\n", f"my.yaml:4: seed: must be at most {SEED_MAX}"),
        (HEAD.replace("log}", "log, rate: .nan}"), "my.yaml:2: workload.rate: must be operations"),
        (HEAD.replace("log}", "log, rate: .inf}"), "my.yaml:2: workload.rate: must be operations"),
        (HEAD.replace("log}", f"log, rate: {'9' * 400}}}"), "my.yaml:2: workload.rate: must be op"),
        (f"{HEAD}limits: {{leader: {'9' * 400}s}}\n", "my.yaml:4: limits.leader: must be a dura"),
        (
            HEAD.replace("log}", "log, ops: [{client: 256, at: 1s, append: 1}]}"),
            "my.yaml:2: workload.ops[0].client: must be below 256, not 256",
        ),
        (
            HEAD + 'cluster: {config: {raftElectionTick: "50\\nmaxFrameSize=1"}}\n',
            "my.yaml:4: cluster.config.raftElectionTick: must be one line of text",
        ),
        (f"{HEAD}cluster: {{config: {{x: .nan}}}}\n", "my.yaml:4: cluster.config.x: must be"),
        (f"{HEAD}cluster: {{config: {{x: {2**63}}}}}\n", "my.yaml:4: cluster.config.x: must be"),
        (
            f"{HEAD}faults: [{{at: 1s, rate: {{limit: {'9' * 400}B/s}}}}]\n",
            "must be a rate like",
        ),
    ],
)
def test_a_value_that_no_run_can_use_is_refused(text: str, said: str) -> None:
    assert said in complaint(text)


def test_what_is_as_large_as_it_may_be_can_be_planned_and_read_again() -> None:
    text = (
        f"{HEAD.replace('mine', 'm' * WORD_MAX)}seed: {SEED_MAX}\nlimits: {{leader: 999999999h}}\n"
    )
    made = plan(load(text, "my.yaml"), seed=SEED_MAX, target="sim", command="")
    assert decode(encode(made), "plan.json") == made


@pytest.mark.parametrize("text", ["9" * 300, "9" * 19 + "9", f"1..{SEED_MAX + 1}"])
def test_a_seed_has_63_bits(text: str) -> None:
    assert seeds_in(text) is None


def test_seeds_may_be_large_and_many() -> None:
    assert seeds_in(f"{SEED_MAX}..{SEED_MAX}") == range(SEED_MAX, SEED_MAX + 1)
    assert not are_too_many(range(1, WORLDS_MAX + 1))


def test_a_gate_s_worlds_are_not_endless(tmp_path: Path) -> None:
    text = "steps:\n  - {simulate: quickstart, seeds: 0..1000000}\n"
    with pytest.raises(ScenarioError, match="1,000,000 worlds at most"):
        resolve(*config.load(text, str(tmp_path / "gate.yaml")))


@pytest.mark.parametrize(
    "words",
    [
        ["run", "quickstart", "--seed", "9" * 300],
        ["simulate", "quickstart", "--seeds", "100000000000"],
        ["check", "x.jsonl", "--spec", "register", "--memory", "-5"],
        ["check", "x.jsonl", "--spec", "register", "--seconds", "nan"],
        ["check", "x.jsonl", "--spec", "register", "--seconds", "-1"],
        ["shell", "127.0.0.1:1", "-c", "help()", "--timeout", "nan"],
        ["zoo", "--budget", "inf"],
        ["shrink", "x", "--seconds", "nan"],
    ],
)
def test_an_option_that_no_command_can_use_is_refused(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.jsonl").write_text('{"process":0,"type":"invoke","f":"read"}\n')
    monkeypatch.setattr(sys, "argv", ["delphic", *words])
    assert main() == ExitCode.USAGE
    assert f"Invalid value for '{words[-2]}'" in capsys.readouterr().err


def test_a_laboratory_of_a_gate_has_a_number(tmp_path: Path) -> None:
    text = "steps:\n  - {run: quickstart, target: 'lab:x'}\n"
    with pytest.raises(ScenarioError, match="there is no target 'lab:x'"):
        resolve(*config.load(text, str(tmp_path / "gate.yaml")))


def test_a_budget_of_nothing_is_not_the_file_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gate.yaml").write_text(
        "budget: 9m\nsteps:\n  - {check: x.jsonl, spec: register}\n"
    )
    (tmp_path / "x.jsonl").write_text('{"process":0,"type":"invoke","f":"read"}\n')
    monkeypatch.setattr(sys, "argv", ["delphic", "gate", "--budget", "0s"])
    assert main() == ExitCode.USAGE
    assert "--budget" in capsys.readouterr().err
