"""Faults on a group in memory: what is done, to whom, and what the receipts say."""

import asyncio
import io
import math
import re
from typing import Any

import msgspec
import pytest
from delphic.harness.conduct.acts import Acts, Wish
from delphic.harness.history import load
from delphic.harness.op import NEMESIS, OpType
from delphic.harness.running.observer import Observer
from delphic.harness.running.recorder import Recorder
from delphic.harness.system import Setup
from delphic.harness.systems.hastream import HaStream
from delphic.harness.targets.faults import SOUND, TRUE, DiskState, MessageFaults, PacketFaults
from delphic.harness.targets.target import ProcessState
from scene import Scene

pytestmark = pytest.mark.slow


def test_every_act_is_an_invoke_and_then_an_info_with_the_same_f(memory: Any) -> None:
    scene = Scene(memory, "[{at: 100ms, kill: n2, for: 200ms}, {at: 200ms, partition: n3}]")
    kinds = [(op.f, op.type) for op in scene.acts]
    assert kinds[::2] == [(op.f, OpType.INVOKE) for op in scene.receipts()]
    assert [op.f for op in scene.receipts()] == ["kill", "partition", "restart", "heal"]
    assert scene.acts[0].value == {"kind": "kill", "target": "n2"}


def test_the_leader_is_whom_the_observer_saw_lead(memory: Any) -> None:
    scene = Scene(memory, "[{at: 100ms, kill: leader, for: 200ms}, {at: 600ms, pause: leader}]")
    assert scene.told() == [
        ("kill", ["n1"], True),
        ("restart", ["n1"], True),
        ("pause", ["n2"], True),
        ("resume", ["n2"], True),
    ]
    assert scene.receipts()[0].value["observed"] == {"processes": {"n1": "dead"}}
    assert scene.receipts()[1].value["observed"] == {
        "processes": {"n1": "running"},
        "answers": {"n1": True},
    }


def test_a_partition_writes_down_every_link_as_it_was_seen(memory: Any) -> None:
    scene = Scene(memory, "[{at: 100ms, partition: n2}]")
    value = scene.receipts()[0].value
    assert value["links"] == [["n1", "n2"], ["n2", "n1"], ["n2", "n3"], ["n3", "n2"]]
    seen = value["observed"]["links"]
    assert [name for name, seconds in seen.items() if seconds is None] == [
        "n1->n2",
        "n2->n1",
        "n2->n3",
        "n3->n2",
    ]
    assert seen["n1->n3"] == pytest.approx(0.001)
    assert value["bit"] is True


def test_faults_stack_and_each_is_undone_alone(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 100ms, delay: {by: 300ms}, for: 500ms}, {at: 200ms, partition: n2, for: 600ms}]",
    )
    delay, partition, undelayed, healed = scene.receipts()
    assert (delay.f, partition.f, undelayed.f, healed.f) == ("delay", "partition", "heal", "heal")
    everywhere = {"from": "all", "to": "all"}
    assert delay.value["asked"] == {"kind": "delay", "target": everywhere, "by_s": 0.3}
    assert undelayed.value["asked"] == {"kind": "heal", "target": everywhere}
    assert partition.value["wanted"]["n1->n2"] == [True, 0.3, None]
    assert undelayed.value["wanted"]["n1->n2"] == [True, 0.0, None]
    assert healed.value["wanted"] == {}
    assert all(op.value["bit"] for op in scene.receipts())


def test_names_stand_for_the_members_that_a_step_hit(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 100ms, partition: leader, as: old},"
        " {after: new-leader, within: 500ms, kill: not old nor leader, as: voter},"
        " {then: 0s, heal: old}, {then: 0s, restart: voter}]",
    )
    assert scene.told() == [
        ("partition", ["n1"], True),
        ("kill", ["n3"], True),
        ("heal", ["n1", "n2", "n3"], True),
        ("restart", ["n3"], True),
    ]


def test_what_is_undone_by_name_is_not_undone_again(memory: Any) -> None:
    scene = Scene(memory, "[{at: 100ms, partition: n2, for: 500ms, as: a}, {then: 0s, heal: a}]")
    assert [op.f for op in scene.receipts()] == ["partition", "heal"]


def test_an_order_that_is_not_carried_out_leaves_a_receipt_that_says_so(memory: Any) -> None:
    scene = Scene(memory, "[{at: 100ms, partition: n2}]", deaf="links")
    assert scene.told()[0] == ("partition", ["n2"], False)
    scene = Scene(memory, "[{at: 100ms, kill: n2}]", deaf="processes")
    assert scene.told() == [("kill", ["n2"], False)]
    assert scene.receipts()[0].value["observed"] == {"processes": {"n2": "running"}}


def test_a_fault_that_nobody_qualifies_for_did_not_bite(memory: Any) -> None:
    scene = Scene(memory, "[{at: 100ms, kill: all}, {at: 300ms, pause: one}]")
    assert scene.told()[1] == ("pause", [], False)
    assert scene.receipts()[1].error == "no member qualified"


def test_who_ended_by_itself_is_written_down_before_a_fault_looks_for_it(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody_looks(self: Observer) -> None:
        # By itself between two looks: only the fault finds it gone.
        memory.last.processes["n2"] = ProcessState.DEAD
        memory.last.ended = [("n2", "exit code 4")]

    monkeypatch.setattr(Observer, "watch", nobody_looks)
    scene = Scene(memory, "[{at: 100ms, kill: n2}]")
    assert scene.told()[0] == ("kill", [], False)
    assert scene.died == [("n2", "exit code 4")]
    death = next(op for op in scene.ops if op.f == "died")
    assert death.index < scene.acts[0].index


def test_a_step_whose_event_never_came_is_written_down(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 100ms, delay: {by: 1ms}}, {after: new-leader, within: 300ms, kill: n1},"
        " {then: 0s, restart: n1}]",
    )
    missed = scene.receipts()[1]
    assert (missed.f, missed.value["bit"]) == ("kill", False)
    assert missed.error == "no new leader was seen within 300ms; 1 steps behind it were left out"


def test_a_step_that_the_end_of_the_run_overtook_is_written_down(memory: Any) -> None:
    scene = Scene(memory, "[{at: 800ms, kill: n1, for: 100ms}, {then: 5s, kill: n2}]")
    assert re.search("the run ended before", str(scene.receipts()[-2].error))
    assert scene.told()[-1] == ("restart", ["n1"], True)


def test_what_a_slow_machine_keeps_from_its_moment_is_done_late(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = memory.kind.set_process

    async def slow(self: Any, alias: str, state: ProcessState) -> None:
        await asyncio.sleep(0.5)
        await prompt(self, alias, state)

    monkeypatch.setattr(memory.kind, "set_process", slow)
    scene = Scene(memory, "[{at: 100ms, kill: n1}, {then: 300ms, kill: n2}, {at: 700ms, kill: n3}]")
    assert scene.told()[:3] == [("kill", [alias], True) for alias in ("n1", "n2", "n3")]


def test_the_heal_undoes_everything_that_is_in_force(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, partition: [[n1, n2], [n3, n4, n5]]}, {at: 100ms, kill: n4},"
        " {at: 150ms, pause: n5}]",
        members=5,
    )
    assert scene.active == ["partition n1, n2 | n3, n4, n5", "n4 dead", "n5 paused"]
    assert scene.left == []
    assert [op.f for op in scene.receipts()][3:] == ["resume", "heal", "restart"]
    assert all(op.value["bit"] for op in scene.receipts())


def test_messages_stack_and_what_the_target_says_is_in_force_is_written_down(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, messages: {lose: 0.1}, for: 400ms},"
        " {at: 100ms, messages: {links: {from: n1, to: n2}, duplicate: 0.5}, for: 500ms}]",
    )
    lose, duplicate, healed, last = scene.receipts()
    assert [op.f for op in scene.receipts()] == ["messages", "messages", "heal", "heal"]
    assert lose.value["asked"] == {
        "kind": "messages",
        "target": {"from": "all", "to": "all"},
        "messages": msgspec.json.decode(msgspec.json.encode(MessageFaults(lose=0.1))),
    }
    assert len(lose.value["links"]) == 6
    both = msgspec.convert(duplicate.value["observed"]["messages"]["n1->n2"], MessageFaults)
    assert both == MessageFaults(lose=0.1, duplicate=0.5)
    only = msgspec.json.decode(msgspec.json.encode(MessageFaults(duplicate=0.5)))
    assert healed.value["observed"] == {"messages": {"n1->n2": only}}
    assert last.value["observed"] == {"messages": {}}
    assert all(op.value["bit"] for op in scene.receipts())


def test_a_disk_is_mended_and_whom_it_ended_is_started_again(memory: Any) -> None:
    scene = Scene(memory, "[{at: 100ms, disk: {node: leader, is: full}, for: 300ms}]")
    assert scene.told() == [
        ("disk", ["n1"], True),
        ("mend", ["n1"], True),
        ("restart", ["n1"], True),
    ]
    full, sound = (op.value["observed"]["disks"]["n1"] for op in scene.receipts()[:2])
    assert msgspec.convert(full, DiskState) == DiskState(full=True)
    assert msgspec.convert(sound, DiskState) == SOUND
    assert scene.receipts()[1].value["asked"] == {"kind": "heal", "target": "leader"}


def test_whom_a_disk_ends_only_after_it_was_mended_is_started_again(late_ends: Any) -> None:
    scene = Scene(late_ends, "[{at: 100ms, disk: {node: n1, is: full}, for: 100ms}]")
    assert [op.f for op in scene.receipts()] == ["disk", "mend", "restart"]
    assert scene.active == []
    assert scene.died == []


def test_whom_a_kill_ended_meanwhile_stays_ended(late_ends: Any) -> None:
    steps = "[{at: 100ms, disk: {node: n1, is: full}, for: 200ms}, {at: 200ms, kill: n1}]"
    scene = Scene(late_ends, steps)
    assert [op.f for op in scene.receipts()] == ["disk", "kill", "mend", "restart"]
    assert scene.active == ["n1 dead"]


def test_whom_a_failing_disk_ended_did_not_end_by_itself(memory: Any) -> None:
    excused = Scene(memory, "[{at: 100ms, disk: {node: n1, is: full}, for: 100ms}]")
    assert excused.died == []


@pytest.mark.parametrize("excused", [{"n2"}, set()])
def test_a_resume_took_hold_although_the_disk_ended_whom_it_woke(
    memory: Any, excused: set[str]
) -> None:
    cluster = memory.cluster(Setup(("n1", "n2", "n3")), None, None, None)
    cluster.deaf_to = {"processes"}
    stream = io.BytesIO()
    recorder = Recorder(stream, lambda: 0)
    observer = Observer(cluster, recorder, "t")
    observer.excused = dict.fromkeys(excused, math.inf)
    acts = Acts(cluster, recorder, observer)
    asyncio.run(acts.set_processes(Wish("resume", {}, ["n2"]), ProcessState.RUNNING))
    recorder.flush()
    stream.seek(0)
    receipt = list(load(stream).of(NEMESIS))[-1]
    assert receipt.value["observed"] == {"processes": {"n2": "dead"}, "answers": {"n2": False}}
    assert receipt.value["bit"] is bool(excused)


def test_mending_a_disk_starts_nobody_whom_another_fault_ended(memory: Any) -> None:
    steps = "[{at: 50ms, kill: n1}, {at: 100ms, disk: {node: n1, is: slow}, for: 100ms}]"
    scene = Scene(memory, steps)
    assert [op.f for op in scene.receipts()] == ["kill", "disk", "mend", "restart"]
    assert scene.active == ["n1 dead"]


def test_clocks_are_set_and_set_right_by_name(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, clock: {node: n1, by: -5s}},"
        " {at: 60ms, clock: {node: n1, drift: 2}, as: fast}, {then: 0s, heal: fast}]",
    )
    wanted = [op.value["wanted"] for op in scene.receipts()]
    assert wanted == [
        {"n1": {"offset_s": -5.0, "drift": 1.0}},
        {"n1": {"offset_s": -5.0, "drift": 2.0}},
        {"n1": {"offset_s": -5.0, "drift": 1.0}},
        {},
    ]
    assert [op.f for op in scene.receipts()] == ["clock", "clock", "set-clock", "set-clock"]
    assert scene.cluster.clocks == {"n1": TRUE}


def test_a_power_cut_hits_all_of_its_members_at_once_and_restarting_undoes_it(memory: Any) -> None:
    scene = Scene(memory, "[{at: 50ms, power-cut: all, for: 200ms}]")
    assert "power of n1, n2, n3" in scene.cluster.log
    assert scene.told() == [
        ("power-cut", ["n1", "n2", "n3"], True),
        ("restart", ["n1", "n2", "n3"], True),
    ]


def test_a_power_cut_may_leave_nothing(memory: Any) -> None:
    scene = Scene(memory, "[{at: 50ms, power-cut: {node: n2, keeps: nothing}, for: 200ms}]")
    assert "power of n2 for good" in scene.cluster.log
    assert scene.told() == [("power-cut", ["n2"], True), ("restart", ["n2"], True)]
    observed = scene.receipts()[0].value["observed"]
    assert observed == {"processes": {"n2": "dead"}, "lost": {"n2": 7}}
    assert scene.receipts()[0].value["asked"]["keeps"] == "nothing"


def test_momentary_faults_are_not_undone(memory: Any) -> None:
    scene = Scene(memory, "[{at: 50ms, reset: n2}, {at: 100ms, bit-flip: n3}]")
    assert scene.told() == [("reset", ["n2"], True), ("bit-flip", ["n3"], True)]
    reset, flip = scene.receipts()
    assert reset.value["observed"] == {"connections": 4}
    assert flip.value["observed"] == {"flipped": {"n3": ["log", 32]}}
    assert (scene.active, scene.left) == ([], [])


def test_a_cut_tail_leaves_a_receipt_that_says_how_long_the_file_was_and_is(memory: Any) -> None:
    scene = Scene(
        memory, "[{at: 50ms, cut-tail: {node: n2, of: data, by: 9B}}, {at: 90ms, cut-tail: n3}]"
    )
    assert scene.told() == [("cut-tail", ["n2"], True), ("cut-tail", ["n3"], True)]
    first, second = (op.value for op in scene.receipts())
    assert first["observed"] == {"cut": {"n2": {"path": "/data/file", "was": 64, "left": 55}}}
    assert first["asked"] == {"kind": "cut-tail", "target": "n2", "of": "data", "tail_bytes": 9}
    assert second["observed"]["cut"]["n3"]["left"] == 63
    assert (scene.active, scene.left) == ([], [])


def test_where_nothing_is_stored_no_tail_was_cut(memory: Any) -> None:
    scene = Scene(memory, "[{at: 50ms, cut-tail: n2}]", stored=0)
    assert scene.receipts()[0].value["observed"] == {"cut": {"n2": None}}
    assert scene.told() == [("cut-tail", ["n2"], False)]


@pytest.fixture
def folders_of_replication(monkeypatch: pytest.MonkeyPatch) -> None:
    """The members of the group keep what data nodes of a master do."""
    monkeypatch.setattr(HaStream, "keeps", lambda *_: ("volumes", "task-data"))


@pytest.mark.usefixtures("folders_of_replication")
def test_lost_task_data_leaves_a_receipt_that_counts_files(memory: Any) -> None:
    scene = Scene(memory, "[{at: 50ms, lose-task-data: n2}, {at: 100ms, lose-task-data: n2}]")
    assert scene.told() == [("lose-task-data", ["n2"], True), ("lose-task-data", ["n2"], False)]
    assert scene.receipts()[0].value["observed"] == {"files": {"n2": 3}}


@pytest.mark.parametrize(
    ("deaf", "step"),
    [
        ("messages", "messages: {lose: 0.5}"),
        ("disks", "disk: {node: n1, is: slow}"),
        ("clocks", "clock: {node: n1, by: 1s}"),
        ("permissions", "read-only: n1"),
        ("shares", "throttle: {node: n1, to: 0.1}"),
        ("spares", "memory: {node: n1, spare: 1MB}"),
        ("crashes", "crash-loop: {node: n1, every: 1s}"),
        ("resets", "reset: n1"),
        ("processes", "power-cut: n1"),
    ],
)
def test_a_deep_fault_that_is_not_carried_out_leaves_a_receipt_that_says_so(
    memory: Any, deaf: str, step: str
) -> None:
    scene = Scene(memory, f"[{{at: 50ms, {step}}}]", deaf=deaf)
    assert scene.receipts()[0].value["bit"] is False


def test_who_could_not_start_without_permission_is_started_once_it_is_back(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, read-only: n2, for: 200ms}, {at: 60ms, read-only: n2, for: 300ms},"
        " {at: 100ms, disk: {node: n2, is: full}, for: 50ms}]",
    )
    told = scene.told()
    assert told[:3] == [("read-only", ["n2"], True)] * 2 + [("disk", ["n2"], True)]
    assert told[3:5] == [("mend", ["n2"], True), ("restart", ["n2"], True)]
    first, second = scene.receipts()[5:7]
    assert first.value["observed"] == {"read-only": {"n2": True}}
    assert second.value["observed"] == {"read-only": {"n2": False}}


@pytest.mark.usefixtures("folders_of_replication")
def test_of_two_folders_that_may_not_be_written_all_may_not(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, read-only: {node: n2, of: task-data}, for: 200ms},"
        " {at: 100ms, read-only: {node: n2, of: volumes}, for: 50ms}]",
    )
    wanted = [op.value["wanted"] for op in scene.receipts()]
    assert wanted == [{"n2": "task-data"}, {"n2": None}, {"n2": "task-data"}, {}]
    assert scene.receipts()[0].value["asked"]["of"] == "task-data"
    assert all(op.value["bit"] for op in scene.receipts())


def test_the_heal_mends_disks_before_it_restarts_members(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, disk: {node: n1, is: full}}, {at: 100ms, clock: {node: n2, by: 1s}},"
        " {at: 150ms, messages: {reorder: 1}}, {at: 200ms, partition: n3},"
        " {at: 250ms, power-cut: n2}]",
    )
    assert scene.left == []
    assert [op.f for op in scene.receipts()][5:] == [
        *("heal", "heal", "mend", "restart", "set-clock", "restart")
    ]
    assert all(op.value["bit"] for op in scene.receipts())


def test_a_step_waits_for_a_state_and_its_receipt_tells_which(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, partition: n1},"
        " {when: n2 is leader, within: 300ms, kill: matched, as: second},"
        " {when: n1 is leader, within: 300ms, restart: second}]",
    )
    assert scene.told() == [
        ("partition", ["n1"], True),
        ("kill", ["n2"], True),
        ("restart", [], False),
        ("heal", ["n1", "n2", "n3"], True),
        ("restart", ["n2"], True),
    ]
    kill = scene.receipts()[1].value
    assert kill["asked"] == {"kind": "kill", "target": "matched", "when": "n2 is leader"}
    assert (kill["fired"]["when"], kill["fired"]["nodes"]) == ("n2 is leader", ["n2"])
    assert kill["fired"]["states"]["n2"]["role"] == "leader"
    assert scene.receipts()[2].error == "'n1 is leader' was not seen within 300ms"


def test_a_step_hits_the_leader_of_the_state_for_which_it_waited(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 100ms, when: leader has an uncommitted entry, within: 300ms, pause: leader,"
        " for: 100ms}]",
        uncommitted=2,
    )
    assert scene.told() == [("pause", ["n1"], True), ("resume", ["n1"], True)]
    state = scene.receipts()[0].value["fired"]["states"]["n1"]
    assert (state["commit"], state["last"]) == (0, 2)


def test_a_heal_may_wait_for_a_state(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, partition: leader, as: old}, {when: term above 1, within: 500ms, heal: old}]",
    )
    assert scene.told()[1][0] == "heal"
    assert scene.receipts()[1].value["fired"]["nodes"] == ["n1", "n2", "n3"]


def test_of_two_shares_of_a_processor_the_lower_one_holds_while_it_lasts(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, throttle: {node: all, to: 0.5}, for: 200ms},"
        " {at: 100ms, throttle: {node: n1, to: 0.1}, for: 50ms}]",
    )
    assert scene.told() == [
        ("throttle", ["n1", "n2", "n3"], True),
        ("throttle", ["n1"], True),
        ("mend", ["n1"], True),
        ("mend", ["n1", "n2", "n3"], True),
    ]
    seen = [op.value["observed"]["shares"] for op in scene.receipts()]
    half = dict.fromkeys(("n1", "n2", "n3"), 0.5)
    assert seen == [half, {"n1": 0.1}, {"n1": 0.5}, dict.fromkeys(half)]


def test_whom_the_kernel_killed_for_want_of_memory_is_started_when_there_is_enough(
    memory: Any,
) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, memory: {node: n2, spare: 1MB}, for: 200ms},"
        " {at: 100ms, memory: {node: n2, spare: 64kB}, for: 50ms}]",
    )
    # The second one finds nobody: who has been killed needs no memory.
    assert scene.told() == [
        ("memory", ["n2"], True),
        ("memory", [], False),
        ("mend", ["n2"], True),
        ("restart", ["n2"], True),
    ]
    limited, _, mended, _ = scene.receipts()
    assert limited.value["observed"]["memory"]["n2"]["limit"] == 1_000_100
    assert mended.value["observed"]["memory"]["n2"]["limit"] is None
    assert limited.value["asked"]["spare_bytes"] == 1_000_000
    assert scene.died == []


def test_who_crashes_again_and_again_did_not_end_by_itself_and_its_receipts_count(
    memory: Any,
) -> None:
    scene = Scene(memory, "[{at: 50ms, crash-loop: {node: n2, every: 200ms}, for: 300ms}]")
    assert scene.told() == [("crash-loop", ["n2"], True), ("mend", ["n2"], True)]
    first, last = (op.value["observed"]["crashes"]["n2"] for op in scene.receipts())
    assert (first, last) == ({"every_s": 0.2, "count": 1}, {"every_s": None, "count": 3})
    assert scene.died == []
    assert (scene.active, scene.left) == ([], [])


def test_packets_are_lost_until_all_of_them_arrive_again(memory: Any) -> None:
    scene = Scene(
        memory,
        "[{at: 50ms, packets: {lose: 0.1}, for: 200ms},"
        " {at: 100ms, packets: {links: {from: n1, to: n2}, lose: 0.3, jitter: 5ms}, for: 50ms}]",
    )
    assert scene.told() == [
        ("packets", ["n1", "n2", "n3"], True),
        ("packets", ["n1"], True),
        ("heal", ["n1", "n2"], True),
        ("heal", ["n1", "n2", "n3"], True),
    ]
    first, second, third, last = (op.value for op in scene.receipts())
    mild = msgspec.to_builtins(PacketFaults(lose=0.1))
    assert first["wanted"]["n1->n2"] == mild
    assert second["wanted"]["n1->n2"] == {**mild, "lose": 0.3, "jitter_s": 0.005}
    assert second["wanted"]["n2->n1"] == third["wanted"]["n1->n2"] == mild
    assert last["wanted"] == {}
    seen = last["observed"]["packets"]["n1->n2"]
    assert seen == {"sent": 20, "arrived": 20, "again": 0, "overtaken": 0, "late_s": 0.0}
