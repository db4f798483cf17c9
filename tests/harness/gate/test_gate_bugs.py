"""Seeded bugs in a gate's steps: each step has the scenario that it had, and the bug."""

from pathlib import Path

from delphic.harness.gate.bugs import switched_on
from delphic.harness.gate.step import Run, Simulate, Step
from delphic.harness.scenario import load

TEXT = "name: {name}\nworkload: {{name: log, clients: 2, rate: 40}}\nduration: 2s\n"


def test_scenarios_whose_files_bear_the_same_name_stay_two(tmp_path: Path) -> None:
    steps = [
        Step(f"run {name}", 1, Run(f"{name}/x.yaml", f"{name}/x.yaml", text, "sim", 1, 2.0))
        for name in ("a", "b")
        for text in [TEXT.format(name=name)]
    ]
    text = TEXT.format(name="c")
    steps.append(Step("simulate c", 3, Simulate("c/x.yaml", "c/x.yaml", text, 1, 2)))
    planted = switched_on(steps, ["stale-read"], tmp_path)
    for step, name in zip(planted, ("a", "b", "c"), strict=True):
        assert isinstance(step.work, Run | Simulate)
        # A run is started from the file, a world from the text.
        assert Path(step.work.name).read_text() == step.work.text
        assert load(step.work.text, "").name == name
        assert load(step.work.text, "").cluster.setup().bugs["n1"] == ("stale-read",)


def test_the_same_scenario_with_the_same_bug_is_one_file(tmp_path: Path) -> None:
    text = TEXT.format(name="a")
    steps = [
        Step(f"seed {seed}", 1, Run("x.yaml", "x.yaml", text, "sim", seed, 2.0)) for seed in (1, 2)
    ]
    switched_on(steps, ["stale-read"], tmp_path)
    (file,) = (tmp_path / "scenarios").iterdir()
    assert file.name.startswith("x-with-stale-read-")
