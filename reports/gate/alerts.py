"""What is wrong with a gate as alerts on a line of its file: SARIF, GitLab, GitHub."""

import hashlib
import os
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from ...harness.errors import ExitCode
from ...harness.gate.result import Finding, GateResult, State, StepResult
from .. import promises

Level = Literal["error", "warning"]

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


class Alert(msgspec.Struct, frozen=True):
    """One thing to look at. `rule`: the promise that broke, or the kind of step."""

    rule: str
    level: Level
    title: str
    text: str
    line: int


def alerts(gate: GateResult) -> list[Alert]:
    """Errors for what makes the gate red, warnings for what it lets pass: known and flaky ones."""
    return [alert for step in gate.steps for alert in _of(step)]


def _of(step: StepResult) -> Iterator[Alert]:
    is_red = step.code is not ExitCode.AS_EXPECTED
    if step.state is State.UNAFFECTED or not (is_red or step.known or step.flaky):
        return
    level: Level = "error" if is_red else "warning"
    title = f"{step.name}: {step.word}"
    for finding in step.findings or (Finding(step.sentence),):
        text = " ".join([finding.sentence, *step.notes])
        text += f" Run: {finding.run}" if finding.run else ""
        text += f" Again: {finding.again}" if finding.again else ""
        for rule in finding.promises or (step.kind,):
            named = [f"{rule} broke: {promises.text(rule)}"] if rule in finding.promises else []
            yield Alert(rule, level, title, " ".join([*named, text]), max(1, step.line))


def github(gate: GateResult) -> str:
    """Workflow commands: lines on standard output that GitHub shows beside the file."""
    return "".join(
        f"::{alert.level} file={_property(gate.file)},line={alert.line},"
        f"title={_property(alert.title)}::{_data(alert.text)}\n"
        for alert in alerts(gate)
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def gitlab(gate: GateResult) -> bytes:
    """The code quality report that GitLab shows in a merge request."""
    found = [
        {
            "description": f"{alert.title}. {alert.text}",
            "check_name": alert.rule,
            "fingerprint": _fingerprint(alert),
            "severity": "blocker" if alert.level == "error" else "minor",
            "location": {"path": gate.file, "lines": {"begin": alert.line}},
        }
        for alert in alerts(gate)
    ]
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def _fingerprint(alert: Alert) -> str:
    """The same for the same failure of another day: seeds and directories do not count."""
    return hashlib.sha256(f"{alert.rule}\0{alert.title}".encode()).hexdigest()


def sarif(gate: GateResult) -> bytes:
    """SARIF 2.1.0, which GitHub's code scanning and many editors read."""
    found = alerts(gate)
    driver = {
        "name": "delphic",
        "version": gate.provenance.version,
        "rules": [_rule(rule) for rule in dict.fromkeys(alert.rule for alert in found)],
    }
    run = {"tool": {"driver": driver}, "results": [_result(gate, alert) for alert in found]}
    log = {"$schema": _SARIF, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2) + b"\n"


def _rule(rule: str) -> dict[str, Any]:
    return {"id": rule, "shortDescription": {"text": promises.text(rule) or f"Steps that {rule}."}}


def _result(gate: GateResult, alert: Alert) -> dict[str, Any]:
    file = quote(os.fsencode(gate.file))
    place = {"artifactLocation": {"uri": file}, "region": {"startLine": alert.line}}
    return {
        "ruleId": alert.rule,
        "level": alert.level,
        "message": {"text": f"{alert.title}. {alert.text}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"delphic/v1": _fingerprint(alert)},
    }
