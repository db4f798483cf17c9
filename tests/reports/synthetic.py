"""Run directories made from thin air: a log, clients, three faults, and what checkers would say."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
from delphic.harness.history import encode
from delphic.harness.op import Op, OpType
from delphic.harness.rundir import RunDir
from delphic.harness.verdict import Provenance, RunVerdict, Validity, Verdict

MEMBERS = ("n1", "n2", "n3")
STARTED = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><b>&amp;]]>\x07"

ZERO_NS = 5_000_000_000
"""What members' clocks say when the run begins."""

Event = tuple[float, str | int, OpType, str, dict[str, Any]]


@dataclass
class Fault:
    """One fault of the schedule; times as shares of the run."""

    f: str
    undo: str
    node: str
    start: float
    end: float
    outage_s: float


FAULTS = (
    Fault("partition", "heal", "n1", 0.15, 0.33, 0.9),
    Fault("kill", "restart", "n2", 0.45, 0.58, 0.7),
    Fault("pause", "resume", "n3", 0.70, 0.80, 0.6),
)
"""Each hits whoever leads: n1, then n2, then n3."""


@dataclass
class Request:
    """One call of a client, before it is known what it finds."""

    process: int
    start: float
    took: float
    f: str
    value: list[Any]
    outcome: OpType
    error: str | None
    result: Any = None
    node: str = "n1"


@dataclass
class Made:
    """A run directory and what was put into it."""

    path: Path
    ops: list[Op] = field(default_factory=list)
    witness: tuple[int, ...] = ()


def build(
    path: Path,
    *,
    ops: int = 2_000,
    validity: Validity = Validity.PASS,
    expected: str = "pass",
    clients: int = 6,
    seed: int = 7,
    hostile: bool = False,
) -> Made:
    """Write a run directory with about `ops` lines of history.

    With validity FAIL an acknowledged append is lost when the leader is killed.
    """
    chance = random.Random(seed)
    duration = max(12.0, min(60.0, ops / 400))
    is_fail = validity is Validity.FAIL
    requests, lost = _requests(chance, ops // 2, duration, clients, is_fail=is_fail)
    made = Made(path, _numbered([*_client_events(requests, hostile), *_other_events(duration)]))
    if lost is not None:
        made.witness = _witness(made.ops, lost)
    run = RunDir(path)
    path.mkdir(parents=True)
    run.history.write_bytes(b"".join(encode(op) for op in made.ops))
    _write_plan(run, duration, clients, seed, expected, hostile)
    verdict = _verdict(made, validity, expected, seed, duration, hostile)
    run.verdict.write_bytes(msgspec.json.format(msgspec.json.encode(verdict)))
    run.scenario.write_text(_SCENARIO + (f"description: '{HOSTILE}'\n" if hostile else ""))
    run.environment.write_text(
        json.dumps({"delphic": "0.1.0", "python": "3.11.7", "cpus": 2, "argv": ["delphic", "run"]})
    )
    up = {"unix_s": STARTED.timestamp(), "phase": "up"}
    sealed = up | {"phase": "sealed", "ending": {"zero_ns": ZERO_NS}}
    lines = ({"unix_s": 1.5, "phase": "planned"}, up, sealed)
    run.journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    traces = _trace_lines(duration, hostile)
    for member in MEMBERS:
        run.node(member).mkdir(parents=True)
        run.node_log(member).write_text("".join(_log_lines(chance, member, duration, hostile)))
        run.node_trace(member).write_text("".join(traces[member]))
    return made


def _requests(
    chance: random.Random, count: int, duration: float, clients: int, *, is_fail: bool
) -> tuple[list[Request], Request | None]:
    """Calls of clients that each wait for an answer before they go on."""
    begin, end = 0.4, duration * 0.93
    pause = (end - begin) * clients / count
    found: list[Request] = []
    for client in range(clients):
        now, process, row = begin + chance.random() * pause, client, client
        while now < end:
            request = _request(chance, process, now, duration)
            if request.f == "append":
                rows = chance.randint(1, 8)
                request.value = [row + clients * n for n in range(rows)]
                row += clients * rows
            request.node = _leader(now, duration)
            found.append(request)
            # A client whose request is open for ever makes way for a new one.
            process += clients if request.outcome is OpType.INFO else 0
            now += request.took + max(0.0005, chance.expovariate(1 / pause) - request.took)
    found.append(Request(clients, duration * 0.965, 0.02, "read", [0, None], OpType.OK, None))
    return found, _played(chance, found, FAULTS[1].start * duration if is_fail else None)


def _leader(now: float, duration: float) -> str:
    led = [fault.node for fault in FAULTS if now < fault.start * duration + 0.55]
    return led[0] if led else "n1"


def _request(chance: random.Random, process: int, now: float, duration: float) -> Request:
    f = "read" if chance.random() < 0.4 else "append"
    took = min(0.4, 0.0008 + chance.lognormvariate(-6.2, 0.6))
    for fault in FAULTS:
        since = now - fault.start * duration
        if -0.05 < since < fault.outage_s:
            kind = chance.random()
            if kind < 0.35:
                return Request(process, now, 1.0, f, [], OpType.INFO, "Timeout after 1.0 s")
            if kind < 0.7:
                error = f"<NotLeader>127.0.0.1:{4001 + int(kind * 10)}:{fault.node}"
                return Request(process, now, took, f, [], OpType.FAIL, error)
            took = max(took, fault.outage_s - since + chance.random() * 0.05)
    return Request(process, now, took, f, [], OpType.OK, None)


def _played(
    chance: random.Random, requests: list[Request], loss_at: float | None
) -> Request | None:
    """Give every call its result, in the order in which calls take effect."""
    rows: list[int] = []
    lost: Request | None = None
    last: Request | None = None
    for request in sorted(requests, key=lambda r: r.start + r.took * 0.7):
        moment = request.start + request.took * 0.7
        if loss_at is not None and lost is None and moment > loss_at and last is not None:
            lost = last
            del rows[lost.result :]
        if request.f == "append":
            if request.outcome is OpType.FAIL:
                continue
            if request.outcome is OpType.OK:
                request.result = len(rows)
                last = request
            if request.outcome is OpType.OK or chance.random() < 0.5:
                rows += request.value
        elif not request.value:
            start = max(0, len(rows) - chance.randint(0, 20))
            request.value = [start, 20]
            request.result = rows[start : start + 20]
        else:
            request.result = list(rows)
    return lost


def _client_events(requests: list[Request], hostile: bool) -> Iterator[Event]:
    for number, request in enumerate(requests):
        key = HOSTILE if hostile and number % 5 == 0 else "readings"
        yield (
            request.start,
            request.process,
            OpType.INVOKE,
            request.f,
            {
                "key": key,
                "value": request.value,
            },
        )
        yield (
            request.start + request.took,
            request.process,
            request.outcome,
            request.f,
            {
                "key": key,
                "value": request.result if request.outcome is OpType.OK else None,
                "node": request.node,
                "error": request.error and request.error + (HOSTILE if hostile else ""),
            },
        )


def _other_events(duration: float) -> Iterator[Event]:
    shares = (("main", 0.02), ("heal", 0.88), ("quiesce", 0.9), ("final", 0.96), ("end", 0.995))
    for name, share in shares:
        yield share * duration, "harness", OpType.INFO, "phase", {"value": name}
    for number, member in enumerate(MEMBERS):
        value = {"rows": 1234, "digest": "5f3a9c", "applied": 987}
        time = (0.98 + number / 1000) * duration
        yield time, "harness", OpType.INFO, "replica", {"node": member, "value": value}
    yield from _roles(duration)
    for fault in FAULTS:
        yield from _acts(fault, duration)


def _roles(duration: float) -> Iterator[Event]:
    def role(time: float, node: str, name: str, term: int, leader: str | None) -> Event:
        value = {"role": name, "term": term, "leader": leader}
        return time, "observer", OpType.INFO, "role", {"node": node, "value": value}

    yield role(0.05, "n2", "follower", 0, None)
    yield role(0.05, "n3", "follower", 0, None)
    yield role(0.15, "n1", "candidate", 1, None)
    yield role(0.20, "n1", "leader", 1, "n1")
    yield role(0.24, "n2", "follower", 1, "n1")
    yield role(0.25, "n3", "follower", 1, "n1")
    chain = (("n1", "n2", "n3"), ("n2", "n3", "n1"), ("n3", "n1", "n2"))
    for fault, (old, new, other) in zip(FAULTS, chain, strict=True):
        start, term = fault.start * duration, FAULTS.index(fault) + 2
        yield role(start + 0.35, new, "precandidate", term - 1, None)
        yield role(start + 0.45, new, "candidate", term, None)
        yield role(start + 0.55, new, "leader", term, new)
        yield role(start + 0.6, other, "follower", term, new)
        if fault.f == "partition":
            yield role(start + 0.5, old, "precandidate", term - 1, None)
        yield role(fault.end * duration + 0.1, old, "follower", term, new)


def _acts(fault: Fault, duration: float) -> Iterator[Event]:
    start, end = fault.start * duration, fault.end * duration
    asked = {"kind": fault.f, "target": "leader"}
    undo = {"kind": fault.undo, "target": "leader"}
    broken = _receipt(fault, asked, broken=True)
    mended = _receipt(fault, undo, broken=False)
    yield start, "nemesis", OpType.INVOKE, fault.f, {"value": asked}
    yield start + 0.03, "nemesis", OpType.INFO, fault.f, {"value": broken}
    yield end, "nemesis", OpType.INVOKE, fault.undo, {"value": undo}
    yield end + 0.04, "nemesis", OpType.INFO, fault.undo, {"value": mended}


def _receipt(fault: Fault, asked: dict[str, Any], *, broken: bool) -> dict[str, Any]:
    value = {"asked": asked, "nodes": [fault.node], "bit": True}
    if fault.f == "partition":
        pairs = list(permutations(MEMBERS, 2))
        links = [pair for pair in pairs if fault.node in pair]
        cut = links if broken else []
        probes = {f"{a}->{b}": None if (a, b) in cut else 0.0004 for a, b in pairs}
        wanted = {f"{a}->{b}": [True, 0.0, None] for a, b in cut}
        return value | {"links": links, "observed": {"links": probes}, "wanted": wanted}
    state = {"kill": "dead", "pause": "paused"}[fault.f] if broken else "running"
    return value | {"observed": {"processes": {fault.node: state}}}


def _numbered(events: list[Event]) -> list[Op]:
    ordered = sorted(events, key=lambda event: event[0])
    return [
        Op(number, round(time * 1e9), process, kind, f, **rest)
        for number, (time, process, kind, f, rest) in enumerate(ordered)
    ]


def _witness(ops: list[Op], lost: Request) -> tuple[int, ...]:
    """The completion of the append that was lost, and that of the final read."""
    end = round((lost.start + lost.took) * 1e9)
    append = next(op for op in ops if op.time_ns == end and op.process == lost.process)
    final = [op for op in ops if op.f == "read" and op.type is OpType.OK][-1]
    return append.index, final.index


def _write_plan(
    run: RunDir, duration: float, clients: int, seed: int, expected: str, hostile: bool
) -> None:
    title = "A leader is cut off, killed, paused"
    plan = {
        "schema": 1,
        "scenario": "quickstart",
        "title": title + (HOSTILE if hostile else ""),
        "description": "Three faults hit whoever leads; clients append and read all the time.",
        "seed": seed,
        "target": "local",
        "system": "hastream",
        "members": MEMBERS,
        "config": {"raftElectionTick": 20},
        "bugs": {},
        "trace": True,
        "workload": {"name": "log", "clients": clients, "rate": 300.0, "read_share": 0.4},
        "duration_s": round(duration, 3),
        "faults": [{"at_s": round(f.start * duration, 2), "kind": f.f} for f in FAULTS],
        "limits": {"leader_s": 10, "first_ack_s": 10, "replicas_s": 15},
        "promises": ["HS-1", "HS-2", "HS-4", "HS-5", "HS-20", "HS-22"],
        "expect": {"validity": expected, "promises": ["HS-2"] if expected == "fail" else []},
        "command": f"delphic run quickstart --seed {seed}",
    }
    run.plan.write_text(json.dumps(plan, indent=2))


def _verdict(
    made: Made, validity: Validity, expected: str, seed: int, duration: float, hostile: bool
) -> RunVerdict:
    verdicts = list(_verdicts(made, validity))
    as_expected = expected == ("fail" if validity is Validity.FAIL else "pass")
    first = max(verdicts, key=lambda verdict: verdict.validity.severity)
    told = first.sentence if validity is not Validity.PASS else f"All 7 checks passed. {_ALL_THERE}"
    return RunVerdict(
        schema=1,
        scenario="quickstart",
        seed=seed,
        target="local",
        started=STARTED.isoformat().replace("+00:00", "Z"),
        duration_s=round(duration, 3),
        validity=validity,
        expected="fail" if expected == "fail" else "pass",
        as_expected=as_expected,
        exit_code=0 if as_expected else 1,
        sentence=told + (HOSTILE if hostile else ""),
        verdicts=tuple(verdicts),
        statistics=_STATISTICS,
        provenance=Provenance("0.1.0", "cc1c86a", False, "3.11.7", "Linux-6.1-x86_64"),
    )


_ALL_THERE = "All acknowledged rows are in the final read, at their offsets."


def _verdicts(made: Made, validity: Validity) -> Iterator[Verdict]:
    is_fail = validity is Validity.FAIL
    if is_fail:
        append, final = made.witness
        offset, at_s = made.ops[append].value, made.ops[append].time_ns / 1e9
        sentence = (
            f"The append that was acknowledged at {at_s:.3f} s at offset {offset} is lost: the "
            f"final read (op {final}) returned other rows there."
        )
        yield Verdict("log", validity, sentence, ("HS-4", "HS-5"), made.witness, {}, 0.41)
        yield Verdict("durability", validity, sentence, ("HS-2",), made.witness, {}, 0.03)
    else:
        yield Verdict("log", Validity.PASS, "Every read is explained.", ("HS-4", "HS-5"), (), {}, 1)
        yield Verdict("durability", Validity.PASS, _ALL_THERE, ("HS-2",), (), {"lost": 0}, 0.03)
    same = "All 3 members hold the same 1,234 rows."
    yield Verdict("replicas", Validity.PASS, same, ("HS-4", "HS-20"), (), {}, 0.001)
    once = "At most one leader in each of 4 observed terms."
    yield Verdict("elections", Validity.PASS, once, ("HS-1",), (), {}, 0.002)
    back = "After the heal, a leader stood at once and an append was acknowledged after 0.021 s."
    live = Validity.PASS if is_fail else validity
    yield Verdict("liveness", live, back, ("HS-22", "HS-23"), (), {}, 0.004)
    bite = "3 faults took hold, each with its receipt."
    yield Verdict("faults", Validity.PASS, bite, (), (), {}, 0.001)
    yield Verdict("statistics", Validity.PASS, "Operations went through.", (), (), {}, 0.09)


_STATISTICS: dict[str, Any] = {
    "operations": {
        "append": {"ok": 512, "fail": 31, "info": 12, "latency_ms": {"p50": 2.1, "p99": 480.2}},
        "read": {"ok": 340, "fail": 12, "info": 9, "latency_ms": {"p50": 1.4, "p99": 310.9}},
    },
    "count": 916,
    "ok_per_s": 61.1,
    "availability": {"longest": {"from_s": 5.4, "seconds": 0.71}, "longest_without_faults": None},
}

_SCENARIO = """\
title: A leader is cut off, killed, paused
cluster: {members: 3, config: {raftElectionTick: 20}}
workload: {log: {clients: 6, rate: 300/s}}
faults:
  - {at: 2s, partition: leader, for: 3s}   # whoever leads then
  - {at: 7s, kill: leader, for: 2s}
  - {at: 11s, pause: leader, for: 1.5s}
"""


def _log_lines(chance: random.Random, member: str, duration: float, hostile: bool) -> Iterator[str]:
    """A few lines a second. Each member tells the time in its own way: n1 by a clock in another
    time zone, n2 by date and time, n3 not at all."""
    now = 0.02
    words = ("became follower", "heard from the leader", "appended a batch", "fsync took 1.2 ms")
    while now < duration:
        moment = STARTED + timedelta(seconds=now)
        stamp = {
            "n1": (moment + timedelta(hours=5.5)).strftime("%H:%M:%S.%f")[:-3] + " ",
            "n2": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") + " ",
        }.get(member, "")
        tail = HOSTILE if hostile and chance.random() < 0.1 else ""
        yield f"{stamp}{member} INFO {chance.choice(words)}{tail}\n"
        now += chance.expovariate(4)


def _trace_lines(duration: float, hostile: bool) -> dict[str, list[str]]:
    """Whoever leads asks the others every tenth of a second; what they say now and then is lost."""
    found: dict[str, list[str]] = {member: [] for member in MEMBERS}

    def note(node: str, at_s: float, event: dict[str, Any], out: list[dict[str, Any]]) -> None:
        leader = _leader(at_s, duration)
        post = {"term": 1, "role": "leader" if node == leader else "follower", "commit": 0}
        post["last"] = [int(at_s * 10) % 7, 1]
        line = {"node": node, "inc": 1, "seq": len(found[node]), "t_ns": ZERO_NS + int(at_s * 1e9)}
        record = line | {"group": 2, "event": event, "post": post, "out": out, "held": []}
        found[node].append(json.dumps(record) + "\n")

    kind = HOSTILE if hostile else "AppendRequest"
    for turn in range(1, int(duration * 10)):
        at_s = turn / 10
        leader = _leader(at_s, duration)
        others = [member for member in MEMBERS if member != leader]
        fields = {"term": 1, "entries": []}
        sent = [
            {"uid": [leader, 1, turn * 2 + n], "dst": other, "kind": kind, "fields": fields}
            for n, other in enumerate(others)
        ]
        note(leader, at_s, {"kind": "timer", "timer": "heartbeat"}, sent)
        for n, other in enumerate(others):
            if (turn + n) % 5:
                message = {"kind": kind, "fields": fields}
                uid = sent[n]["uid"]
                event = {"kind": "received", "uid": uid, "message": message}
                note(other, at_s + 0.002 * (n + 1), event, [])
    return found
