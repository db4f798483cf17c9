"""What writers did in turns to a replicated database and to two others, and how these compare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

OFF, ON, ALSO_OFF = "dfs://off", "dfs://on", "dfs://also-off"
DATABASES = (OFF, ON, ALSO_OFF)


def order(number: int) -> list[str]:
    """In which the databases take their turns: over six rounds each is everywhere twice."""
    start = number % len(DATABASES)
    turned = [*DATABASES[start:], *DATABASES[:start]]
    return turned[::-1] if number % 2 else turned


@dataclass(slots=True)
class Measured:
    """What writers of one database did in all their turns, while they were measured."""

    seconds: float = 0.0
    controller_cpu_s: float = 0.0
    data_nodes_cpu_s: float = 0.0
    writers_cpu_s: float = 0.0
    controller_syncs: int = 0
    data_node_syncs: int = 0
    behind_s: float = 0.0
    """How long after the turns task data was still written."""
    appended: int = 0
    """Batches, also those before and after the time that was measured."""
    latencies_ms: list[float] = field(default_factory=list)
    """Of those that count."""

    def add(self, other: "Measured") -> None:
        """Count another turn in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def rate(self, rows: int) -> float:
        """Rows a second."""
        return len(self.latencies_ms) * rows / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Processor time of the master for a batch."""
        spent = self.controller_cpu_s + self.data_nodes_cpu_s
        return spent / len(self.latencies_ms) * 1e3

    def shown(self, rows: int) -> dict[str, Any]:
        """As JSON. The syncs are those of logs; those of task data come on top."""
        batches = len(self.latencies_ms)
        ordered = sorted(self.latencies_ms)
        cpu_s = {
            "controller": self.controller_cpu_s,
            "data_nodes": self.data_nodes_cpu_s,
            "writers": self.writers_cpu_s,
        }
        return {
            "batches": batches,
            "appended": self.appended,
            "seconds": round(self.seconds, 3),
            "rows_per_s": round(self.rate(rows), 1),
            "task_data_behind_s": round(self.behind_s, 3),
            "latency_ms_p50": round(ordered[batches // 2], 2),
            "latency_ms_p99": round(ordered[batches * 99 // 100], 2),
            "cpu_ms_per_batch": {who: round(s / batches * 1e3, 2) for who, s in cpu_s.items()},
            "syncs_per_batch": {
                "controller": round(self.controller_syncs / batches, 2),
                "data_nodes": round(self.data_node_syncs / batches, 2),
            },
        }


def quartiles(values: Sequence[float]) -> list[float]:
    """The lower one, the median, the upper one."""
    return [round(float(found), 3) for found in np.quantile(values, (0.25, 0.5, 0.75))]


def compared(turns: Mapping[str, Sequence[Measured]], rows: int) -> dict[str, Any]:
    """The databases' turns, and on to off: of all turns, and quartiles of those of one round.

    `cpu_ratio` is the master's processor time for a batch: what replication costs it where nothing
    has to wait, whatever else the machine does. `noise` is the same of two that are off.
    """
    total = {path: Measured() for path in DATABASES}
    for path in DATABASES:
        for turn in turns[path]:
            total[path].add(turn)

    def to_off(path: str) -> dict[str, Any]:
        """Of one database."""

        def pairs(of: Callable[[Measured], float]) -> list[float]:
            both = zip(turns[path], turns[OFF], strict=True)
            return [of(its) / of(off) for its, off in both]

        return {
            "ratio": round(total[path].rate(rows) / total[OFF].rate(rows), 3),
            "ratio_quartiles": quartiles(pairs(lambda turn: turn.rate(rows))),
            "cpu_ratio": round(total[path].cpu_ms / total[OFF].cpu_ms, 3),
            "cpu_ratio_quartiles": quartiles(pairs(lambda turn: turn.cpu_ms)),
        }

    rates = {path: [round(turn.rate(rows), 1) for turn in turns[path]] for path in DATABASES}
    return {
        "off": total[OFF].shown(rows),
        "on": total[ON].shown(rows),
        **to_off(ON),
        "noise": to_off(ALSO_OFF),
        "rows_per_s_of_turns": rates,
    }


OF = ("off", "on")

HEAD = """\
rows  writers | slave stopped: off, on rows/s; ratio (quartiles) [of both off]; CPU (quartiles)
  [of both off]; p50 ms off, on | catch-up rows/s, s | slave running: off, on rows/s; ratio; CPU"""


def line_of(found: Mapping[str, Any]) -> str:
    """A case for people to read."""
    stopped, running = found["slave_stopped"], found["slave_running_shares_the_cores"]

    def rates(kind: Mapping[str, Any]) -> str:
        return ", ".join(f"{kind[who]['rows_per_s']:,.0f}" for who in OF)

    def spread(kind: Mapping[str, Any], name: str) -> str:
        return " ".join(f"{value:.0%}" for value in kind[f"{name}_quartiles"])

    ratio, cpu = (
        f"{stopped[name]:.0%} ({spread(stopped, name)}) [{spread(stopped['noise'], name)}]"
        for name in ("ratio", "cpu_ratio")
    )
    p50 = ", ".join(f"{stopped[who]['latency_ms_p50']:.1f}" for who in OF)
    catch_up = found["catch_up"]
    return (
        f"{found['rows_per_batch']:>5}  {found['writers']} | {rates(stopped)}; {ratio}; {cpu};"
        f" {p50} | {catch_up['rows_per_s']:,.0f}, {catch_up['seconds']:.2f} | {rates(running)};"
        f" {running['ratio']:.0%} ({spread(running, 'ratio')});"
        f" {running['cpu_ratio']:.0%} ({spread(running, 'cpu_ratio')})"
    )
