"""What writers did in turns to a replicated database and to another one, and how these compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

OFF, ON = "dfs://off", "dfs://on"
DATABASES = (OFF, ON)


@dataclass(slots=True)
class Measured:
    """What writers of one database did in all their turns."""

    seconds: float = 0.0
    controller_cpu_s: float = 0.0
    data_nodes_cpu_s: float = 0.0
    writers_cpu_s: float = 0.0
    controller_syncs: int = 0
    data_node_syncs: int = 0
    behind_s: float = 0.0
    """How long after the turns task data was still written."""
    latencies_ms: list[float] = field(default_factory=list)

    def add(self, other: "Measured") -> None:
        """Count another turn in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def rate(self, rows: int) -> float:
        """Rows a second."""
        return len(self.latencies_ms) * rows / self.seconds

    def shown(self, rows: int) -> dict[str, Any]:
        """As JSON. The syncs are those of logs; files of task data come on top."""
        batches = len(self.latencies_ms)
        ordered = sorted(self.latencies_ms)
        cpu_s = {
            "controller": self.controller_cpu_s,
            "data_nodes": self.data_nodes_cpu_s,
            "writers": self.writers_cpu_s,
        }
        return {
            "batches": batches,
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


def compared(turns: Mapping[str, Sequence[Measured]], rows: int) -> dict[str, Any]:
    """Both databases' turns and their ratio: of all, and the median of neighbouring turns'.

    `ratio_until_durable`: the time until task data is written counts, too.
    """
    total = {path: Measured() for path in DATABASES}
    for path in DATABASES:
        for turn in turns[path]:
            total[path].add(turn)
    pairs = zip(turns[ON], turns[OFF], strict=True)
    ratios = sorted(on.rate(rows) / off.rate(rows) for on, off in pairs)
    durable_s = total[ON].seconds + total[ON].behind_s
    durable = len(total[ON].latencies_ms) * rows / durable_s
    return {
        "off": total[OFF].shown(rows),
        "on": total[ON].shown(rows),
        "ratio": round(total[ON].rate(rows) / total[OFF].rate(rows), 3),
        "ratio_until_durable": round(durable / total[OFF].rate(rows), 3),
        "ratio_of_turns_p50": round(float(np.median(ratios)), 3),
    }
