"""The document says what the files say, and what they do not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.harness.errors import UsageError
from delphic.harness.history import History
from delphic.harness.op import Op, OpType
from delphic.harness.rundir import RunDir
from delphic.harness.verdict import Validity
from delphic.harness.workloads.workload import CLIENTS_MAX
from delphic.reports.page.document import Document, document
from delphic.reports.page.figures import timeline
from delphic.reports.page.html import render
from delphic.reports.page.plots import timeline_section

Documents = Callable[[str], Document]
Copied = Callable[[str], Path]


def clients(made: Any, kind: OpType) -> list[Op]:
    return [op for op in made.ops if op.is_client and op.type is kind]


def test_it_counts_what_the_history_holds(runs: Any, documents: Documents) -> None:
    made, found = runs("pass"), documents("pass")
    assert len(found.calls) == len(clients(made, OpType.INVOKE))
    assert found.calls.of_outcome(OpType.OK) == len(clients(made, OpType.OK))
    assert found.calls.of_outcome(OpType.FAIL) == len(clients(made, OpType.FAIL))
    assert found.end == made.ops[-1].time_ns // 1000


def test_its_columns_point_back_at_the_calls(runs: Any, documents: Documents) -> None:
    found = documents("pass").calls
    calls = History(tuple(runs("pass").ops)).calls()
    assert [found.fs[f] for f in found.f] == [call.invoke.f for call in calls]
    assert list(found.end_index) == [c.completion.index if c.completion else -1 for c in calls]
    assert [found.nodes[n] for n in found.node] == [(c.completion or c.invoke).node for c in calls]
    assert found.lanes == 6
    assert found.fs == ("append", "read")


def test_every_client_has_a_lane_of_its_own(build: Callable[..., Any], tmp_path: Path) -> None:
    found = document(build(tmp_path / "run", ops=800, clients=CLIENTS_MAX).path)
    assert found.calls.lanes == CLIENTS_MAX
    label = f"client {CLIENTS_MAX - 1}"
    assert timeline(found).labels[-1] == label
    page = str(timeline_section(found))
    assert f"operations of {CLIENTS_MAX} clients" in page
    assert f">{label}</option>" in page


def test_its_story_is_told_in_numbers_that_can_be_recounted(
    runs: Any, documents: Documents
) -> None:
    made, found = runs("pass"), documents("pass")
    story = {figure.label: figure.value for figure in found.story}
    rows = sum(
        len(call.invoke.value)
        for call in History(tuple(made.ops)).calls()
        if call.invoke.f == "append" and call.outcome is OpType.OK
    )
    assert story["rows acknowledged"] == f"{rows:,}"
    assert story["operations ok"] == f"{len(clients(made, OpType.OK)):,}"
    assert story["faults that took hold"] == "3 of 3"
    assert story["terms with a leader"] == "4"
    assert 3 <= len(story) <= 6


def test_it_knows_the_phases_and_their_ends(documents: Documents) -> None:
    found = documents("pass")
    assert [phase.name for phase in found.phases] == ["main", "heal", "quiesce", "final", "end"]
    assert [p.end for p in found.phases[:-1]] == [p.start for p in found.phases[1:]]
    assert found.phases[-1].end == found.end


def test_it_puts_broken_promises_first(documents: Documents) -> None:
    found = documents("fail")
    states = [promise.state for promise in found.promises]
    assert states == ["broken"] * 3 + ["kept"] * (len(states) - 3)
    assert [p.id for p in found.promises[:3]] == ["HS-2", "HS-4", "HS-5"]
    assert all(promise.text for promise in found.promises)


def test_a_promise_that_no_checker_looked_at_is_undecided(copied: Copied) -> None:
    path = copied("small")
    RunDir(path).verdict.unlink()
    found = document(path)
    assert {promise.state for promise in found.promises} == {"undecided"}
    assert found.validity is None


def test_it_survives_json(documents: Documents) -> None:
    found = documents("fail")
    encoded = msgspec.json.encode(found)
    assert msgspec.json.decode(encoded, type=Document) == found


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UsageError, match="no run directory"):
        document(tmp_path)
    with pytest.raises(UsageError, match="no run directory"):
        document(tmp_path / "not there")


@pytest.mark.parametrize("name", ["plan", "verdict", "environment", "history", "scenario"])
def test_what_is_missing_is_named_and_the_rest_is_there(copied: Copied, name: str) -> None:
    path = copied("small")
    missing: Path = getattr(RunDir(path), name)
    missing.unlink()
    found = document(path)
    assert any(sentence.startswith(missing.name) for sentence in found.missing)
    assert len(found.missing) == 1
    assert (len(found.calls) > 0) == (name != "history")
    assert bool(found.verdicts) == (name != "verdict")


@pytest.mark.parametrize("name", ["plan", "verdict", "environment"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"schema": 99}', b"\xff\xfe"])
def test_what_is_damaged_is_named(copied: Copied, name: str, content: bytes) -> None:
    path = copied("small")
    damaged: Path = getattr(RunDir(path), name)
    damaged.write_bytes(content)
    found = document(path)
    is_harmless = content == b'{"schema": 99}' and name != "verdict"
    assert any(s.startswith(damaged.name) for s in found.missing) != is_harmless
    assert len(found.calls) > 0


def test_a_line_cut_off_by_a_kill_is_left_out_and_named(copied: Copied) -> None:
    path = copied("small")
    history = RunDir(path).history
    whole = history.read_bytes()
    history.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 20])
    found = document(path)
    assert any("cut off" in sentence for sentence in found.missing)
    assert found.end > 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"nonsense\n", "malformed"),
        (b'{"index":50000,"time_ns":1,"process":999,"type":"ok","f":"x"}\n', "invocation"),
    ],
)
def test_ops_before_a_damaged_line_are_shown(copied: Copied, line: bytes, says: str) -> None:
    path = copied("small")
    history = RunDir(path).history
    lines = history.read_bytes().splitlines(keepends=True)
    history.write_bytes(b"".join([*lines[:100], line, *lines[100:]]))
    found = document(path)
    assert any("100 ops before it" in s and says in s for s in found.missing)
    assert 0 < len(found.calls) <= 100


def test_members_without_log_or_trace_are_named(copied: Copied) -> None:
    path = copied("small")
    run = RunDir(path)
    run.node_log("n2").unlink()
    run.node_trace("n3").unlink()
    assert document(path).missing == ("No log of n2.", "No trace of n3.")


def test_a_run_without_a_plan_takes_its_members_from_their_folders(copied: Copied) -> None:
    path = copied("small")
    RunDir(path).plan.unlink()
    found = document(path)
    assert found.members == ("n1", "n2", "n3")
    assert found.title == "quickstart"


def test_an_empty_history_makes_a_document(copied: Copied) -> None:
    path = copied("small")
    RunDir(path).history.write_bytes(b"")
    found = document(path)
    assert len(found.calls) == 0
    assert found.acts == ()
    assert found.end == 0
    assert found.series.middles_s == ()


def test_a_members_name_cannot_lead_out_of_the_run(copied: Copied, tmp_path: Path) -> None:
    path = copied("small")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "log.txt").write_text("secret")
    plan = RunDir(path).plan
    plan.write_bytes(plan.read_bytes().replace(b'"n1"', b'"../../secret"'))
    found = document(path)
    assert "../../secret" in found.members
    assert all("secret" not in line.text for log in found.logs for line in log.lines)


def test_inconclusive_is_told(documents: Documents) -> None:
    found = documents("inconclusive")
    assert found.validity is Validity.INCONCLUSIVE
    assert "undecided" in {promise.state for promise in found.promises}


def test_the_smallest_scenario_is_told_where_there_is_one(copied: Copied) -> None:
    path = copied("small")
    assert document(path).shrunk == ""
    RunDir(path).shrunk.write_bytes(b"name: <b>small\n\xff")
    text = render(document(path))
    assert "name: &lt;b&gt;small" in text
    assert "The smallest scenario" in text
