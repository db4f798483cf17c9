"""The verdicts as JUnit XML, for whatever collects test results.

A run is a test suite, a checker with a promise a test case. Validities map so: fail → failure,
harness_error → error, unknown and inconclusive → failure of that type. Where a scenario asks for a
failure and gets it, failures are skipped, as expected failures are elsewhere: the file is red when
the run is not as expected (then so is the case `as expected`) or when a checker crashed.
"""

from collections.abc import Iterator
from html import escape

import msgspec

from ..harness.verdict import RunVerdict, Validity, Verdict
from . import promises
from .markup import is_forbidden
from .page.document import Document
from .page.nodelogs import instant

_SENTENCES_MAX = 4_000


class Case(msgspec.Struct, frozen=True):
    """One test case. `tag` is failure, error or skipped; None where all is well."""

    name: str
    group: str
    time_s: float
    tag: str | None = None
    type: str = ""
    message: str = ""


def render(document: Document) -> str:
    """The whole file."""
    cases = list(_cases(document))
    counts = {tag: sum(c.tag == tag for c in cases) for tag in ("failure", "error", "skipped")}
    judged = document.verdict
    suite = {
        "name": f"delphic.{document.title}",
        "timestamp": _timestamp(judged),
        "hostname": "localhost",
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "time": f"{0.0 if judged is None else judged.duration_s:.3f}",
        "id": "0",
        "package": "delphic",
    }
    if counts["skipped"]:
        # The oldest of the schemas in use does not know this attribute.
        suite["skipped"] = str(counts["skipped"])
    return "".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            "<testsuites>\n",
            f"<testsuite{_attributes(suite)}>\n",
            _properties(document),
            *map(_case, cases),
            f"<system-out>{_text(_told(document))}</system-out>\n<system-err></system-err>\n",
            "</testsuite>\n</testsuites>\n",
        ]
    )


def _cases(document: Document) -> Iterator[Case]:
    judged = document.verdict
    if judged is None:
        yield Case("verdict", "delphic", 0.0, "error", "missing", "The run has not been judged.")
        return
    is_failure_expected = judged.expected == "fail" and judged.as_expected
    for verdict in judged.verdicts:
        for promise in verdict.promises or ("",):
            yield _judged(verdict, promise, judged, is_failure_expected=is_failure_expected)
    surprise = None if judged.as_expected else "failure"
    message = f"Expected {judged.expected}, found {judged.validity}."
    yield Case("as expected", judged.scenario, 0.0, surprise, "unexpected", message)


def _judged(
    verdict: Verdict, promise: str, judged: RunVerdict, *, is_failure_expected: bool
) -> Case:
    text = f"{promise} {promises.text(promise)}".strip() if promise else verdict.checker
    share = verdict.cost_s / max(1, len(verdict.promises))
    group = f"{judged.scenario}.{verdict.checker}"
    tag: str | None
    match verdict.validity:
        case Validity.PASS:
            tag = None
        case Validity.HARNESS_ERROR:
            tag = "error"
        case _ if is_failure_expected:
            tag = "skipped"
        case _:
            tag = "failure"
    return Case(text, group, share, tag, verdict.validity.value, verdict.sentence)


def _case(case: Case) -> str:
    attributes = {"name": case.name, "classname": case.group, "time": f"{case.time_s:.3f}"}
    if case.tag is None:
        return f"<testcase{_attributes(attributes)}/>\n"
    if case.tag == "skipped":
        inner = f"<skipped{_attributes({'message': f'expected failure: {case.message}'})}/>"
    else:
        why = _attributes({"message": case.message, "type": case.type})
        inner = f"<{case.tag}{why}>{_text(case.message)}</{case.tag}>"
    return f"<testcase{_attributes(attributes)}>{inner}</testcase>\n"


def _properties(document: Document) -> str:
    values = {
        "scenario": document.plan.scenario,
        "seed": "" if document.seed is None else str(document.seed),
        "command": document.command,
        "directory": document.name,
    }
    found = [
        f"<property{_attributes({'name': name, 'value': value})}/>\n"
        for name, value in values.items()
        if value
    ]
    return f"<properties>\n{''.join(found)}</properties>\n"


def _told(document: Document) -> str:
    sentence = "not judged" if document.verdict is None else document.verdict.sentence
    return "\n".join([sentence, *document.missing])


def _timestamp(judged: RunVerdict | None) -> str:
    """JUnit wants a date and time without a zone."""
    moment = None if judged is None else instant(judged.started)
    return "1970-01-01T00:00:00" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S")


def _attributes(values: dict[str, str]) -> str:
    return "".join(f' {name}="{_text(value)}"' for name, value in values.items())


def _text(text: str) -> str:
    """Escaped, bounded, and without what XML cannot hold."""
    kept = "".join("\N{REPLACEMENT CHARACTER}" if is_forbidden(c) else c for c in text)
    return escape(kept[:_SENTENCES_MAX])
