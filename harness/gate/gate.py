"""The order of a gate: each step in turn, as long as there is time, and one result at the end."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from ..errors import ExitCode, WorldError, worst_code
from ..judging.judgement import TIME_FORMAT
from ..prose import plural
from ..running.environment import provenance
from .baseline import excuse
from .bell import Bell
from .memory import Memory
from .process import Interrupted
from .result import Attempt, GateResult, Known, State, StepResult, lacking, promises_of
from .step import Order, Run, Step

LEAST_S = 1.0
"""With less time than this nothing is begun."""

RUN_BESIDES_S = 3.0
"""What a run takes besides its own duration, at the least: to come up, and to be judged."""

NAMES_MAX = 5
"""Of more steps than these a sentence tells the number."""

_RETRIABLE = {
    "inconclusive": ExitCode.INCONCLUSIVE,
    "hosts": ExitCode.WORLD,
    "broken": ExitCode.PROMISE_BROKEN,
}

Perform = Callable[[Order, Path, Callable[[str], object]], Attempt]
"""Does a step, printing to a file, telling its news. Raises Interrupted."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every step."""

    name: str
    file: str
    budget_s: float
    jobs: int
    out: Path
    retries: int = 0
    retried: frozenset[str] = frozenset()
    baseline: Mapping[str, Known] = field(default_factory=dict)
    today: date = date.min
    since: str | None = None
    bugs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Watch(Protocol):
    """Somewhere to show a gate."""

    def begun(self, step: Step) -> None: ...
    def news(self, text: str) -> None: ...
    def ended(self, result: StepResult) -> None: ...


@dataclass
class Gate:
    """One gate, from its first step to its result."""

    rules: Rules
    steps: Sequence[Step]
    affected: Mapping[str, str] | None
    """By name of step, why it is to be done; None: all of them, whatever changed."""
    memory: Memory
    perform: Perform
    watch: Watch
    bell: Bell = field(default_factory=Bell)

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._started = datetime.now(UTC).strftime(TIME_FORMAT)
        self._unkept: list[str] = []
        self._unwritten: list[str] = []

    def run(self, write: Callable[[GateResult], object]) -> GateResult:
        """Do all steps; what there is so far is written before the first and after each of them.

        That something cannot be written ends nothing, and is told in the result.
        """
        done: list[StepResult] = []
        self._write(write, done)
        for result in self._results():
            done.append(result)
            self.watch.ended(result)
            self._write(write, done)
        return self._result(done, is_over=True)

    def _write(self, write: Callable[[GateResult], object], done: Sequence[StepResult]) -> None:
        try:
            write(self._result(done, is_over=len(done) == len(self.steps)))
        except WorldError as error:
            self._unwritten = [str(error)]
        else:
            self._unwritten = []

    def _results(self) -> Iterator[StepResult]:
        for step in self.steps:
            self.watch.begun(step)
            yield self._excused(step, self._one(step))

    def _one(self, step: Step) -> StepResult:
        if self.affected is not None and step.name not in self.affected:
            told = "Nothing that it depends on has changed."
            return _result(step, State.UNAFFECTED, ExitCode.AS_EXPECTED, told)
        now = self.memory.now(step)
        before = self.memory.recall(step, now)
        if before is not None and not (self._is_known(step) and _is_in_part(before)):
            return before
        refusal = self._refusal(step)
        if refusal:
            return _result(step, State.NOT_DONE, ExitCode.INCONCLUSIVE, refusal)
        found = self._tried(step)
        lost = self.memory.keep(step, found, now)
        self._unkept += [] if lost is None else [str(lost)]
        return found

    def _is_known(self, step: Step) -> bool:
        """Whether the baseline may excuse it, and so all of it has to be done."""
        return step.name in self.rules.baseline

    def _left(self) -> float:
        return self.rules.budget_s - (time.monotonic() - self._began)

    def _refusal(self, step: Step) -> str:
        """Why it is not begun."""
        if self.bell.has_rung:
            return "Not done: the gate was interrupted."
        left = self._left()
        if left < LEAST_S:
            return f"Not done: out of time, of {self.rules.budget_s:g} s nothing is left."
        time_s = left if step.budget_s is None else min(left, step.budget_s)
        if isinstance(step.work, Run) and step.can_flake:
            needs = step.work.duration_s + RUN_BESIDES_S
            if time_s < needs:
                return f"Not done: out of time, it takes {needs:g} s and {time_s:.0f} s are left."
        return ""

    def _tried(self, step: Step) -> StepResult:
        """Once, and again as the policy for flakes says."""
        attempts: list[Attempt] = []
        tries = 1 + (self.rules.retries if step.can_flake else 0)
        while len(attempts) < tries and (not attempts or self._is_to_be_retried(step, attempts)):
            try:
                attempts.append(self._attempt(step, len(attempts)))
            except Interrupted as error:
                self.bell.has_rung = True
                if error.attempt is not None and error.attempt.code is ExitCode.PROMISE_BROKEN:
                    # Nobody knows the rest of it.
                    rest = ExitCode.INCONCLUSIVE
                    attempts.append(msgspec.structs.replace(error.attempt, beside=rest))
                told = "Not done: the gate was interrupted."
                if not attempts:
                    return _result(step, State.NOT_DONE, ExitCode.INCONCLUSIVE, told)
                break
        last = attempts[-1]
        flaky = len({attempt.code for attempt in attempts}) > 1
        notes = []
        if len(attempts) > 1:
            codes = ", then ".join(f"{one.code.name.lower().replace('_', ' ')}" for one in attempts)
            notes.append(f"Tried {plural(len(attempts), 'time')}: {codes}.")
        state = State.DONE
        told = last.sentence
        if last.unfinished:
            state, told = State.NOT_DONE, f"Not done: {last.unfinished}. {told}"
        return StepResult(
            step.name, step.kind, step.line, state, last.code, told, tuple(attempts), flaky,
            None, tuple(notes), round(sum(one.seconds for one in attempts), 2),
        )  # fmt: skip

    def _is_to_be_retried(self, step: Step, attempts: Sequence[Attempt]) -> bool:
        wanted = {_RETRIABLE[word] for word in self.rules.retried}
        return attempts[-1].code in wanted and not self._refusal(step)

    def _attempt(self, step: Step, number: int) -> Attempt:
        left = self._left()
        seconds = left if step.budget_s is None else min(left, step.budget_s)
        order = Order(
            step.work,
            max(LEAST_S, seconds),
            self.rules.jobs,
            str(self.rules.out),
            self._is_known(step),
        )
        words = "".join(c if c.isalnum() or c in "-." else "-" for c in step.name)[:80]
        name = f"{self.steps.index(step) + 1:02}-{words}{f'-{number + 1}' if number else ''}.txt"
        log = self.rules.out / "logs" / name
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with self.bell.heard():
                return self.perform(order, log, self.watch.news)
        except KeyboardInterrupt:
            # It came before there was a process, or after that had ended.
            raise Interrupted from None
        except OSError as error:
            return Attempt(ExitCode.WORLD, f"It cannot be done: {error}")

    def _excused(self, step: Step, found: StepResult) -> StepResult:
        """With what the baseline says of it."""
        entry, last = self.rules.baseline.get(step.name), found.last
        if entry is None or last is None:
            return found
        is_excused, told = excuse(entry, last, self.rules.today)
        notes = (*found.notes, *([told] if told else []))
        code = last.beside if is_excused else found.code
        known = entry if is_excused else None
        return msgspec.structs.replace(found, code=code, known=known, notes=notes)

    def _result(self, done: Sequence[StepResult], *, is_over: bool) -> GateResult:
        code = worst_code([one.code for one in done])
        if not is_over and code is ExitCode.AS_EXPECTED:
            code = ExitCode.INCONCLUSIVE
        seconds = round(time.monotonic() - self._began, 1)
        rules = self.rules
        found = GateResult(
            schema=1,
            gate=rules.name,
            file=rules.file,
            started=self._started,
            seconds=seconds,
            budget_s=rules.budget_s,
            exit_code=code,
            sentence=_sentence(done, code, len(self.steps)),
            steps=tuple(done),
            since=rules.since,
            bugs=rules.bugs,
            notes=rules.notes,
            provenance=provenance(),
        )
        return lacking(found, [*self._unkept, *self._unwritten])


def _is_in_part(found: StepResult) -> bool:
    """Whether something of it is not decided, besides a promise that broke."""
    return found.last is not None and found.last.beside is not ExitCode.AS_EXPECTED


def _result(step: Step, state: State, code: ExitCode, sentence: str) -> StepResult:
    return StepResult(step.name, step.kind, step.line, state, code, sentence)


def _sentence(done: Sequence[StepResult], code: ExitCode, count: int) -> str:
    """The gate in one sentence; broken promises by name."""
    if len(done) == count and done and all(one.state is State.UNAFFECTED for one in done):
        return "Nothing that these steps depend on has changed: nothing was done."
    if code is ExitCode.AS_EXPECTED:
        told = _counted(done)
        return f"All {plural(count, 'step')} as expected{told}."
    names = [one.name for one in done if one.code is code]
    told = _few(names)
    if code is ExitCode.PROMISE_BROKEN:
        return _broken(done)
    if code is ExitCode.INCONCLUSIVE:
        if not names:
            return f"{len(done)} of {plural(count, 'step')} so far, as expected."
        left = [one.name for one in done if one.state is State.NOT_DONE]
        what = "Not done" if len(left) == len(names) else "Undecided"
        return f"{what}: {told}."
    what = {
        ExitCode.HARNESS: "Delphic itself failed",
        ExitCode.WORLD: "The hosts failed us",
        ExitCode.USAGE: "Something is asked for that is not possible",
    }[code]
    return f"{what}: {told}."


def _broken(done: Sequence[StepResult]) -> str:
    """The promises that broke with the steps that name them, then what else is red."""
    red = [one for one in done if one.code is ExitCode.PROMISE_BROKEN]
    named = [one.name for one in red if promises_of([one])]
    others = [one.name for one in red if one.name not in named]
    promises = ", ".join(promises_of(red))
    told = [f"{promises} broke: {_few(named)}."] if named else []
    return " ".join(told + ([f"Not as it should be: {_few(others)}."] if others else []))


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more


def _counted(done: Sequence[StepResult]) -> str:
    """What is not plain green in a green gate."""
    told = [
        f"{count} {what}"
        for what, count in (
            ("known to fail", sum(one.known is not None for one in done)),
            ("flaky", sum(one.flaky for one in done)),
            ("done before", sum(one.state is State.KEPT for one in done)),
            ("unaffected", sum(one.state is State.UNAFFECTED for one in done)),
        )
        if count
    ]
    return f" ({', '.join(told)})" if told else ""
