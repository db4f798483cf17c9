"""What writers did in turns to a replicated database and to another one, and how these compare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

OFF, ON = "dfs://off", "dfs://on"
DATABASES = (OFF, ON)


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
    """Both databases' turns, and on to off: of all turns, and quartiles of neighbouring ones.

    `cpu_ratio` is the master's processor time for a batch: what replication costs it where nothing
    has to wait, whatever else the machine does.
    """
    total = {path: Measured() for path in DATABASES}
    for path in DATABASES:
        for turn in turns[path]:
            total[path].add(turn)

    def pairs(of: Callable[[Measured], float]) -> list[float]:
        return [of(on) / of(off) for on, off in zip(turns[ON], turns[OFF], strict=True)]

    return {
        "off": total[OFF].shown(rows),
        "on": total[ON].shown(rows),
        "ratio": round(total[ON].rate(rows) / total[OFF].rate(rows), 3),
        "ratio_quartiles": quartiles(pairs(lambda turn: turn.rate(rows))),
        "cpu_ratio": round(total[ON].cpu_ms / total[OFF].cpu_ms, 3),
        "cpu_ratio_quartiles": quartiles(pairs(lambda turn: turn.cpu_ms)),
    }
