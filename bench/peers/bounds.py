"""The bounds that are compared, and what follows from their measurements."""

from dataclasses import dataclass
from typing import Any

BARS = {"tlc": 200.0, "stateright": 10.0}
"""How many times a peer's distinct states per CPU second ours should have (issue 3)."""


@dataclass(frozen=True)
class Bound:
    """Three members, a soup. `left_out`: tools that run only if much time was asked for."""

    name: str
    terms: int
    entries: int
    crashes: int
    states: int
    left_out: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    usual: bool = True


BOUNDS = (
    Bound("noop", 2, 0, 0, 12_125),
    Bound("entry", 2, 1, 0, 357_149),
    Bound("crash", 2, 1, 1, 1_398_197, left_out=("tlc",)),
    Bound("crashes", 2, 1, 2, 2_855_537, left_out=("tlc",)),
    Bound("entries", 2, 2, 0, 7_592_045, never=("tlc",)),
    Bound("entries-crash", 2, 2, 1, 38_770_613, never=("tlc",), usual=False),
)


def ratios(tools: dict[str, Any]) -> dict[str, float]:
    """Ours over each peer, in distinct states per CPU second: whole processes, and explore only."""
    found: dict[str, float] = {}
    for name, peer in tools.items():
        if name == "ours" or "states" not in peer:
            continue
        rate = peer["states_per_cpu_s"]
        found[f"ours/{name}"] = round(tools["ours"]["states_per_cpu_s"] / rate, 1)
        explored = tools["ours"]["states_per_cpu_s_explore_only"] / rate
        found[f"ours/{name}_explore_only"] = round(explored, 1)
    return found


def disagreements(results: list[dict[str, Any]]) -> list[str]:
    """Each tool whose distinct states are not those expected of the bound."""
    return [
        f"{result['name']}: {name} found {tool['states']}, expected {result['states']}"
        for result in results
        for name, tool in result["tools"].items()
        if "states" in tool and tool["states"] != result["states"]
    ]


def bars(results: list[dict[str, Any]], aims: dict[str, float]) -> dict[str, Any]:
    """Each bar, judged at the largest bound that the peer explored; whole processes count."""
    judged: dict[str, Any] = {}
    for name, aim in aims.items():
        both = [r for r in results if f"ours/{name}" in r["ratios"]]
        if not both:
            judged[name] = {"aim": aim, "met": None, "why": "not measured"}
            continue
        largest = max(both, key=lambda r: int(r["states"]))
        whole = largest["ratios"][f"ours/{name}"]
        alone = largest["ratios"][f"ours/{name}_explore_only"]
        judged[name] = {
            "aim": aim,
            "bound": largest["name"],
            "reached": whole,
            "met": whole >= aim,
            "reached_explore_only": alone,
            "met_explore_only": alone >= aim,
        }
    return judged
