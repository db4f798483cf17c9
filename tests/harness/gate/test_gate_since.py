"""What a change can affect: by imports, by files that steps name, and by nothing less."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from types import FrameType

import pytest
from delphic.harness.errors import ScenarioError, UsageError
from delphic.harness.gate import config
from delphic.harness.gate.inputs import Inputs
from delphic.harness.gate.resolve import resolve
from delphic.harness.gate.result import Attempt
from delphic.harness.gate.since import Affected, Change, affected, changed
from delphic.harness.gate.sources import ROOT
from delphic.harness.gate.step import Explore, Order, Run, Simulate, Step, Work
from delphic.harness.gate.work import Doer
from delphic.model.models import MODELS

GATE = """\
ignore: ["*.md", "docs/*"]
steps:
  - {explore: [raft, replication]}
  - {explore: storage, mutant: fsync-too-late, name: mutant}
  - {conform: [raft, subscription]}
  - {simulate: [chaos, replicate-stops], seeds: 1..1}
  - {run: quickstart, watch: ["extra/*.txt"]}
  - {check: given.edn, spec: register}
"""
GIVEN = """\
{:type :invoke, :f :write, :value 1, :process 0}
{:type :ok, :f :write, :value 1, :process 0}
"""
SMALL = """\
name: small
workload: {name: log, clients: 2, rate: 30}
duration: 2s
faults:
  - {at: 500ms, partition: leader, for: 500ms}
"""
CONFORM = {"conform raft"}
BOTH = {"conform raft", "conform subscription"}
SCENARIOS = {"simulate chaos", "simulate replicate-stops", "run quickstart"}


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    """Of this package; it is read once."""
    return Inputs()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a gate and what it names."""
    folder = tmp_path_factory.mktemp("gate").resolve()
    (folder / "given.edn").write_text(GIVEN)
    (folder / "extra").mkdir()
    (folder / "extra/more.txt").write_text("")
    return folder


@pytest.fixture(scope="module")
def steps(base: Path) -> list[Step]:
    mutant = "mutant: fsync-too-late"
    storage = next(iter(MODELS["storage"].mutants))
    gate, document = config.load(
        GATE.replace(mutant, f"mutant: {storage}").replace("given.edn", str(base / "given.edn")),
        str(base / "gate.yaml"),
    )
    return resolve(gate, document)


def of(paths: list[Path], steps: list[Step], inputs: Inputs, top: Path) -> Affected:
    tracked = {file for step in steps for file in inputs.files(step, top)}
    change = Change(top, tuple(paths), frozenset({*tracked, *inputs.sources.files.values()}))
    return affected(change, steps, inputs, top, ["*.md", "docs/*"])


def names(path: str, steps: list[Step], inputs: Inputs) -> set[str]:
    return set(of([ROOT / path], steps, inputs, ROOT).reasons)


ALL_OF_RAFT = CONFORM | SCENARIOS


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        ("impl/raft/core.py", ALL_OF_RAFT),
        ("model/raft_rules.py", {"explore raft", "mutant", *ALL_OF_RAFT}),
        (
            "model/explore/liveness.py",
            {
                "explore raft",
                "explore replication",
                "mutant",
                "conform raft",
                "conform subscription",
            },
        ),
        ("model/storage_rules.py", {"mutant"}),
        ("harness/zoo/page.py", set()),
        ("harness/targets/proxy.py", {"run quickstart"}),
        ("harness/simulate/campaign.py", {"simulate chaos", "simulate replicate-stops"}),
        ("scenarios/chaos.yaml", {"simulate chaos"}),
        ("scenarios/polls.yaml", set()),
        ("harness/conform/subscription/bind.py", {"conform subscription"}),
        ("README.md", set()),
        ("docs/ci.md", set()),
    ],
)
def test_a_change_selects_what_imports_it(
    path: str, selected: set[str], steps: list[Step], inputs: Inputs
) -> None:
    assert (ROOT / path).is_file()
    found = {name for name in names(path, steps, inputs) if not name.startswith("check")}
    if path == "harness/simulate/campaign.py":
        found -= {"run quickstart"}
    assert found == selected


def test_what_nobody_knows_selects_everything_and_is_told(
    steps: list[Step], inputs: Inputs
) -> None:
    found = of([ROOT / "pyproject.toml"], steps, inputs, ROOT)
    assert set(found.reasons) == {step.name for step in steps}
    assert "nobody knows what depends on it; changed: pyproject.toml" in found.notes[0]
    removed = of([ROOT / "impl/raft/gone.py"], steps, inputs, ROOT)
    assert len(removed.reasons) == len(steps)


def test_documentation_selects_nothing_and_that_is_told(steps: list[Step], inputs: Inputs) -> None:
    found = of([ROOT / "README.md", ROOT / "docs/ci.md"], steps, inputs, ROOT)
    assert found == Affected({}, ("Ignored: changed: README.md, docs/ci.md",))


def test_data_beside_modules_counts_for_those_who_import_them(
    steps: list[Step], inputs: Inputs
) -> None:
    assert "run quickstart" in names("harness/targets/remote/shim.c", steps, inputs)
    assert "explore raft" not in names("harness/targets/remote/shim.c", steps, inputs)


def test_files_that_steps_name_count_for_them_alone(
    steps: list[Step], inputs: Inputs, base: Path
) -> None:
    found = of([base / "given.edn", base / "extra/more.txt"], steps, inputs, base)
    assert set(found.reasons) == {f"check {base / 'given.edn'}", "run quickstart"}
    assert found.reasons["run quickstart"] == "changed: extra/more.txt"


def test_a_digest_changes_with_every_input_and_with_nothing_else(
    steps: list[Step], inputs: Inputs, base: Path
) -> None:
    by_name = {step.name: step for step in steps}
    before = {name: inputs.digest(step, base) for name, step in by_name.items()}
    assert len(set(before.values())) == len(steps)
    (base / "given.edn").write_text(GIVEN * 2)
    (base / "other.edn").write_text(GIVEN)
    try:
        after = {name: inputs.digest(step, base) for name, step in by_name.items()}
    finally:
        (base / "given.edn").write_text(GIVEN)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"check {base / 'given.edn'}"}


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_git_tells_what_was_changed_added_moved_and_removed(tmp_path: Path) -> None:
    for name in ("kept", "changed", "moved", "removed"):
        (tmp_path / name).write_text(f"{name}\n" * 9)
    (tmp_path / ".gitignore").write_text("out\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    (tmp_path / "changed").write_text("other")
    (tmp_path / "moved").rename(tmp_path / "to")
    (tmp_path / "removed").unlink()
    (tmp_path / "näme with space").write_text("")
    (tmp_path / "out").write_text("")
    found = changed("HEAD", tmp_path)
    assert [path.name for path in found.paths] == [
        "changed", "moved", "näme with space", "removed", "to",
    ]  # fmt: skip
    (tmp_path / "results").mkdir()
    (tmp_path / "results/gate.json").write_text("")
    assert tmp_path / "results/gate.json" in changed("HEAD", tmp_path).paths
    assert changed("HEAD", tmp_path, but=tmp_path / "results") == found
    tracked = {".gitignore", "changed", "kept", "moved", "removed"}
    assert found.tracked == {tmp_path / name for name in tracked}


def test_a_file_that_git_does_not_know_selects_its_step(tmp_path: Path, inputs: Inputs) -> None:
    """It is ignored, or lies elsewhere: nobody would say that it has changed."""
    top = tmp_path / "project"
    top.mkdir()
    for path in (top / "ignored.edn", top / "known.edn", tmp_path / "outside.edn"):
        path.write_text(GIVEN)
    (top / ".gitignore").write_text("ignored.edn\n")
    git(top, "init", "-q")
    git(top, "add", ".")
    git(top, "commit", "-qm", "first")
    text = "steps: [{check: [ignored.edn, known.edn, ../outside.edn], spec: register}]"
    gate, document = config.load(text, str(top / "gate.yaml"))
    found = affected(changed("HEAD", top), resolve(gate, document), inputs, top, [])
    assert list(found.reasons.values()) == [
        "git does not know ignored.edn", f"git does not know {tmp_path / 'outside.edn'}",
    ]  # fmt: skip
    assert found.notes == (f"That Delphic is the same is not known to git: {ROOT}",)


def test_a_name_that_is_no_text_is_told_as_far_as_it_is(
    tmp_path: Path, steps: list[Step], inputs: Inputs
) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "--allow-empty", "-qm", "first")
    (tmp_path / os.fsdecode(b"odd\xff.txt")).write_text("")
    found = changed("HEAD", tmp_path)
    assert [os.fsencode(path.name) for path in found.paths] == [b"odd\xff.txt"]
    told = affected(found, steps, inputs, tmp_path, [])
    assert "odd" in " ".join((*told.notes, *told.reasons.values())).encode().decode()


def watching(top: Path, pattern: str) -> list[Step]:
    text = f"steps: [{{explore: raft, watch: [{pattern!r}]}}]"
    gate, document = config.load(text, str(top / "gate.yaml"))
    return resolve(gate, document)


def test_a_folder_that_is_watched_is_all_that_lies_below_it(tmp_path: Path, inputs: Inputs) -> None:
    file = tmp_path / "data/deep/table.csv"
    file.parent.mkdir(parents=True)
    file.write_text("1")
    (step,) = watching(tmp_path, "data")
    assert list(inputs.files(step, tmp_path)) == [file]
    before = inputs.digest(step, tmp_path)
    file.write_text("2")
    assert inputs.digest(step, tmp_path) != before


def test_a_file_is_never_held_as_a_whole(tmp_path: Path, inputs: Inputs) -> None:
    """A history may be larger than memory; its judge reads it by line."""
    file = tmp_path / "history"
    file.touch()
    (step,) = watching(tmp_path, "history")
    empty = inputs.digest(step, tmp_path)
    with file.open("wb") as stream:
        stream.truncate(1 << 26)
    tracemalloc.start()
    try:
        assert inputs.digest(step, tmp_path) != empty
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pattern", ["docs/*.md", "docs", "./docs/**/*.md", "docs/**"])
def test_a_watched_file_that_was_removed_selects_its_step(
    pattern: str, tmp_path: Path, inputs: Inputs
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/other.md").write_text("")
    steps = watching(tmp_path, pattern)
    change = Change(
        tmp_path, (tmp_path / "docs/table.md",), frozenset([tmp_path / "docs/other.md"])
    )
    found = affected(change, steps, inputs, tmp_path, ["docs/*"])
    assert found.reasons == {"explore raft": "changed: docs/table.md"}


def test_a_watched_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"gate.yaml:1: .*watch: there is no file .*none\.csv"):
        watching(tmp_path, "none.csv")


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", ""])
def test_a_revision_that_is_none_is_refused(revision: str, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(UsageError, match="--since"):
        changed(revision, tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".git"]


def executed(work: Work, inputs: Inputs, folder: Path) -> set[str]:
    """Modules in which something is called, when a step is done in this process."""
    by_file = {str(path): module for module, path in inputs.sources.files.items()}
    files: set[str] = set()

    def called(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            files.add(frame.f_code.co_filename)

    doer = Doer(Order(work, 600.0, 1, str(folder)), lambda run: None, lambda text: None)
    before = sys.getprofile()
    sys.setprofile(called)
    try:
        found: Attempt = doer.do()
    finally:
        sys.setprofile(before)
    assert found.code == 0, found
    return {by_file[real] for file in files if (real := os.path.realpath(file)) in by_file}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simulate", "check"])
def test_nothing_that_a_step_does_is_missing_from_what_it_depends_on(
    name: str, steps: list[Step], inputs: Inputs, base: Path, tmp_path: Path
) -> None:
    found = {step.name: step for step in steps}
    scenario = Simulate("small", "small.yaml", SMALL, 1, 1)
    work: Work = scenario if name == "simulate" else found[f"check {base / 'given.edn'}"].work
    missing = executed(work, inputs, tmp_path) - inputs.modules(work)
    assert {one for one in missing if not one.startswith("harness.gate")} == set()


def test_nothing_that_makes_a_model_is_missing_from_what_exploring_it_depends_on(
    inputs: Inputs,
) -> None:
    for name, entry in MODELS.items():
        model = entry.build(entry.bounds, None)
        made = [*model.actors, *model.observers, *(phase.actors[0] for phase in model.good)]
        modules = {type(one).__module__ for one in made}
        modules |= {one.holds.__module__ for one in model.properties if one.holds is not None}
        ours = {one.removeprefix("delphic.") for one in modules if one.startswith("delphic.")}
        assert len(ours) > 1
        assert ours <= inputs.modules(Explore(name)), name


def test_a_run_on_hosts_depends_on_what_is_sent_there_and_on_no_less(
    inputs: Inputs, base: Path
) -> None:
    file = "scenarios/quickstart.yaml"
    modules = {
        target: inputs.modules(Run("quickstart", file, "", target, 1, 15.0))
        for target in ("local", "lab", "hosts.yaml")
    }
    sent = {name for name in inputs.sources.files if name.startswith("harness.agent.")}
    assert {"harness.agent.command", "harness.agent.undo"} <= sent
    assert sent <= modules["lab"] & modules["hosts.yaml"]
    assert not sent <= modules["local"]
    run = Run("quickstart", file, "", "lab", 1, 15.0)
    digests = {inputs.digest(Step("x", 1, run, watch=(w,)), base) for w in ("", "extra/*.txt")}
    assert len(digests) == 2
