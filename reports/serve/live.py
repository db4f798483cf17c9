"""A run while it is being made, from its files as they grow: what is known a moment later."""

import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import msgspec

from ...harness.history import History
from ...harness.language.sides import side_of
from ...harness.op import NEMESIS, OBSERVER, Op, OpType
from ...harness.reading import UNDECODABLE
from ...harness.rundir import RunDir
from ..beneath import Outside, opened
from ..index.facts import facts
from ..index.life import state_of
from ..page.faults import acts, faults
from ..prose import op_text, shortened

WINDOW_NS = 10_000_000_000
"""Rates and latencies are those of so much of the run's own time."""

CHUNK = 8 << 20
"""At most so many bytes are read at a time: a long history is not to keep everybody waiting."""

LEADER = "leader"
RECENT_MAX = 12
SECONDS_MAX = 240
LOG_TAIL = 2_048

_decoder = msgspec.json.Decoder(Op)


class Tail:
    """What was appended to a file since the last look, by whole lines."""

    def __init__(self, root: Path, name: str) -> None:
        self._root, self._name = root, name
        self._at = 0
        self._rest = b""

    def lines(self) -> tuple[list[bytes], bool]:
        """The new lines, and whether there is more to be read at once.

        A file that has become shorter is another one: it is read from its beginning.
        """
        try:
            with opened(self._root, self._name) as stream:
                size = stream.seek(0, 2)
                if size < self._at:
                    self._at, self._rest = 0, b""
                stream.seek(self._at)
                data = stream.read(CHUNK)
        except (Outside, OSError):
            return [], False
        self._at += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        return whole, self._at < size


class Watch:
    """One run, looked at again and again by one who watches it."""

    def __init__(self, root: Path, name: str) -> None:
        self._root, self._name = root, name
        self._history = Tail(root, f"{name}/{RunDir(root / name).history.name}")
        self._open: dict[Any, Op] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._latencies: deque[tuple[int, float]] = deque()
        self._seconds: Counter[int] = Counter()
        self._nemesis: list[Op] = []
        self._roles: dict[str, tuple[str, int]] = {}
        self._recent: deque[tuple[float, str]] = deque(maxlen=RECENT_MAX)
        self._now_ns = 0
        self._unread = 0

    def look(self) -> dict[str, Any]:
        """All that a page shows now, as JSON-able values; `is_behind`: there is more to be read."""
        lines, is_behind = self._history.lines()
        for line in lines:
            self._take(line)
        found = facts(self._root, self._name)
        state, wrote = state_of(self._root, found)
        done = acts(History(tuple(self._nemesis)))
        now_us = self._now_ns // 1000
        return {
            "state": "judged" if found.verdict else state.value,
            "phase": found.phase,
            "has_report": found.has_report,
            "wrote_s": round(max(0.0, time.time() - wrote), 1) if wrote else None,
            "elapsed_s": round(self._now_ns / 1e9, 2),
            "duration_s": found.plan.duration_s,
            "functions": {f: dict(count) for f, count in sorted(self._counts.items())},
            "open": len(self._open),
            "per_s": self._rate(),
            "latency_ms": self._quantiles(),
            "members": [
                {"name": name, "role": role, "term": term, "log": self._log(name)}
                for name, (role, term) in self._members(found.plan.members).items()
            ],
            "faults": [
                f"F{act.number} {act.label(found.plan.members)}"
                for act in faults(done)
                if act.is_in_force(now_us)
            ],
            "recent": [[at, text] for at, text in self._recent],
            "series": self._series(),
            "unread": self._unread,
            "is_behind": is_behind,
        }

    def _take(self, line: bytes) -> None:
        try:
            op = _decoder.decode(line)
        except UNDECODABLE:
            self._unread += 1
            return
        self._now_ns = max(self._now_ns, op.time_ns)
        if op.is_client:
            self._client(op)
            return
        if op.process == OBSERVER and op.f == "role" and isinstance(op.value, dict):
            term = op.value.get("term")
            role = str(op.value.get("role", ""))
            self._roles[str(op.node)] = (role, term if type(term) is int else 0)
            if role != LEADER:
                return
        if op.process == NEMESIS:
            self._nemesis.append(op)
        said = f"{op.process}: {op.f} {op.node or ''} {op_text(op)}"
        self._recent.append((round(op.time_ns / 1e9, 2), shortened(" ".join(said.split()), 160)))

    def _client(self, op: Op) -> None:
        if op.type is OpType.INVOKE:
            self._open[op.process] = op
            return
        begun = self._open.pop(op.process, None)
        self._counts.setdefault(op.f, Counter())[op.type.value] += 1
        if op.type is OpType.OK:
            self._seconds[op.time_ns // 1_000_000_000] += 1
            if begun is not None:
                self._latencies.append((op.time_ns, (op.time_ns - begun.time_ns) / 1e6))
        while self._latencies and self._latencies[0][0] < self._now_ns - WINDOW_NS:
            self._latencies.popleft()

    def _rate(self) -> float:
        """Acknowledged a second, over the window or what there is of it."""
        length_s = min(WINDOW_NS, max(self._now_ns, 1)) / 1e9
        return round(len(self._latencies) / length_s, 1)

    def _quantiles(self) -> dict[str, float]:
        found = sorted(latency for _, latency in self._latencies)
        if not found:
            return {}
        return {
            name: round(found[min(len(found) - 1, int(share * len(found)))], 2)
            for name, share in (("p50", 0.5), ("p99", 0.99))
        }

    def _members(self, planned: tuple[str, ...]) -> dict[str, tuple[str, int]]:
        """Roles as last seen; who led until another was elected is nobody's leader any more."""
        led: dict[str | None, int] = {}
        for name, (role, term) in self._roles.items():
            if role == LEADER:
                led[side_of(name)] = max(term, led.get(side_of(name), 0))
        shown = {name: self._roles.get(name, ("", 0)) for name in (*planned, *self._roles)}
        return {
            name: ("led before" if role == LEADER and term < led[side_of(name)] else role, term)
            for name, (role, term) in shown.items()
        }

    def _log(self, alias: str) -> str:
        """The last line of a member's log."""
        path = RunDir(self._root / self._name).node_log(alias)
        try:
            with opened(self._root, path.relative_to(self._root).as_posix()) as stream:
                stream.seek(max(0, stream.seek(0, 2) - LOG_TAIL))
                lines = stream.read(LOG_TAIL).decode(errors="replace").strip().splitlines()
        except (Outside, OSError, ValueError):
            return ""
        return shortened(lines[-1], 200) if lines else ""

    def _series(self) -> list[list[int]]:
        """Acknowledged in each of the last seconds; the one that is not over is left out."""
        last = self._now_ns // 1_000_000_000
        first = max(0, last - SECONDS_MAX)
        return [[second, self._seconds[second]] for second in range(first, last)]
