"""What becomes of a member when the end of its log is gone: who notices, and where nobody can."""

import io

import msgspec
import pytest
from delphic.harness.checkers import conformance
from delphic.harness.checkers.conformance import CONFORMANCE
from delphic.harness.clocks import Clocks, Course, shared
from delphic.harness.conform.trace.validator import validate
from delphic.harness.explorer.run import paths_of
from delphic.harness.history import History
from delphic.harness.history import load as load_history
from delphic.harness.op import NEMESIS, OBSERVER, OpType
from delphic.harness.plan import plan
from delphic.harness.scenario import load
from delphic.harness.simulate.clock import EPOCH_NS
from delphic.harness.simulate.execute import Simulated, simulate_plan
from delphic.harness.traces import Record, Trace
from delphic.harness.verdict import Validity

HEAD = """\
name: tail
promises: [HS-2]
cluster: {config: {raftElectionTick: 10}}
workload: {name: log, clients: 2, rate: 60, batch: {min: 2, max: 6}, op_timeout: 300ms}
duration: 2s
limits: {leader: 2s, first_ack: 2s, replicas: 2s}
"""

CUT = "{at: 800ms, cut-tail: {node: n2, of: log, by: 60B}}"
KILL = "{at: %s, kill: n2}"


def played(*faults: str, lockstep: bool = False) -> Simulated:
    text = HEAD + "faults: [" + ", ".join((*faults, "{at: 1200ms, restart: n2}")) + "]\n"
    planned = plan(load(text, "tail.yaml"), seed=1, target="sim", command="")
    return simulate_plan(msgspec.structs.replace(planned, lockstep=lockstep))


def test_who_wrote_behind_a_cut_does_not_start_again() -> None:
    found = played(CUT, KILL % "1100ms")
    history = load_history(io.BytesIO(found.history))
    died = [op.error or "" for op in history.of(OBSERVER) if op.f == "died" and op.node == "n2"]
    assert died
    assert all("corrupt at byte" in how for how in died)
    assert found.verdict.validity is not Validity.PASS


def test_a_cut_off_end_of_a_log_that_nobody_writes_is_the_faults_and_not_the_members() -> None:
    found = played(KILL % "700ms", CUT)
    history = load_history(io.BytesIO(found.history))
    acts = [op for op in history.of(NEMESIS) if op.type is OpType.INFO]
    (receipt,) = [op.value for op in acts if op.f == "cut-tail"]
    cut = receipt["observed"]["cut"]["n2"]
    assert receipt["bit"] is True
    assert (cut["was"] - cut["left"], "/log/" in cut["path"]) == (60, True)
    assert [op.value["bit"] for op in acts if op.f == "restart"] == [True]
    (told,) = [one for one in found.verdict.verdicts if one.checker == CONFORMANCE.name]
    assert told.validity is Validity.PASS
    assert told.sentence.endswith("1 start found a log whose end a fault had cut off.")
    assert (told.details or {})["cut_logs"] == 1
    assert found.verdict.validity is Validity.PASS
    assert not played(KILL % "700ms", CUT, lockstep=True).ending.interrupted
    traces = {node: Trace(written) for node, written in found.traces.items()}
    clocks = shared(EPOCH_NS)
    path, _ = paths_of(sorted(traces), traces, clocks, conformance.cut_logs(history, clocks))
    assert (path.rejected, path.undecided, path.losses) == ((), (), 1), "it is shown as judged"


@pytest.mark.parametrize(
    ("shift_ms", "clocks", "outcome"),
    [
        (0, shared(EPOCH_NS), "explained"),
        (-200, shared(EPOCH_NS), "explained"),
        (-5_000, shared(EPOCH_NS), "rejected"),
        (1_000, shared(EPOCH_NS), "rejected"),
        (1_000, Clocks(), "undecided"),
        (0, Clocks(own={"n2": Course(EPOCH_NS)}), "explained"),
    ],
)
def test_a_cut_explains_the_first_start_after_it_and_no_other(
    shift_ms: int, clocks: Clocks, outcome: str
) -> None:
    """The member began before all clients, and at 1.2 s; the cut is at 0.8 s."""
    found = played(KILL % "700ms", CUT)
    ops = load_history(io.BytesIO(found.history)).ops
    by_ns = shift_ms * 1_000_000
    moved = History(
        tuple(
            msgspec.structs.replace(op, time_ns=op.time_ns + by_ns) if op.f == "cut-tail" else op
            for op in ops
        )
    )
    traces = {node: Trace(written) for node, written in found.traces.items()}
    cuts = conformance.cut_logs(moved, clocks)
    validated = validate(sorted(traces), traces, cuts, clocks)
    told = "rejected" if validated.rejected else "undecided" if validated.undecided else "explained"
    assert told == outcome


def test_where_a_clock_was_set_nobody_knows_when_a_log_was_cut() -> None:
    found = played("{at: 300ms, clock: {node: n2, by: 2s}}", KILL % "700ms", CUT)
    history = load_history(io.BytesIO(found.history))
    assert not any(cut.is_known for cut in conformance.cut_logs(history, shared(EPOCH_NS))["n2"])


def test_an_end_that_no_fault_has_cut_off_is_noticed_by_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conformance, "CUT_TAIL", "nothing of the kind")
    found = played(KILL % "700ms", CUT)
    (told,) = [one for one in found.verdict.verdicts if one.checker == CONFORMANCE.name]
    assert told.validity is Validity.FAIL
    assert "the disk holds what the process before cannot have left" in told.sentence
    assert told.details


def test_the_leader_notices_what_a_disk_has_lost_and_sends_it_once_more() -> None:
    """HS-20: no election helps; the member has all rows again before the first one."""
    found = played(KILL % "700ms", CUT)
    verdicts = {one.checker: one for one in found.verdict.verdicts}
    assert "in each of 1 observed term" in verdicts["elections"].sentence
    assert verdicts["replicas"].validity is Validity.PASS
    assert verdicts["liveness"].validity is Validity.PASS
    told = [record for record in Trace(found.traces["n1"]).lines if isinstance(record, Record)]
    (lost,) = [record.lost for record in told if record.lost is not None]
    assert (lost.member, lost.left) == ("n2", lost.acknowledged - 1)
    (status,) = (found.states["n1"] or {})["groups"].values()
    assert status["lost"] == {"n2": lost.acknowledged}


@pytest.mark.parametrize("of", ["log", "data"])
def test_the_same_seed_cuts_the_same_file_at_the_same_byte(of: str) -> None:
    step = CUT.replace("of: log", f"of: {of}").replace(", by: 60B", "")
    assert played(KILL % "700ms", step).history == played(KILL % "700ms", step).history
