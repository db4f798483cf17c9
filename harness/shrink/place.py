"""Where a scenario can run: everywhere, or only where its faults can be brought about."""

from ..nemeses import NEMESES
from ..plan import Plan
from ..targets.registry import REAL_TARGETS
from ..targets.sim import SIM


def beyond(plan: Plan, target: str) -> tuple[str, ...]:
    """What a real target cannot do of what the scenario asks: kinds of faults, or capabilities."""
    able = REAL_TARGETS[target].capabilities
    missing = {need for need in plan.requires if need not in able}
    named = dict.fromkeys(
        (fault.kind, need)
        for fault in plan.faults
        if (need := NEMESES[fault.kind].requires) is not None and need in missing
    )
    unnamed = missing.difference(need for _, need in named)
    return (*(kind for kind, _ in named), *sorted(unnamed))


def place(plan: Plan) -> str:
    """The sentence about it."""
    lacks = {target: beyond(plan, target) for target in REAL_TARGETS}
    able = [f"--on {target}" for target, lack in lacks.items() if not lack]
    if able:
        return f"It runs with {' and '.join(able)}, too."
    needs = " and ".join(dict.fromkeys(word for lack in lacks.values() for word in lack))
    return f"It runs only with --on {SIM.name}: it needs {needs}."
