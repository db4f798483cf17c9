"""What CI reads of a gate: JUnit, alerts, annotations, a summary."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from delphic.harness.errors import ExitCode
from delphic.harness.gate.result import Attempt, Finding, GateResult, Known, State, StepResult
from delphic.harness.verdict import Provenance
from delphic.reports.gate import alerts, junit, markdown
from delphic.reports.gate.write import write
from markdown_it import MarkdownIt

STALE = Finding(
    "A read missed row 3, 100%\nsure\x00.",
    ("HS-4", "HS-2"),
    ('{"index": 7}',),
    "runs/gate/runs/x",
    "delphic run chaos --seed 3 --on sim",
)


def of(name: str, state: State, code: int, **more: Any) -> StepResult:
    given: dict[str, Any] = {"sentence": f"{name} said.", "seconds": 2.0, **more}
    return StepResult(name, "simulate", 4, state, ExitCode(code), **given)


GOOD = of("good", State.DONE, 0)
BROKEN = of("a, b: c", State.DONE, 1, attempts=(Attempt(ExitCode.PROMISE_BROKEN, "s", (STALE,)),))
KNOWN = msgspec.structs.replace(
    BROKEN, name="known", code=ExitCode.AS_EXPECTED, known=Known("known", "2027-01-31", "issue 7")
)
FLAKY = of("flaky", State.DONE, 0, flaky=True, notes=("Tried 2 times.",))
LATE = of("late", State.NOT_DONE, 3)
OUT = of("out", State.UNAFFECTED, 0)
BUG = of("bug", State.DONE, 5)


def gate(*steps: StepResult) -> GateResult:
    return GateResult(
        1, "gate", "ci/gate.yaml", "2026-11-21T12:00:00Z", 12.0, 60.0, ExitCode.PROMISE_BROKEN,
        "HS-4 broke: <a>.", steps, None, (), ("Note.",), Provenance("1.0"),
    )  # fmt: skip


ALL = gate(GOOD, BROKEN, KNOWN, FLAKY, LATE, OUT, BUG)


def test_each_step_is_a_test_case_and_red_where_the_gate_is() -> None:
    suite = ElementTree.fromstring(junit.render(ALL))[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "2", "errors": "1", "skipped": "2",
    }  # fmt: skip
    tags = {
        case.get("name"): [inner.tag for inner in case] for case in suite if case.tag == "testcase"
    }
    assert tags == {
        "good": [], "a, b: c": ["failure"], "known": ["skipped"], "flaky": ["system-out"],
        "late": ["failure"], "out": ["skipped"], "bug": ["error"],
    }  # fmt: skip
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.text is not None
    for part in ("[HS-4, HS-2]", '{"index": 7}', "run: runs/gate/runs/x", "again: delphic run"):
        assert part in failure.text


def test_alerts_name_the_promise_the_line_and_how_to_see_it() -> None:
    found = alerts.alerts(ALL)
    assert [(one.rule, one.level, one.title) for one in found] == [
        ("HS-4", "error", "a, b: c: broken"),
        ("HS-2", "error", "a, b: c: broken"),
        ("HS-4", "warning", "known: known failure"),
        ("HS-2", "warning", "known: known failure"),
        ("simulate", "warning", "flaky: flaky"),
        ("simulate", "error", "late: not done"),
        ("simulate", "error", "bug: Delphic failed"),
    ]
    assert found[0].line == 4
    assert "HS-4 broke: All members hold the same" in found[0].text
    assert "Again: delphic run chaos --seed 3 --on sim" in found[0].text


def test_annotations_of_github_stay_on_one_line_each_whatever_they_say() -> None:
    lines = alerts.github(ALL).splitlines()
    assert len(lines) == 7
    first = lines[0]
    assert first.startswith("::error file=ci/gate.yaml,line=4,title=a%2C b%3A c%3A broken::HS-4")
    assert "100%25%0Asure" in first


def test_the_code_quality_of_gitlab_has_what_its_schema_asks_for() -> None:
    found = json.loads(alerts.gitlab(ALL))
    assert len(found) == 7
    for one in found:
        assert set(one) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert one["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert one["location"] == {"path": "ci/gate.yaml", "lines": {"begin": 4}}
    assert len({one["fingerprint"] for one in found}) == 7


def test_sarif_has_a_rule_for_every_result() -> None:
    log = json.loads(alerts.sarif(ALL))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["HS-4", "HS-2", "simulate"]
    assert {result["ruleId"] for result in run["results"]} == set(rules)
    for result in run["results"]:
        assert result["level"] in ("error", "warning")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "ci/gate.yaml"
        assert place["region"]["startLine"] >= 1


def test_a_green_gate_raises_no_alert() -> None:
    assert alerts.alerts(gate(GOOD, OUT)) == []
    assert alerts.github(gate(GOOD)) == ""
    assert json.loads(alerts.gitlab(gate(GOOD))) == []
    assert json.loads(alerts.sarif(gate(GOOD)))["runs"][0]["results"] == []


def test_the_summary_says_what_broke_first_and_hides_nothing() -> None:
    text = markdown.render(ALL)
    assert text.startswith("## ✕ broken: gate\n\nHS-4 broke: \\<a\\>.")
    assert text.index("### a, b: c") < text.index("| step |")
    assert "- **HS-4** All members hold the same committed rows" in text
    assert "again: `delphic run chaos --seed 3 --on sim`" in text
    for word in ("✓ pass", "≈ known failure", "± flaky", "… not done", "– unaffected"):
        assert word in text
    assert "- Note." in text


def test_all_files_are_written_and_what_cannot_be_is_said(tmp_path: Path) -> None:
    write(ALL, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"gate.json", "junit.xml", "summary.md", "gate.sarif", "gl-code-quality.json"}
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="cannot write"):
        write(ALL, tmp_path / "file")


def test_files_are_written_through_no_link(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    for name in (".gate.json", "gate.json", ".summary.md", "summary.md"):
        (tmp_path / name).symlink_to(other)
    write(ALL, tmp_path)
    assert other.read_text() == "mine"
    assert not (tmp_path / "gate.json").is_symlink()


def test_what_a_witness_holds_is_shown_as_it_is_and_never_done() -> None:
    lines = ("<img src=x onerror=alert(1)> [click](http://evil) **b**", "~~~~ ``` ````", "  c ├─┤")
    for more in (STALE, Finding("s", (), (), None, "")):
        finding = msgspec.structs.replace(more, witness=lines)
        attempt = Attempt(ExitCode.PROMISE_BROKEN, "s", (finding,))
        text = markdown.render(gate(of("red", State.DONE, 1, attempts=(attempt,))))
        shown = [one for one in MarkdownIt().parse(text) if lines[0] in one.content]
        assert [(one.type, one.level) for one in shown] == [("fence", 0)]
        assert shown[0].content.splitlines() == list(lines)


def test_the_file_of_an_alert_is_an_address() -> None:
    odd = msgspec.structs.replace(ALL, file="my gates/gate #1 100%.yaml")
    (run,) = json.loads(alerts.sarif(odd))["runs"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20gates/gate%20%231%20100%25.yaml"
