"""The workload `replicate`: who does what where, with ids and values of their own."""

import asyncio
import io
from types import SimpleNamespace
from typing import Any, cast

import pytest
from delphic.harness.checkers.replication.story import OPERATIONS
from delphic.harness.history import load as history
from delphic.harness.language.sides import side_of
from delphic.harness.op import HARNESS
from delphic.harness.plan import plan
from delphic.harness.run import Run
from delphic.harness.running.recorder import Recorder
from delphic.harness.scenario import load
from delphic.harness.workloads import WORKLOADS
from delphic.harness.workloads.replicate import STAFF, ReplicateOptions, generators, settling
from delphic.harness.workloads.workload import Generator, Step

MEMBERS = ("mc1", "md1", "md2", "s1c1", "s1d1", "s1d2", "s2c1", "s2d1")
EVERYTHING = {
    "metadata": True,
    "flags": True,
    "master_stops": True,
    "slave_stops": True,
    "skips": True,
    "poison": "skip",
    "databases": 3,
}


def planned(**more: Any) -> dict[str, Any]:
    return ReplicateOptions(name="replicate", **more).planned()


def answer(step: Step, state: dict[str, Any]) -> Any:
    """A cluster to which everything is well, but for a slave that stops now and then."""
    match step.f:
        case "metrics":
            state["n"] = state.get("n", 0) + 1
            status = "STOPPED" if state["n"] % 7 == 0 else "ENABLED"
            return {"status": status, "finished": 1, "unfinished": 0}
        case "tasks":
            head = [1, 1, 1, "APPEND", "dfs://db0", "t0"]
            return [[*head, state.get("state", "FAILED"), "s1d1", "Missing taskData", 0, 1]]
        case "queue":
            return [[1, 1, 1, "APPEND", "dfs://db0", "t0", True]]
        case _:
            return {"tid": 1, "rows": 1}


def played(roles: list[Generator], rounds: int, *, well: bool = True) -> list[list[Step]]:
    """Steps by client; without `well` every third operation fails."""
    steps: list[list[Step]] = [[] for _ in roles]
    state: dict[str, Any] = {}
    for turn in range(rounds):
        for number, role in enumerate(roles):
            step = role.next()
            steps[number].append(step)
            if well or (turn + number) % 3:
                role.completed(step, answer(step, state))
    return steps


@pytest.mark.parametrize("well", [True, False])
def test_rows_and_values_are_unique_and_touched_by_their_owner_alone(well: bool) -> None:
    steps = played(generators(planned(**EVERYTHING), 3, MEMBERS), 400, well=well)
    brought: dict[int, int] = {}
    values: list[tuple[str, int]] = []
    for number, own in enumerate(steps):
        for step in own:
            if step.f == "append":
                assert number >= STAFF
                for row, _, _ in step.value["rows"]:
                    assert row not in brought
                    brought[row] = number
                values.append((step.key, step.value["rows"][0][2]))
            elif step.f == "upsert":
                assert all(brought[row] == number for row, _, _ in step.value["rows"])
                values.append((step.key, step.value["rows"][0][2]))
            elif step.f in ("update", "delete") and "ids" in step.value:
                assert all(brought[row] == number for row in step.value["ids"])
            elif step.f in OPERATIONS:
                assert number == 0
            if step.f == "update":
                values.append((step.key, step.value["v"]))
    assert len(values) == len(set(values))
    assert len(brought) > 100


def test_every_step_asks_a_data_node_of_the_side_that_it_is_about() -> None:
    for own in played(generators(planned(**EVERYTHING), 3, MEMBERS), 400):
        for step in own:
            assert step.node in ("md1", "md2", "s1d1", "s1d2", "s2d1")
            side = side_of(step.node)
            if step.f in OPERATIONS or step.f in ("flag", "flags", "make-db", "queue", "slaves"):
                assert side == "m"
            elif step.f in (
                "skip",
                "tasks",
                "metrics",
                "start",
                "stop",
                "grant",
                "revoke",
                "make-executor",
            ):
                assert step.key == side
            elif step.f == "intrude":
                assert side != "m"


def test_everything_that_a_scenario_asks_for_is_done() -> None:
    steps = {s.f for own in played(generators(planned(**EVERYTHING), 3, MEMBERS), 600) for s in own}
    assert steps >= {*OPERATIONS} - {"bulk"}
    assert steps >= {"start", "stop", "skip", "flag", "flags", "grant", "revoke", "misuse"}
    assert steps >= {"read", "queue", "tasks", "metrics", "slaves", "make-db", "make-executor"}


def test_many_rows_come_once_and_are_counted_everywhere() -> None:
    options = planned(databases=1, tables=0, bulk=1_000_000)
    steps = played(generators(options, 3, MEMBERS), 200)
    bulk = [step for own in steps for step in own if step.f == "bulk"]
    assert [(step.key, step.value["rows"]) for step in bulk] == [("dfs://db0/bulk", 1_000_000)]
    assert {step.f for own in steps[STAFF:] for step in own} == {"flags"}
    counts = [step.node for own in steps for step in own if step.f == "count"]
    assert {side_of(node) for node in counts} == {"m", "s1", "s2"}
    final = settling(options, 1, MEMBERS).final()
    assert [step.node for step in final if step.f == "count"] == [
        *("md1", "md2", "s1d1", "s1d2", "s2d1")
    ]


def test_something_is_written() -> None:
    with pytest.raises(ValueError, match="leave nothing to write"):
        planned(tables=0)


def test_slaves_are_written_to_only_where_nobody_stops_them() -> None:
    for stops in (False, True):
        roles = generators(planned(slave_stops=stops), 3, MEMBERS)
        steps = [step.f for own in played(roles, 400) for step in own]
        assert ("intrude" in steps) is not stops


def test_nothing_is_done_that_no_scenario_asks_for() -> None:
    steps = {s.f for own in played(generators(planned(), 3, MEMBERS), 600) for s in own}
    assert steps.isdisjoint({"stop", "skip", "revoke", "truncate", "drop-table"})


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_so_many_of_the_owners_steps_truncate_a_table(share: float) -> None:
    own = played(generators(planned(truncates=share), 3, MEMBERS), 600)[0]
    steps = [step.f for step in own]
    then = steps[steps.index("make-table") + 2 :]
    if share == 1.0:
        assert set(then) == {"truncate"}
    else:
        assert ("truncate" in then) == (share > 0)
        assert "flags" in then


def test_the_same_seed_gives_the_same_steps() -> None:
    one, same, other = (
        played(generators(planned(**EVERYTHING), seed, MEMBERS), 100) for seed in (5, 5, 6)
    )
    assert one == same
    assert one != other


def settled(state: dict[str, Any], rounds: int) -> list[Step]:
    settler = settling(planned(), 1, MEMBERS)
    steps = []
    for _ in range(rounds):
        step = settler.next()
        if step is None:
            break
        steps.append(step)
        settler.completed(step, answer(step, state))
    return steps


def test_settling_ends_once_everything_is_finished_and_truncated() -> None:
    steps = settled({"state": "FINISH"}, 100)
    assert len(steps) < 100
    assert [s.f for s in steps[:4]] == ["start", "grant", "grant", "start"]
    assert {s.key for s in steps if s.f == "tasks"} == {"s1", "s2"}


def test_settling_skips_what_is_lost_and_never_gives_up_by_itself() -> None:
    steps = settled({"state": "FAILED"}, 100)
    assert len(steps) == 100
    assert [s.value for s in steps if s.f == "skip"][:1] == [[1]]


def test_a_task_that_fails_between_two_looks_is_skipped_before_the_next_start() -> None:
    """Each start begins the count of failures anew: looks that are always too early see none."""
    settler = settling(planned(), 1, MEMBERS)
    steps: list[Step] = []
    while (step := settler.next()) is not None and step.f != "skip":
        looks = [step.f for step in steps if step.f in ("tasks", "metrics")]
        steps.append(step)
        # Stopped at its first look, and its task had not failed at the look just before.
        state = {"state": "FAILED" if looks else "WAITING", "n": 6}
        settler.completed(step, answer(step, state))
    assert [step.f for step in steps[-3:]] == ["tasks", "metrics", "tasks"]
    assert step is not None


def test_in_the_end_every_table_is_read_at_every_data_node() -> None:
    final = settling(planned(databases=2, tables=2), 1, MEMBERS).final()
    reads = [(s.node, s.key) for s in final if s.f == "read"]
    assert len(set(reads)) == len(reads) == 5 * 4


def test_shares_leave_room_for_new_rows() -> None:
    with pytest.raises(ValueError, match="no share for new rows"):
        planned(updates=0.5, upserts=0.3, deletes=0.2)
    assert WORKLOADS["replicate"].options is ReplicateOptions


def test_whoever_ends_a_run_while_it_settles_has_not_let_its_time_pass() -> None:
    """`settled` with no means that the limit was over: a judge blames the slaves for that."""
    text = "name: mine\ncluster: {system: replication}\nworkload: {name: replicate}\nduration: 1s\n"
    decided = plan(load(text, "mine.yaml"), seed=1, target="memory", command="delphic run x")
    stream = io.BytesIO()
    cluster = cast(Any, SimpleNamespace(members=decided.members))

    async def ended() -> None:
        run = Run(decided, cluster, Recorder(stream, lambda: 0))
        stop = asyncio.Event()
        stop.set()
        await run._final(stop)
        run.live.recorder.flush()

    asyncio.run(ended())
    stream.seek(0)
    assert [op.f for op in history(stream).of(HARNESS)] == ["phase"]
