"""What scenarios may say, and the exact complaints about those that may not."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from complaints import HEAD, complaint
from delphic.harness.conduct.triggers import FORMS
from delphic.harness.errors import ScenarioError, UsageError
from delphic.harness.language import shipped
from delphic.harness.nemeses import NEMESES
from delphic.harness.scenario import load, schema
from delphic.harness.workloads import WORKLOADS
from delphic.impl.bugs import BUGS

TIMES = "at, after, then, when"
KINDS = (
    "partition, one-way, heal, delay, rate, packets, messages, reset, hold, release, drop, "
    "kill, power-cut, restart, pause, resume, crash-loop, throttle, memory, disk, read-only, "
    "bit-flip, cut-tail, lose-task-data, clock, stage, random"
)
WORDS = "one, leader, follower, followers, majority, minority, all"


def fault(text: str) -> str:
    return complaint(f"{HEAD}faults:\n  - {text}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "my.yaml: a scenario is a mapping with the keys name, workload, …"),
        ("- a\n", "my.yaml: a scenario is a mapping with the keys name, workload, …"),
        ("a: [\n", "my.yaml:2: not YAML: expected the node content, but found '<stream end>'"),
        ("1: x\n", "my.yaml:1: the key 1 is not a word"),
        ("a: 1\n2001-99-99: x\n", "my.yaml:2: the key 2001-99-99 is not a word"),
        ("a: 1\n? [b, c]\n: x\n", "my.yaml:2: the key of several parts is not a word"),
        (
            f"{HEAD}on: lab\n",
            "my.yaml:4: on: unknown key (known: name, title, description, seed, promises, cluster, "
            "workload, duration, faults, limits, expect, minimum, requires, stop_on_violation)",
        ),
        ("a: 2001-99-99\n", "my.yaml:1: a: month must be in 1..12"),
        ("a: &a [*a]\n", "my.yaml:1: nested too deeply"),
        (f"{HEAD}duration: 3s\n", "my.yaml:4: duration: said twice, first on line 3"),
        ("name: mine\nduration: 15s\n", "my.yaml:1: workload: is missing"),
        (
            f"{HEAD}limit: {{}}\n",
            "my.yaml:4: limit: unknown key; did you mean 'limits'? (known: name, title, "
            "description, seed, promises, cluster, workload, duration, faults, limits, expect, "
            "minimum, requires, stop_on_violation)",
        ),
        (
            f"{HEAD}limits: {{lead: 3s}}\n",
            "my.yaml:4: limits.lead: unknown key; did you mean 'leader'? "
            "(known: leader, first_ack, replicas)",
        ),
        (
            f"{HEAD}cluster: {{system: replication, master: {{controllers: 2}}}}\n",
            "my.yaml:4: cluster.master.controllers: unknown value 2 (known: 1, 3, 5)",
        ),
        (
            HEAD.replace("log}", "log, ops: [{client: 0, at: 0s, read: [0]}]}"),
            "my.yaml:2: workload.ops[0].read: must have 2 entries at least, not 1",
        ),
        (
            HEAD.replace("log}", "log, ops: [{client: 0, at: 0s, read: [0, 1, 2]}]}"),
            "my.yaml:2: workload.ops[0].read: must have 2 entries at most, not 3",
        ),
        (
            HEAD.replace("{name: log}", "{name: lgo}"),
            "my.yaml:2: workload.name: unknown value 'lgo'; did you mean 'log'? "
            f"(known: {', '.join(WORKLOADS)})",
        ),
        (
            HEAD.replace("log}", "log, clients: many}"),
            "my.yaml:2: workload.clients: must be a whole number, not 'many'",
        ),
        (
            HEAD.replace("log}", "log, clients: 0}"),
            "my.yaml:2: workload.clients: must be at least 1, not 0",
        ),
        (
            HEAD.replace("log}", "log, clients: true}"),
            "my.yaml:2: workload.clients: must be a whole number, not True",
        ),
        (
            HEAD.replace("log}", "log, rate: fast}"),
            "my.yaml:2: workload.rate: must be operations a second above 0, at most 1,000,000, "
            "or max, not 'fast'",
        ),
        (
            HEAD.replace("log}", "log, batch: {min: 9, max: 3}}"),
            "my.yaml:2: workload.batch: min (9) is above max (3)",
        ),
        (
            HEAD.replace("log}", "log, read_share: 1}"),
            "my.yaml:2: workload.read_share: must be below 1.0, not 1",
        ),
        (
            HEAD.replace("15s", "15"),
            "my.yaml:3: duration: must be a duration like 250ms, 2s or 1m, not 15",
        ),
        (
            HEAD.replace("15s", "500ms"),
            "my.yaml:3: duration: a run lasts at least 1s and at most 3600s, not 500ms",
        ),
        (
            HEAD.replace("mine", "My Run"),
            "my.yaml:1: name: must be lower-case letters, digits and hyphens, not 'My Run'",
        ),
        (
            f"{HEAD}cluster: {{members: 2}}\n",
            "my.yaml:4: cluster.members: must be at least 3, not 2",
        ),
        (
            f"{HEAD}cluster: {{members: 10}}\n",
            "my.yaml:4: cluster.members: must be at most 9, not 10",
        ),
        (
            f"{HEAD}cluster: {{system: raftish}}\n",
            "my.yaml:4: cluster.system: unknown system 'raftish' (known: hastream, replication)",
        ),
        (
            f"{HEAD}cluster:\n  config:\n    raftElectionTik: 30\n",
            "my.yaml:6: cluster.config.raftElectionTik: unknown option 'raftElectionTik'; "
            "did you mean raftElectionTick?",
        ),
        (
            f"{HEAD}cluster:\n  node_config:\n    n2: {{raftElectionTick: 1}}\n",
            "my.yaml:6: cluster.node_config.n2.raftElectionTick: "
            "want a whole number of 10 ms from 2 to 60000, got '1'",
        ),
        (
            f"{HEAD}cluster: {{config: {{raftElectionTick: null}}}}\n",
            "my.yaml:4: cluster.config.raftElectionTick: "
            "must be text, a number, true or false, not None",
        ),
        (
            f"{HEAD}cluster: {{config: {{seededBugs: stale-read}}}}\n",
            "my.yaml:4: cluster.config.seededBugs: not for scenarios: say it in `cluster.bugs`",
        ),
        (
            f"{HEAD}cluster: {{node_config: {{n4: {{}}}}}}\n",
            "my.yaml:4: cluster.node_config.n4: no such member (known: n1, n2, n3)",
        ),
        (
            f"{HEAD}cluster: {{bugs: {{n1: [stale-reed]}}}}\n",
            "my.yaml:4: cluster.bugs.n1[0]: unknown bug 'stale-reed'; did you mean 'stale-read'? "
            f"(known: {', '.join(sorted(BUGS))})",
        ),
        (
            f"{HEAD}promises: [HS-1, HS-27]\n",
            "my.yaml:4: promises[1]: 'HS-27' is no promise; "
            "there are HS-1 to HS-26 and PR-1 to PR-31",
        ),
        (
            f"{HEAD}expect: {{verdict: fail}}\n",
            "my.yaml:4: expect: a scenario that expects `fail` names the `promises` that break",
        ),
        (
            f"{HEAD}requires: [powercut]\n",
            "my.yaml:4: requires[0]: unknown capability 'powercut'; did you mean 'power-cut'? "
            "(known: cut, delay, rate, packets, kill, pause, cpu, memory, power-cut, name-loss, "
            "message-order, reset, disk, clock, files, permissions)",
        ),
    ],
)
def test_a_mistake_is_told_with_file_line_field_and_what_would_be_right(
    text: str, said: str
) -> None:
    assert complaint(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("leader", "faults[0]: must be a mapping of keys to values, not 'leader'"),
        ("{at: 2s, for: 1s}", f"faults[0]: says one fault of {KINDS}; found none"),
        (
            "{at: 2s, kill: n1, pause: n2}",
            f"faults[0]: says one fault of {KINDS}; found kill and pause",
        ),
        ("{kill: n1}", f"faults[0]: needs one moment of {TIMES}; found none"),
        (
            "{at: 1s, then: 1s, kill: n1}",
            f"faults[0]: needs one moment of {TIMES}; found at and then",
        ),
        (
            "{after: new-leader, kill: n1}",
            "faults[0]: `within` goes with `after` or `when`, and they with it: how long to wait",
        ),
        (
            "{after: newleader, within: 1s, kill: n1}",
            "faults[0].after: unknown value 'newleader'; did you mean 'new-leader'? "
            "(known: new-leader)",
        ),
        ("{at: 20s, kill: n1}", "faults[0]: begins at 20s, but the run ends at 15s (`duration`)"),
        (
            "{at: 14s, kill: n1, for: 2s}",
            "faults[0]: lasts until 16s, but the run ends at 15s: "
            "shorten `for` or raise `duration`",
        ),
        (
            "{at: 2s, kill: leeder}",
            "faults[0].kill: 'leeder' is no member; did you mean 'leader'? "
            f"(known: {WORDS}, n1, n2, n3)",
        ),
        (
            "{at: 2s, kill: n4}",
            f"faults[0].kill: 'n4' is no member (known: {WORDS}, n1, n2, n3)",
        ),
        (
            "{at: 2s, kill: 3}",
            "faults[0].kill: must name members, like leader, follower or [n1, n2], not 3",
        ),
        (
            "{at: 2s, kill: n1 and n2}",
            "faults[0].kill: 'n1 and n2' is not understood; "
            "write several members as a list: [n1, n2]",
        ),
        (
            "{at: 2s, kill: not n1 n2}",
            "faults[0].kill: 'not n1 n2' is not understood; write it like: not old nor leader",
        ),
        (
            "{at: 2s, partition: haves}",
            "faults[0].partition: 'haves' is no member; did you mean 'halves'? "
            f"(known: {WORDS}, halves, majority-ring, bridge, n1, n2, n3)",
        ),
        (
            "{at: 2s, partition: majority-ring}",
            "faults[0].partition: a majority-ring needs at least 4 members, not 3",
        ),
        (
            "{at: 2s, partition: all}",
            "faults[0].partition: cuts nothing: nobody is left on the other side",
        ),
        ("{at: 2s, partition: [[n1], [n2]]}", "faults[0].partition: n3 is in no group"),
        (
            "{at: 2s, partition: [[n1, n2], [n2, n3]]}",
            "faults[0].partition: n2 is in more than one group",
        ),
        (
            "{at: 2s, partition: [[n1], n2]}",
            "faults[0].partition: groups must be lists of members, like [[n1], [n2, n3]]",
        ),
        ("{at: 2s, one-way: {from: n1}}", "faults[0].one-way.to: is missing"),
        (
            "{at: 2s, delay: {links: al, by: 1s}}",
            "faults[0].delay.links: unknown value 'al'; did you mean 'all'? (known: all)",
        ),
        (
            "{at: 2s, rate: {limit: 3kB}}",
            "faults[0].rate.limit: must be a rate like 500B/s, 64kB/s or 2MB/s, not '3kB'",
        ),
        (
            "{when: two leaders, kill: n1}",
            "faults[0]: `within` goes with `after` or `when`, and they with it: how long to wait",
        ),
        (
            "{after: new-leader, when: two leaders, within: 1s, kill: n1}",
            f"faults[0]: needs one moment of {TIMES}; found after and when",
        ),
        (
            "{when: n4 is leader, within: 1s, kill: n1}",
            "faults[0].when: 'n4' is no member (known: n1, n2, n3)",
        ),
        (
            "{when: two leeders, within: 1s, kill: n1}",
            "faults[0].when: 'two leeders' is no state to wait for; did you mean 'two leaders'? "
            f"(known: {', '.join(form.text for form in FORMS)})",
        ),
        (
            "{when: no leader, within: 1s, kill: matched}",
            f"faults[0].kill: 'matched' is no member (known: {WORDS}, n1, n2, n3)",
        ),
        (
            "{at: 1s, kill: matched}",
            f"faults[0].kill: 'matched' is no member (known: {WORDS}, n1, n2, n3)",
        ),
        (
            "{at: 1s, kill: n1, as: matched}",
            "faults[0].as: 'matched' has a meaning already; choose another word",
        ),
        ("{at: 2s, restart: n1}", "faults[0].restart: no member is killed before"),
        ("{at: 2s, resume: n1}", "faults[0].resume: no member is paused before"),
        (
            "{at: 2s, heal: all}",
            "faults[0].heal: no step before this one touches the network, a disk or a clock",
        ),
        (
            "{at: 2s, heal: old}",
            "faults[0].heal: no fault of network, disk or clock before this one is called 'old' "
            "(known: all)",
        ),
        (
            "{at: 2s, restart: n1, for: 1s}",
            "faults[0]: `restart` undoes other faults; it has no `for`",
        ),
        ("{at: 2s, reset: n1, for: 1s}", "faults[0]: `reset` is over at once; it has no `for`"),
        (
            "{at: 2s, messages: {links: all}}",
            "faults[0].messages: says how much to `lose`, `duplicate`, `reorder` or `delay`",
        ),
        (
            "{at: 2s, messages: {lose: 5}}",
            "faults[0].messages.lose: must be at most 1.0, not 5",
        ),
        (
            "{at: 2s, disk: {node: n1, is: ful}}",
            "faults[0].disk.is: unknown value 'ful'; did you mean 'full'? "
            "(known: full, slow, failing-sync, failing-write, read-only)",
        ),
        (
            "{at: 2s, disk: {node: n1, is: full, factor: 2}}",
            "faults[0].disk: a disk that is full has no `factor`",
        ),
        (
            "{at: 2s, disk: {node: n9, is: full}}",
            f"faults[0].disk: 'n9' is no member (known: {WORDS}, n1, n2, n3)",
        ),
        (
            "{at: 2s, clock: {node: n1}}",
            "faults[0].clock: says how far the clock is set (`by`), or how fast it runs (`drift`)",
        ),
        (
            "{at: 2s, clock: {node: n1, by: 3}}",
            "faults[0].clock.by: must be a duration like 250ms, 2s or -1m, not 3",
        ),
        (
            "{at: 2s, kill: n1, as: leader}",
            "faults[0].as: 'leader' has a meaning already; choose another word",
        ),
        (
            "{random: {from: [kil], every: 2s, for: 1s, until: 9s}}",
            "faults[0].random.from[0]: unknown fault 'kil'; did you mean 'kill'? "
            "(known: partition, one-way, delay, rate, messages, reset, "
            "kill, power-cut, pause, crash-loop, disk, bit-flip, clock)",
        ),
        (
            "{random: {from: [kill: n9], every: 2s, for: 1s, until: 9s}}",
            f"faults[0].random.from[0]: 'n9' is no member (known: {WORDS}, n1, n2, n3)",
        ),
        (
            "{random: {from: [kill], every: 2s, for: 2s, until: 9s}}",
            "faults[0].random: `for` must be shorter than `every`: each fault ends before the next",
        ),
        (
            "{random: {from: [kill], every: 2s, for: 1s, until: 3s}}",
            "faults[0].random: `until` leaves room for no fault: it is at least twice `every`",
        ),
        (
            "{random: {from: [kill], every: 1ms, for: 0s, until: 14s}}",
            "faults[0].random: draws 13,999 faults, and 10,000 are the most: lengthen `every`",
        ),
        (
            "{random: {from: [kill], every: 2s, for: 1s, until: 19s}}",
            "faults[0].random.until: 19s is after the end of the run (15s, `duration`)",
        ),
        (
            "{at: 2s, random: {from: [kill], every: 2s, for: 1s, until: 9s}}",
            "faults[0]: `random` draws its own moments; remove `at`",
        ),
    ],
)
def test_an_impossible_fault_is_refused_before_anything_starts(text: str, said: str) -> None:
    assert fault(text) == f"my.yaml:5: {said}"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("partition: [n1, n2, n3]", "partition: cuts nothing: nobody is left on the other side"),
        ("partition: [[n1, n2, n3]]", "partition: cuts nothing: there is one group only"),
        ("partition: not halves", "partition: 'halves' is a shape, no member: it stands alone"),
        ("partition: [halves]", "partition: 'halves' is a shape, no member: it stands alone"),
        ("partition: [all]", "partition: cuts nothing: nobody is left on the other side"),
        ("kill: not all", "kill: not all: that is nobody"),
        ("kill: not n1 nor n2 nor n3", "kill: not n1 nor n2 nor n3: that is nobody"),
        ("one-way: {from: n1, to: n1}", "one-way: names no link: both ends are the same member"),
        ("one-way: {from: all, to: others}", "one-way: names no link: nobody is left for `to`"),
        (
            "one-way: {from: others, to: leader}",
            "one-way: `others` are all that are not in `from`: it stands in `to` only",
        ),
        ("delay: {by: 0s}", "delay: delays nothing: `by` is above 0s"),
    ],
)
def test_what_can_never_hit_is_refused_before_the_run(step: str, said: str) -> None:
    assert fault(f"{{at: 1s, {step}, for: 1s}}") == f"my.yaml:5: faults[0].{said}"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            "[{at: 2s, kill: n1, for: 5s}, {at: 3s, kill: [n1, n2]}]",
            "faults[1].kill: hits a member that is dead already: faults[0] kills n1 at 2s for 5s",
        ),
        (
            "[{at: 2s, kill: [n1, n2]}, {at: 9s, kill: all}]",
            "faults[1].kill: hits a member that is dead already: faults[0] kills n1, n2 at 2s",
        ),
        (
            "[{at: 2s, kill: n1}, {at: 3s, restart: n2}]",
            "faults[1].restart: n2 is never killed before",
        ),
        (
            "[{at: 3s, kill: n1}, {at: 1s, restart: n1}]",
            "faults[1].restart: no member is killed before",
        ),
        (
            "[{at: 1s, pause: one, for: 1s, as: bridge}]",
            "faults[0].as: 'bridge' has a meaning already; choose another word",
        ),
        (
            "[{at: 1s, partition: n1, as: x}, {at: 2s, when: x has caught a message, within: 1s,"
            " stage: never}]",
            "faults[1].when: no `hold` or `drop` before is called 'x' (known: )",
        ),
        (
            "[{when: n1 has caught a message, within: 1s, stage: never}]",
            "faults[0].when: no `hold` or `drop` before is called 'n1' (known: )",
        ),
        (
            "[{at: 2s, power-cut: n1, for: 5s}, {at: 3s, kill: n1}]",
            "faults[1].kill: hits a member that is dead already: faults[0] ends n1 at 2s for 5s",
        ),
    ],
)
def test_steps_that_contradict_each_other_are_refused(steps: str, said: str) -> None:
    assert complaint(f"{HEAD}faults: {steps}\n") == f"my.yaml:4: {said}"


@pytest.mark.parametrize(
    "steps",
    [
        "[{at: 4s, restart: n1}, {at: 2s, kill: n1}]",
        "[{at: 2s, kill: n1, for: 1s}, {at: 3s, kill: n1}]",
        "[{at: 2s, kill: n1}, {at: 3s, restart: n1}, {at: 4s, kill: n1}]",
        "[{at: 2s, kill: leader, for: 5s}, {at: 3s, kill: leader}]",
        "[{at: 2s, partition: leader, as: old}, {after: new-leader, within: 5s, kill: not old}]",
        "[{at: 2s, partition: [[n1], [n2, n3]]}, {then: 1s, heal: all}]",
        "[{at: 1s, one-way: {from: leader, to: others}, as: deaf}, {then: 2s, heal: deaf}]",
        "[{when: leader has an uncommitted entry, within: 5s, kill: leader, for: 1s}]",
        "[{at: 2s, when: a candidate, within: 5s, pause: matched, as: a, for: 9s},"
        " {then: 1s, when: a is leader, within: 3s, kill: not matched}]",
        "[{at: 1s, disk: {node: n1, is: slow, factor: 5}, as: d}, {then: 1s, heal: d}]",
        "[{at: 1s, disk: {node: n1, is: full}}, {then: 1s, heal: all}, {then: 0s, restart: n1}]",
        "[{at: 1s, clock: {node: leader, by: -5s, drift: 0.9}, for: 1s}]",
        "[{at: 1s, power-cut: all}, {then: 1s, restart: all}, {then: 1s, bit-flip: n1}]",
        "[{at: 1s, messages: {lose: 0.1, reorder: 1}}, {at: 2s, reset: {from: n1, to: n2}}]",
        "[{random: {from: [reset, disk, clock, {bit-flip: n1}], every: 2s, for: 1s, until: 9s}}]",
        "[{at: 1s, delay: {by: 300ms}}, {at: 1s, rate: {links: {from: n1, to: n2}, limit: 9kB/s}}]",
        "[{random: {from: [partition, kill: leader, pause], every: 2s, for: 1s, until: 14s}}]",
    ],
)
def test_steps_that_can_be_done_are_taken(steps: str) -> None:
    assert load(f"{HEAD}faults: {steps}\n", "my.yaml").name == "mine"


def test_a_state_is_waited_for_on_traces_only() -> None:
    steps = "faults: [{when: no leader, within: 1s, kill: n1}]\n"
    assert complaint(f"{HEAD}cluster: {{trace: false}}\n{steps}") == (
        "my.yaml:5: faults[0].when: waits for what traces tell: `cluster.trace` is off"
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_the_text() -> None:
    text = "name: mine\nworkload: {name: log, clients: 0}\nduration: 15\nfaults: [{at: 1s}]\n"
    assert [line.split(": ")[0] for line in complaint(text).split("\n")] == [
        "my.yaml:2",
        "my.yaml:3",
        "my.yaml:4",
    ]


def test_every_shipped_scenario_is_read_and_named_after_its_file() -> None:
    names = shipped.names()
    assert {"quickstart", "majority-ring", "one-way", "kill-all", "no-faults"} <= set(names)
    assert [shipped.scenario(name).name for name in names] == names
    assert all(shipped.scenario(name).title for name in names)


def test_the_scenarios_in_the_documentation_are_read() -> None:
    text = (Path(__file__).parents[2] / "docs/scenarios.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    whole = [block for block in blocks if block.startswith("name:")]
    steps = [block for block in blocks if block.startswith("- ")]
    parts = [block for block in blocks if block.startswith("faults:")]
    assert (len(whole), len(steps), len(parts)) == (1, 3, 1)
    assert load(whole[0], "docs").name == "leader-loss"
    assert len(load(f"{HEAD}faults:\n{steps[0]}", "docs").random_parts()) == 1
    assert [len(load(f"{HEAD}faults:\n{one}", "docs").fixed()) for one in steps[1:]] == [3, 3]
    assert len(load(HEAD + parts[0], "docs").fixed()) == 7


def test_the_documentation_knows_every_kind_of_fault_and_every_state() -> None:
    text = (Path(__file__).parents[2] / "docs/scenarios.md").read_text()
    for kind in NEMESES:
        assert f"`{kind}`" in text
    for form in FORMS:
        assert form.text.split("|")[0] in text


def test_an_unknown_scenario_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="no scenario 'quikstart'; did you mean 'quickstart'"):
        shipped.text_of("quikstart")
    with pytest.raises(UsageError, match=r"cannot read nowhere\.yaml: No such file"):
        shipped.text_of("nowhere.yaml")


def test_the_json_schema_knows_every_key_of_every_shipped_scenario() -> None:
    made: dict[str, Any] = schema()
    step = made["$defs"]["Step"]["properties"]
    assert set(KINDS.split(", ")) <= set(step)
    assert {"at", "after", "then", "when", "for", "as", "within"} <= set(step)
    assert "two leaders" in step["when"]["anyOf"][0]["examples"]
    assert json.loads(json.dumps(made)) == made
    text = files("delphic").joinpath("scenarios/quickstart.yaml").read_text()
    assert all(f"{key}:" in text for key in made["required"])


def test_the_json_schema_refuses_the_words_that_are_refused() -> None:
    """A pattern of JSON Schema may fit anywhere in a text."""
    pattern = schema()["properties"]["name"]["pattern"]
    assert re.search(pattern, "mine-2")
    assert not any(re.search(pattern, text) for text in ("My Scenario!", "mine!", "2-mine"))
    with pytest.raises(ScenarioError, match="lower-case letters"):
        load("name: My Scenario!\nworkload: {name: log}\nduration: 5s\n", "my.yaml")


@pytest.mark.parametrize(
    ("system", "workload", "said"),
    [
        ("hastream", "replicate", "`replicate` needs `cluster.system: replication`"),
        ("replication", "log", "`log` is about one group, not about a master and its slaves"),
    ],
)
def test_a_workload_of_another_system_is_refused(system: str, workload: str, said: str) -> None:
    text = (
        f"name: mine\ncluster: {{system: {system}}}\nworkload: {{name: {workload}}}\nduration: 5s\n"
    )
    assert complaint(text) == f"my.yaml:3: workload.name: {said}"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{at: 1s, lose-task-data: n1}", "faults[0].lose-task-data: none of these members keeps"),
        ("{at: 1s, read-only: {node: one, of: volumes}, for: 1s}", "keeps volumes; they have data"),
        (
            "{at: 1s, bit-flip: {node: not n1, of: task-data}}",
            "keeps task-data; they have data, log",
        ),
        (
            (
                "{random: {every: 2s, for: 1s, until: 4s, "
                "from: [bit-flip: {node: n1, of: task-data}]}}"
            ),
            "faults[0].random.from[0]: none of these members keeps task-data",
        ),
    ],
)
def test_a_fault_of_a_folder_that_nobody_has_is_refused(step: str, said: str) -> None:
    text = f"name: mine\nworkload: {{name: log}}\nduration: 5s\nfaults:\n  - {step}\n"
    assert "my.yaml:5: " in complaint(text)
    assert said in complaint(text)


@pytest.mark.parametrize(
    ("step", "is_right"),
    [
        ("{at: 1s, lose-task-data: one-of-master-data}", True),
        ("{at: 1s, lose-task-data: master-controllers}", False),
        ("{at: 1s, lose-task-data: master-leader}", False),
        ("{at: 1s, lose-task-data: slaves}", False),
        ("{at: 1s, lose-task-data: [md1, mc1]}", True),
        ("{at: 1s, read-only: {node: one-of-s1-data, of: volumes}, for: 1s}", True),
        ("{at: 1s, read-only: {node: one, of: volumes}, for: 1s}", True),
        ("{at: 1s, read-only: {node: s1c1, of: volumes}, for: 1s}", False),
    ],
)
def test_which_members_of_several_clusters_have_a_folder(step: str, is_right: bool) -> None:
    text = (
        "name: mine\ncluster: {system: replication}\nworkload: {name: replicate}\nduration: 5s\n"
        f"faults:\n  - {step}\n"
    )
    if is_right:
        assert load(text, "my.yaml").fixed()
    else:
        assert "none of these members keeps" in complaint(text)
