"""A run that broke a promise, cut down in the simulator, from the command line."""

from collections.abc import Generator, Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner
from delphic.harness.errors import UsageError, WorldError
from delphic.harness.language.document import parse
from delphic.harness.lifecycle import Order
from delphic.harness.plan import plan
from delphic.harness.rundir import RunDir
from delphic.harness.running.progress import Quiet
from delphic.harness.scenario import load
from delphic.harness.shrink.command import shrink_command
from delphic.harness.shrink.cut import Small, cut_down, shrunk_scenario
from delphic.harness.shrink.failing import failing
from delphic.harness.shrink.search import Bounds, Candidate, Outcome
from delphic.harness.shrink.trial import one_by_one, outcome, trials
from delphic.harness.simulate.keep import execute_simulated
from delphic.harness.verdict import Validity, Verdict
from delphic.harness.workloads.replicate import STAFF

pytestmark = pytest.mark.slow

TEXT = """\
name: mine
cluster: {bugs: {all: [ack-before-quorum]}}
workload: {name: log, clients: 4, rate: 100}
duration: 4s
faults:
  - {at: 500ms, pause: follower, for: 200ms}
  - {at: 1s, partition: leader, for: 2s}
expect: {verdict: fail, promises: [HS-2]}
"""

BOUNDS = Bounds(trials=400, seconds=1e9, seeds=2)


def ran(out: Path, text: str = TEXT) -> RunDir:
    planned = plan(load(text, "mine.yaml"), seed=3, target="sim", command="delphic run x")
    return execute_simulated(Order(planned, text, out), Quiet(), lambda path: None).run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return ran(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def small(run: RunDir) -> Small:
    return cut_down(run, one_by_one, bounds=BOUNDS)


def test_what_is_left_is_small_and_runs_as_it_is(small: Small, tmp_path: Path) -> None:
    scenario = load(small.text, "small.yaml")
    assert small.shrunk.is_minimal
    assert [fault.kind for _, fault in scenario.fixed()] == ["partition"]
    assert len(scenario.workload.ops or ()) == 1
    assert scenario.duration <= 2
    assert (scenario.name, scenario.promises) == ("mine-shrunk", ["HS-2"])
    assert scenario.seed is not None
    planned = plan(scenario, seed=scenario.seed, target="sim", command="")
    order = Order(planned, small.text, tmp_path)
    found = execute_simulated(order, Quiet(), lambda path: None).verdict
    assert (found.validity, found.as_expected) == (Validity.FAIL, True)


def test_it_tells_its_story(small: Small) -> None:
    assert load(small.text, "small.yaml").description == small.story
    assert small.story.startswith("Three members, with the seeded bug ack-before-quorum")
    assert "is cut off (partition: leader)" in small.story
    assert "acknowledged at offset 0" in small.story
    assert small.story.endswith(
        "That breaks HS-2 (No acknowledged row is lost). It runs with --on local, too."
    )


def test_several_processes_come_to_the_same(small: Small, run: RunDir) -> None:
    with trials(2) as ask:
        assert cut_down(run, ask, bounds=BOUNDS).text == small.text


def test_the_command_writes_the_scenario_and_tells_how_to_run_it(
    run: RunDir,
) -> None:
    told = CliRunner().invoke(shrink_command, [str(run.path), "--trials", "40"])
    assert told.exit_code == 0, told.output
    assert load(run.shrunk.read_text(), "small.yaml").name == "mine-shrunk"
    assert f"again   delphic run {run.shrunk} --on sim" in told.stdout
    assert "1 fault, 1 operation, 3 members" in told.stdout
    assert told.stderr.splitlines()[0].endswith("2 faults, 4 clients, 3 members, 4s")


def test_what_was_not_finished_is_said(run: RunDir, tmp_path: Path) -> None:
    file = tmp_path / "a small one.yaml"
    words = [str(run.path), "--trials", "3", "--quiet", "--out", str(file)]
    told = CliRunner().invoke(shrink_command, words)
    assert told.exit_code == 0, told.output
    assert "after 3 runs; there may be a smaller one (--trials, --seconds)" in told.stdout
    assert f"again   delphic run '{file}' --on sim" in told.stdout
    assert told.stderr == ""
    assert load(file.read_text(), "small.yaml").name == "mine-shrunk"


def test_a_scenario_that_cannot_be_written_is_shown(run: RunDir) -> None:
    words = [str(run.path), "--trials", "3", "--quiet", "--out"]
    told = CliRunner().invoke(shrink_command, [*words, "/proc/small.yaml"])
    assert isinstance(told.exception, WorldError)
    assert load(told.stdout, "small.yaml").name == "mine-shrunk"
    for place in (run.path, run.path / "none" / "small.yaml"):
        refused = CliRunner().invoke(shrink_command, [*words, str(place), "--trials", "100000"])
        assert isinstance(refused.exception, UsageError)
        assert f"--out {place}: " in str(refused.exception)


def test_a_run_that_broke_nothing_is_refused(tmp_path: Path) -> None:
    run = ran(tmp_path, TEXT.replace("{bugs: {all: [ack-before-quorum]}}", "{}"))
    with pytest.raises(UsageError, match=r"no promise broke in this run \(pass\)"):
        cut_down(run, one_by_one, bounds=BOUNDS)


def test_only_what_broke_can_be_asked_for(run: RunDir) -> None:
    with pytest.raises(UsageError, match=r"HS-1 did not break in this run; HS-2, HS-4, .* did"):
        cut_down(run, one_by_one, bounds=BOUNDS, promises=["HS-1"])


def test_what_the_simulator_does_not_show_is_said(run: RunDir) -> None:
    def nothing(candidates: Iterable[Candidate]) -> Generator[Outcome, None, None]:
        yield from (Outcome() for _ in candidates)

    with pytest.raises(UsageError, match="neither with seed 3 nor with 4 others"):
        cut_down(run, nothing, bounds=Bounds(seeds_at_first=5))
    data = parse(TEXT, "").data
    assert shrunk_scenario(Candidate(data, 3), frozenset({"HS-2"}), nothing, BOUNDS) is None


def test_a_group_that_never_comes_up_breaks_no_promise() -> None:
    data = parse(TEXT, "").data
    stopped = {**data, "limits": {"leader": "1ms", "first_ack": "1ms"}}
    assert outcome(Candidate(stopped, 3)).failing == frozenset()


UNLIKE = """\
name: mine
cluster: {bugs: {all: [stale-read]}}
workload: {name: log, clients: 2, rate: 60}
duration: 1s
faults:
  - {at: 500ms, pause: follower, for: 200ms}
"""


def test_a_run_in_which_members_only_differ_from_the_model_is_cut_down_to_that(
    tmp_path: Path,
) -> None:
    run = ran(tmp_path, UNLIKE)
    small = cut_down(run, one_by_one, bounds=Bounds(trials=20, seconds=1e9, seeds=1))
    assert small.failing == {"conformance: step, reads answered at"}
    assert small.failing <= outcome(small.shrunk.candidate).failing
    scenario = load(small.text, "small.yaml")
    assert list(scenario.fixed()) == []
    assert (scenario.promises, scenario.expect.verdict) == ([], "pass")
    assert "the model says otherwise: after reads" in small.story
    assert "No promise was seen to break." in small.story
    with pytest.raises(UsageError, match="HS-4 did not break in this run; no promise did"):
        cut_down(run, one_by_one, bounds=BOUNDS, promises=["HS-4"])


def test_another_divergence_is_not_the_same_and_another_place_of_it_is() -> None:
    def unlike(checker: str, **found: str) -> frozenset[str]:
        return failing(Verdict(checker, Validity.FAIL, "", details={"divergence": found}))

    one = unlike("replication-conformance", rule="step", what="task 7", member="c1")
    assert one == unlike("replication-conformance", rule="step", what="task 12", member="c2")
    assert one != unlike("replication-conformance", rule="step", what="pulls", member="c1")
    assert one != unlike("replication-conformance", rule="recovery", what="task 7", member="c1")
    assert one != unlike("conformance", rule="step", field="task 7", member="c1")
    assert failing(Verdict("x", Validity.PASS, "", ("HS-1",))) == frozenset()


SLAVES = """\
name: mine
cluster:
  system: replication
  master: {controllers: 3}
  slaves: [{nodes: 2}, {nodes: 1}]
  bugs: {all: [last-group-waits]}
workload: {name: replicate, clients: 7, rate: 40}
duration: 3s
faults:
  - {at: 1s, pause: s2d1, for: 200ms}
limits: {leader: 5s, first_ack: 5s, replicas: 3s}
expect: {verdict: fail, promises: [PR-26]}
"""


def test_a_run_with_slaves_is_cut_down_to_one_slave_and_few_members(tmp_path: Path) -> None:
    run = ran(tmp_path, SLAVES)
    small = cut_down(run, one_by_one, bounds=Bounds(trials=45, seconds=1e9, seeds=1))
    scenario = load(small.text, "small.yaml")
    assert list(scenario.fixed()) == []
    assert len(scenario.cluster.aliases) == 4
    assert scenario.workload.planned()["clients"] == STAFF + 1
    assert scenario.expect.promises == ["PR-26"]
    assert "Four members, with the seeded bug last-group-waits, and five clients." in small.story
    assert outcome(small.shrunk.candidate).failing >= {"PR-26"}
