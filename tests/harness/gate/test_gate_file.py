"""gate.yaml is read as scenarios are: every mistake with its line, nothing begun before."""

import os
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from delphic.__main__ import delphic
from delphic.harness.errors import ScenarioError, UsageError
from delphic.harness.gate import baseline, config
from delphic.harness.gate.resolve import resolve
from delphic.harness.gate.result import result_schema_text
from delphic.harness.gate.step import Check, Conform, Explore, Run, Simulate, Step
from delphic.harness.schema import schema_text

SCHEMAS = Path(__file__).resolve().parents[3] / "docs/schemas"


def steps_of(text: str, folder: Path = Path()) -> list[Step]:
    gate, document = config.load(text, str(folder / "gate.yaml"))
    return resolve(gate, document)


def test_each_step_says_what_is_done_and_a_list_makes_a_step_of_each(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    (tmp_path / "b.jsonl").write_text("")
    steps = steps_of(
        """\
steps:
  - {explore: [raft, storage], bounds: {crashes: 1}, budget: 20s}
  - {conform: wal, bounds: documented}
  - {simulate: chaos, seeds: 3..9, name: worlds}
  - {run: quickstart, seeds: 1..2}
  - {check: "*.jsonl", spec: register}
""",
        tmp_path,
    )
    assert [(step.name, step.line) for step in steps] == [
        ("explore raft", 2),
        ("explore storage", 2),
        ("conform wal", 3),
        ("worlds", 4),
        ("run quickstart, seed 1", 5),
        ("run quickstart, seed 2", 5),
        (f"check {tmp_path / 'a.jsonl'}", 6),
        (f"check {tmp_path / 'b.jsonl'}", 6),
    ]
    assert steps[0].work == Explore("raft", ("crashes=1",))
    assert steps[0].budget_s == 20
    assert steps[2].work == Conform("wal", documented=True)
    simulate, run, check = steps[3].work, steps[4].work, steps[6].work
    assert isinstance(simulate, Simulate)
    assert (simulate.first, simulate.last) == (3, 9)
    assert isinstance(run, Run)
    assert (run.target, run.seed, run.duration_s) == ("local", 1, 15)
    assert check == Check(str(tmp_path / "a.jsonl"), "register")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: []", "gate.yaml:1: steps: must not be empty"),
        ("- a", "gate.yaml: a gate is a mapping"),
        ("{exlpore: raft}", "gate.yaml:2: steps[0]: does nothing; did you mean"),
        ("steps: [raft]", "gate.yaml:1: steps[0]: must be a mapping"),
        ("{explore: raft, run: chaos}", "steps[0]: does explore and run"),
        ("bugdet: 3m\nsteps: [{explore: raft}]", "gate.yaml:1: bugdet: unknown key; did you mean"),
        ("{explore: raft, bugdet: 1s}", "steps[0].bugdet: unknown key; did you mean 'budget'?"),
        ("{explore: rafd}", "there is no model 'rafd'; did you mean 'raft'?"),
        ("{explore: raft, bounds: {membres: 3}}", "steps[0]: bound: raft has no 'membres'"),
        ("{explore: raft, bounds: {members: 2.5}}", "bounds.members: must be a whole number"),
        ("{explore: raft, mutant: none}", "steps[0]: no mutant 'none'"),
        ("{conform: wall}", "steps[0]: there is no binding 'wall'; did you mean 'wal'?"),
        ("{conform: wal, bugs: [stale-read]}", "wal has no seeded bug 'stale-read'"),
        ("{simulate: chaso}", "there is no scenario 'chaso'; did you mean 'chaos'?"),
        ("{simulate: chaos, seeds: 9..3}", "steps[0].seeds: must be seeds like 1..20"),
        ("{simulate: chaos, seeds: true}", "steps[0].seeds: must be seeds like 1..20"),
        ("{simulate: chaos, retries: 1}", "steps[0].retries: unknown key"),
        ("{run: trace-figure-8}", "needs message-order, which target local cannot do"),
        ("{run: quickstart, target: lokal}", "there is no target 'lokal'; did you mean 'local'?"),
        ("{run: quickstart, target: none.yaml}", "target: there is no file none.yaml"),
        ("{run: quickstart, seeds: 1..1000000000}", "a step makes 100 runs at most"),
        ("{check: /nowhere/*.edn, spec: register}", "there is no file /nowhere/*.edn"),
        ("{check: none.edn, spec: register}", "there is no file none.edn"),
        ("{check: none.edn, spec: regster}", "there is no specification 'regster'"),
        ("{check: a.edn, format: edm}", "steps[0].format: unknown format 'edm'; did you mean"),
        ("{explore: raft}\n  - {explore: raft}", "gate.yaml:3: steps[1]: 'explore raft' is on"),
        ("flakes: {of: [fail]}\nsteps: [{explore: raft}]", "flakes.of[0]: unknown value 'fail'"),
        ("budget: 10\nsteps:\n  - {explore: raft}", "gate.yaml:1: budget: must be a duration"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_and_what_would_be_right(text: str, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        steps_of(f"steps:\n  - {text}" if text.startswith("{") else text)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{check: run, spec: register}", "run is a run directory, which says itself what it is"),
        ("{check: run, expect: fail}", "run is a run directory: its scenario says what it expects"),
        ("{check: folder}", "folder is no run directory: it has no plan.json"),
        ("{check: folder, spec: register}", "folder is no run directory: it has no plan.json"),
    ],
)
def test_what_a_run_directory_says_itself_is_not_said_in_a_gate(
    step: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.json").touch()
    with pytest.raises(ScenarioError) as caught:
        steps_of(f"steps: [{step}]", tmp_path)
    assert told in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        steps_of("steps:\n  - {explore: rafd}\n  - {conform: wal}\n  - {simulate: chaso}")
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["gate.yaml:2", "gate.yaml:4"]


def test_a_scenario_of_ones_own_lies_beside_the_gate_and_its_mistakes_name_its_own_line(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nworkload: {name: log}\nduration: 2\n")
    with pytest.raises(ScenarioError) as caught:
        steps_of("steps:\n  - {simulate: mine.yaml}", tmp_path)
    told = f"{tmp_path}/gate.yaml:2: steps[0]: {tmp_path}/mine.yaml:3: duration"
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{step: b, until: 2027-01-31, why: w}", "known.yaml:2: known[0].step: there is no"),
        ("{step: explore raf, until: 2027-01-31, why: w}", "did you mean 'explore raft'?"),
        ("{step: explore raft, until: soon, why: w}", "until: must be a day like 2026-01-31"),
        ("{step: explore raft, until: 2027-01-31}", "known[0].why: is missing"),
        ("{step: explore raft, until: 2027-01-31, why: ''}", "known[0].why"),
        ("{step: explore raft, until: 2027-01-31, why: w, promises: [X]}", "'X' is no promise"),
        ("{step: explore raft, unitl: 2027-01-31, why: w}", "unknown key; did you mean 'until'?"),
    ],
)  # fmt: skip
def test_a_known_failure_names_a_step_a_day_and_a_reason(entry: str, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        baseline.load(f"known:\n  - {entry}", "known.yaml", ["explore raft"])
    assert told in str(caught.value)


def test_a_known_failure_is_said_once() -> None:
    entry = "{step: explore raft, until: 2027-01-31, why: w}"
    with pytest.raises(ScenarioError, match="said twice"):
        baseline.load(f"known: [{entry}, {entry}]", "known.yaml", ["explore raft"])


def test_the_published_schemas_are_those_of_the_code() -> None:
    said = {
        "gate": schema_text(config.schema()),
        "gate-baseline": schema_text(baseline.schema()),
        "gate-result": result_schema_text(),
    }
    for name, text in said.items():
        assert (SCHEMAS / f"{name}.schema.json").read_bytes() == text, (
            f"docs/schemas/{name}.schema.json is stale"
        )
    assert msgspec.json.decode(said["gate"])["title"] == "GatePart"


def test_the_history_of_a_run_is_left_to_its_own_checks(tmp_path: Path) -> None:
    run = tmp_path / "runs/one"
    run.mkdir(parents=True)
    for name in ("history.jsonl", "plan.json"):
        (run / name).write_text("")
    with pytest.raises(
        ScenarioError, match=r"gate.yaml:2: .* its own checks: delphic check .*one$"
    ):
        steps_of("steps:\n  - {check: runs/one/history.jsonl, spec: log}\n", tmp_path)


def test_a_history_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"h\xff.jsonl")).write_text("")
    with pytest.raises(ScenarioError, match="the name is no text"):
        steps_of('steps:\n  - {check: "*.jsonl", spec: register}\n', tmp_path)


@pytest.mark.parametrize("words", [["\udcff/gate.yaml"], ["gate.yaml", "--out", "\udcff"]])
def test_a_gate_s_own_places_are_named_in_text(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / words[0]).parent.mkdir(exist_ok=True)
    (tmp_path / words[0]).write_text("steps:\n  - {explore: raft}\n")
    done = CliRunner().invoke(delphic, ["gate", *words])
    assert isinstance(done.exception, UsageError), done.exception
    assert "the name is no text" in str(done.exception)
    assert not (tmp_path / "\udcff/gate.json").exists()
