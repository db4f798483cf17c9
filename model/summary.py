"""A result in words, as data, as a picture of what went wrong, and as an exit code."""

import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from .actor import Kind, Model, Soup
from .explore.bitstate import Bits
from .explore.result import Eventually, Finding, Result, Stuck
from .explore.show import as_json, as_mermaid, as_text
from .explore.show_stuck import stuck_as_json, stuck_as_mermaid, stuck_as_text
from .explore.walk import Walked

HOLDS, BROKEN, UNDECIDED = 0, 1, 3

TOO_FULL = 0.1
"""With this chance to miss a new state, what is missed is mostly what lies behind."""


def code(result: Result, asked: Collection[str] = ()) -> int:
    """The exit code: a broken promise outweighs a limit. `asked`: promises asked for by name."""
    if result.violation is not None or result.stuck is not None:
        return BROKEN
    if result.stopped_by or result.bits is not None or _skipped(result, asked):
        return UNDECIDED
    return HOLDS if result.holds else BROKEN


def _skipped(result: Result, asked: Collection[str]) -> str:
    """Why a promise that was asked for is undecided; empty where none is."""
    reasons = (
        f"{e.property} was not checked: {e.skipped}"
        for e in result.eventually
        if e.skipped and e.property in asked
    )
    return next(reasons, "")


def sentence(model: Model, result: Result, asked: Collection[str] = ()) -> str:
    """The result for a person."""
    lines = _verdict(model, result, _skipped(result, asked))
    if not result.violation:
        lines.extend(f"  never reached: {name}" for name in result.unreached)
        lines.extend(f"  never fired: {name}" for name in result.never_fired)
        for name, depth in sorted(result.reached.items()):
            lines.append(f"  reached after {depth:2} steps: {name}")
        lines.extend(f"  eventually: {_progress(model, each)}" for each in result.eventually)
    s = result.statistics
    rate = result.transitions / max(s["seconds"], 1e-9) / 1e6
    lines.append(
        f"{result.states:,} states, {result.transitions:,} transitions, depth {result.depth}, "
        f"{s['seconds']:.1f} s ({rate:.1f} M transitions/s), {s['bytes_held'] >> 20:,} MiB; "
        f"{s['step_calls']:,} calls of the model's step; "
        f"chance of a collision {result.collision_probability():.1e}."
    )
    return "\n".join(lines)


def _verdict(model: Model, result: Result, skipped: str) -> list[str]:
    found, stuck = result.violation, result.stuck
    if found is not None:
        head = f"BROKEN: {found.property}, after {len(found.path)} steps. {found.reason}"
        return [head.rstrip(), as_text(model, found.path)]
    if stuck is not None and stuck.stuck is not None:
        steps = len(stuck.stuck.prefix) + len(stuck.stuck.stem)
        head = f"STUCK: {stuck.property}, after {steps} steps, while {stuck.phase}: "
        return [f"{head}{stuck.stuck.reason}.", stuck_as_text(model, stuck.stuck)]
    if result.stopped_by:
        so_far = f"Explored to depth {result.depth}, {result.states:,} states"
        return [f"UNDECIDED: stopped by {result.stopped_by}. {so_far}: nothing broken so far."]
    if result.bits is not None:
        return [_approximately(result.states, result.bits)]
    if skipped:
        return [f"UNDECIDED: {skipped}."]
    if not result.holds:
        return ["BROKEN: something that must be reachable is not."]
    promised = sum(p.kind is Kind.ALWAYS for p in model.properties)
    return [f"HOLDS: {promised} promises in all {result.states:,} reachable states."]


def _approximately(states: int, bits: Bits) -> str:
    full = " That is too full to say anything: give it more." if bits.chance() > TOO_FULL else ""
    return (
        f"UNDECIDED: no violation found in {states:,} states, coverage estimate at best "
        f"{bits.coverage():.6%}: {bits.omitted():,.1f} states were missed, and what only they "
        f"lead to. Of {bits.size >> 23:,} MiB of bits {bits.marked / bits.size:.1%} are set; a new "
        f"state is missed with probability {bits.chance():.1e}.{full}"
    )


def _progress(model: Model, each: Eventually) -> str:
    if each.skipped:
        return f"{each.property}: not checked: {each.skipped}"
    if each.stuck is not None:
        return f"{each.property}: not always, while {each.phase}"
    # A good phase keeps nothing of a soup: late messages are not asked about.
    left = ", nothing left in flight" if isinstance(model.network, Soup) else ""
    return f"{each.property}: always, while {each.phase}{left} ({each.states:,} states)"


def trace(
    model: Model, violation: Finding | None, stuck: Stuck | None, *, diagram: bool
) -> str | None:
    """What went wrong as a Mermaid diagram or as JSON; None where nothing did."""
    if violation is not None:
        path = violation.path
        return as_mermaid(model, path) if diagram else json.dumps(as_json(model, path), indent=2)
    if stuck is not None:
        plain = stuck_as_json(model, stuck)
        return stuck_as_mermaid(model, stuck) if diagram else json.dumps(plain, indent=2)
    return None


def as_plain(model: Model, result: Result) -> dict[str, Any]:
    """The result for a program."""
    return {
        "model": result.model,
        "parameters": dict(model.parameters),
        "holds": result.holds,
        "complete": result.complete,
        "stopped_by": result.stopped_by,
        "states": result.states,
        "transitions": result.transitions,
        "depth": result.depth,
        "cut": result.cut,
        "bitstate": result.bits
        and {
            "bits": result.bits.size,
            "marked": result.bits.marked,
            "hashes": result.bits.hashes,
            "expected_omissions": result.bits.omitted(),
            "coverage": result.bits.coverage(),
        },
        "reached": result.reached,
        "unreached": list(result.unreached),
        "coverage": result.coverage,
        "never_fired": list(result.never_fired),
        "eventually": [
            {
                "property": each.property,
                "phase": each.phase,
                "not_checked": each.skipped or None,
                "states": each.states,
                "stuck": each.stuck
                and {"reason": each.stuck.reason, **stuck_as_json(model, each.stuck)},
            }
            for each in result.eventually
        ],
        "collision_probability": result.collision_probability(),
        "statistics": result.statistics,
        "violation": _violation(model, result.violation),
    }


def _violation(model: Model, found: Finding | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "property": found.property,
        "reason": found.reason,
        "steps": len(found.path),
        "path": as_json(model, found.path),
    }


def walked_sentence(model: Model, walked: Walked) -> str:
    """What walks found, for a person. They never prove anything."""
    plan, found = walked.plan, walked.violation
    where = f"{walked.walks:,} walks of at most {plan.depth:,} steps, seed {plan.seed}"
    if found is not None:
        lines = [
            f"BROKEN: {found.property}, after {len(found.path)} steps, in walk {walked.found_at} "
            f"of seed {plan.seed} ({walked.found_after} steps before it was made short). "
            f"{found.reason}".rstrip(),
            as_text(model, found.path),
        ]
    else:
        lines = [f"UNDECIDED: nothing broken in {where}."]
        lines.extend(f"  never reached: {name}" for name in walked.unreached)
        lines.extend(f"  never fired: {name}" for name in walked.never_fired)
        for name, steps in sorted(walked.reached.items()):
            lines.append(f"  reached after {steps:2} steps: {name}")
        wanted = (p.name for p in model.properties if p.kind is Kind.EVENTUALLY)
        lines.extend(f"  eventually: {name}: not checked: walks end" for name in wanted)
    lines.append(
        f"{walked.steps:,} steps in {walked.seconds:.1f} s ({walked.rate:,.0f} steps/s), longest "
        f"walk {walked.longest:,}; {walked.local_states:,} local states in {walked.tuples:,} "
        f"combinations."
    )
    return "\n".join(lines)


def walked_as_plain(model: Model, walked: Walked) -> dict[str, Any]:
    """What walks found, for a program."""
    return {
        "model": model.name,
        "parameters": dict(model.parameters),
        "plan": asdict(walked.plan),
        "walks": walked.walks,
        "steps": walked.steps,
        "longest": walked.longest,
        "seconds": walked.seconds,
        "tuples": walked.tuples,
        "local_states": walked.local_states,
        "reached": walked.reached,
        "unreached": list(walked.unreached),
        "coverage": walked.coverage,
        "never_fired": list(walked.never_fired),
        "violation": _violation(model, walked.violation),
    }
