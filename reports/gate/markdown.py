"""A gate in Markdown, for the summary page of a CI job: what is red first."""

from collections.abc import Iterator

from ...harness.gate.result import Finding, GateResult, StepResult
from .. import promises
from ..markdown import block, code, plain, table

_ICONS = {
    "pass": "✓",
    "broken": "✕",
    "flaky": "±",
    "known failure": "≈",
    "unaffected": "–",
    "not done": "…",
    "inconclusive": "?",
}
"""Sign and word: an outcome is never told by a sign alone."""

FINDINGS_MAX = 10


def render(gate: GateResult) -> str:
    """The whole summary."""
    return "\n".join(_lines(gate)) + "\n"


def _lines(gate: GateResult) -> Iterator[str]:
    yield f"## {_marked(gate.word)}: {plain(gate.gate)}"
    yield ""
    yield plain(gate.sentence)
    yield ""
    yield f"{gate.seconds:.0f} s of a budget of {gate.budget_s:g} s; exit code {gate.exit_code}."
    yield ""
    red = [(step, finding) for step in gate.steps if step.code for finding in step.findings]
    for step, finding in red[:FINDINGS_MAX]:
        yield from _finding(step, finding)
    if len(red) > FINDINGS_MAX:
        yield f"… and {len(red) - FINDINGS_MAX} more."
        yield ""
    yield from table(
        ("step", "outcome", "took", "what it says"),
        [
            (step.name, _marked(step.word), f"{step.seconds:.0f} s", _told(step))
            for step in gate.steps
        ],
    )
    for note in gate.notes:
        yield f"- {plain(note)}"


def _marked(word: str) -> str:
    return f"{_ICONS.get(word, '!')} {word}"


def _told(step: StepResult) -> str:
    return " ".join([step.sentence, *step.notes])


def _finding(step: StepResult, finding: Finding) -> Iterator[str]:
    yield f"### {plain(step.name)}"
    yield ""
    yield plain(finding.sentence)
    yield ""
    for promise in finding.promises:
        yield f"- **{plain(promise)}** {plain(promises.text(promise))}"
    if finding.run:
        yield f"- run: {code(finding.run)}"
    if finding.again:
        yield f"- again: {code(finding.again)}"
    yield ""
    if finding.witness:
        # Indented, they would be text of the last item above.
        yield from block(finding.witness)
        yield ""
