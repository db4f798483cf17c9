"""gate.json: what a gate did, step by step, and what is to be told about it."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Literal

import msgspec

from ..errors import ExitCode, worst_code
from ..promise import order
from ..schema import schema_of, schema_text
from ..verdict import Provenance


class State(StrEnum):
    """What became of a step. Only of one that is done or kept does its code say something."""

    DONE = "done"
    KEPT = "kept"
    NOT_DONE = "not done"
    UNAFFECTED = "unaffected"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is not as it should be, or is, where a failure is expected.

    `promises`: those that broke. `witness`: lines that show it. `again`: the command that does.
    """

    sentence: str
    promises: tuple[str, ...] = ()
    witness: tuple[str, ...] = ()
    run: str | None = None
    again: str = ""


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of doing a step once. `unfinished`: what stopped it before its end.

    `broken`: the promises of each kind of failure, where findings do not tell all kinds. `beside`:
    what came of the rest of it, should the broken promise be known: what is undecided never is.
    """

    code: ExitCode
    sentence: str
    findings: tuple[Finding, ...] = ()
    runs: tuple[str, ...] = ()
    seconds: float = 0.0
    unfinished: str = ""
    details: dict[str, Any] = {}
    broken: tuple[tuple[str, ...], ...] = ()
    beside: ExitCode = ExitCode.AS_EXPECTED

    @property
    def kinds(self) -> tuple[tuple[str, ...], ...]:
        """The promises of each failure; none, where what broke is no promise."""
        return self.broken or tuple(finding.promises for finding in self.findings)

    @property
    def promises(self) -> tuple[str, ...]:
        """Those that broke, each once."""
        return tuple(dict.fromkeys(promise for kind in self.kinds for promise in kind))


class Known(msgspec.Struct, frozen=True):
    """A failure that somebody wrote into the baseline, and until when that excuses it."""

    step: str
    until: str
    why: str
    promises: tuple[str, ...] = ()


class StepResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of gate.yaml. `code`: its share in the exit code of the gate.

    `attempts` has more than one where a run was retried; the last one counts. `known`: the entry of
    the baseline that excuses it.
    """

    name: str
    kind: str
    line: int
    state: State
    code: ExitCode
    sentence: str
    attempts: tuple[Attempt, ...] = ()
    flaky: bool = False
    known: Known | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def last(self) -> Attempt | None:
        """The attempt that counts."""
        return self.attempts[-1] if self.attempts else None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of all attempts: a retry hides nothing."""
        return tuple(finding for attempt in self.attempts for finding in attempt.findings)

    @property
    def word(self) -> str:
        """What became of it, in a word or two."""
        if self.state in (State.NOT_DONE, State.UNAFFECTED):
            return self.state.value
        if self.known is not None and self.code is ExitCode.AS_EXPECTED:
            return "known failure"
        return "flaky" if self.flaky else WORDS[self.code]


class GateResult(msgspec.Struct, frozen=True):
    """gate.json, version 1. docs/schemas/gate-result.schema.json is made from this type."""

    schema: Literal[1]
    gate: str
    file: str
    started: str
    seconds: float
    budget_s: float
    exit_code: ExitCode
    sentence: str
    steps: tuple[StepResult, ...]
    since: str | None
    bugs: tuple[str, ...]
    notes: tuple[str, ...]
    provenance: Provenance

    @property
    def word(self) -> str:
        """The exit code in a word or two."""
        return WORDS[self.exit_code]


def lacking(found: GateResult, lost: Sequence[str]) -> GateResult:
    """The result where something could not be written, which hides nothing that is worse."""
    if not lost:
        return found
    code, sentence = worst_code([found.exit_code, ExitCode.WORLD]), found.sentence
    if code is not found.exit_code:
        sentence = f"{sentence} Not everything could be written: {lost[0]}."
    notes = (*found.notes, *lost)
    return msgspec.structs.replace(found, exit_code=code, sentence=sentence, notes=notes)


WORDS = {
    ExitCode.AS_EXPECTED: "pass",
    ExitCode.PROMISE_BROKEN: "broken",
    ExitCode.USAGE: "mistake",
    ExitCode.INCONCLUSIVE: "inconclusive",
    ExitCode.WORLD: "hosts failed",
    ExitCode.HARNESS: "Delphic failed",
}
"""What an exit code means, in a word or two."""


def promises_of(steps: Iterable[StepResult]) -> list[str]:
    """Those that broke in steps that are red, each once, in the order of their numbers."""
    red = (one for one in steps if one.code is ExitCode.PROMISE_BROKEN)
    return sorted({p for one in red for a in one.attempts for p in a.promises}, key=order)


def result_schema_text() -> bytes:
    """The file docs/schemas/gate-result.schema.json: what --json prints."""
    return schema_text(schema_of(GateResult, "delphic gate --json"))
