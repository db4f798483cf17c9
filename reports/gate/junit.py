"""A gate as JUnit XML: one suite, a test case a step.

Broken → failure; inconclusive and not done → failure of that type; what the hosts or Delphic itself
failed at → error; a known failure, and what a change cannot affect → skipped.
"""

from xml.etree import ElementTree

from ...harness.errors import ExitCode
from ...harness.gate.result import GateResult, State, StepResult
from ..markup import visible

_ERRORS = (ExitCode.HARNESS, ExitCode.WORLD, ExitCode.USAGE)


def render(gate: GateResult) -> bytes:
    """The whole file."""
    tags = [_tag(step) for step in gate.steps]
    suite = ElementTree.Element(
        "testsuite",
        name=f"delphic.{gate.gate}",
        timestamp=gate.started.removesuffix("Z"),
        hostname="localhost",
        tests=str(len(gate.steps)),
        failures=str(tags.count("failure")),
        errors=str(tags.count("error")),
        skipped=str(tags.count("skipped")),
        time=f"{gate.seconds:.3f}",
    )
    for step, tag in zip(gate.steps, tags, strict=True):
        _case(suite, gate, step, tag)
    ElementTree.SubElement(suite, "system-out").text = visible(
        "\n".join([gate.sentence, *gate.notes])
    )
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _tag(step: StepResult) -> str | None:
    if step.known is not None or step.state is State.UNAFFECTED:
        return "skipped"
    if step.code is ExitCode.AS_EXPECTED:
        return None
    return "error" if step.code in _ERRORS else "failure"


def _case(suite: ElementTree.Element, gate: GateResult, step: StepResult, tag: str | None) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"delphic.{gate.gate}.{step.kind}",
        name=visible(step.name),
        time=f"{step.seconds:.3f}",
    )
    if tag == "skipped":
        ElementTree.SubElement(case, tag, message=visible("; ".join([step.sentence, *step.notes])))
    elif tag is not None:
        inner = ElementTree.SubElement(case, tag, type=step.word, message=visible(step.sentence))
        inner.text = visible("\n".join(_lines(step)))
    if tag is None and (step.notes or step.flaky):
        # Nothing that hosts of CI show as red, but it is not to be lost either.
        ElementTree.SubElement(case, "system-out").text = visible("\n".join(_lines(step)))


def _lines(step: StepResult) -> list[str]:
    lines = [step.sentence, *step.notes]
    for finding in step.findings:
        lines.append("")
        if finding.promises:
            lines.append(f"[{', '.join(finding.promises)}]")
        lines += [finding.sentence, *finding.witness]
        lines += [f"run: {finding.run}"] if finding.run else []
        lines += [f"again: {finding.again}"] if finding.again else []
    return lines
