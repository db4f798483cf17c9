"""Where members part from the model, the page shows both next states side by side."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.harness.verdict import Validity, Verdict
from delphic.reports.page.divergence import divergence_section
from delphic.reports.page.document import Document
from delphic.reports.page.document import document as read
from delphic.reports.page.html import render

Documents = Callable[[str], Document]

DIVERGENCE: dict[str, Any] = {
    "member": "n2",
    "incarnation": 1,
    "step": 41,
    "cause": "received <AppendRequest> from n1",
    "would_break": ["commit-never-falls (HS-4)"],
    "states": [["term", "3", "3", "3"], ["commit", "7", "7", "8"], ["votes", "n2", "n2", ""]],
    "around": [
        {"at_s": 1.5, "member": "n1", "step": "1/40", "event": "timer heartbeat", "then": "leader"},
        {"at_s": None, "member": "n2", "step": "1/41", "event": "x", "then": "y", "is_it": True},
    ],
}


def section(document: Document, details: dict[str, Any]) -> str | None:
    assert document.verdict is not None
    verdict = Verdict("conformance", Validity.FAIL, "It is <so>.", details=details)
    judged = msgspec.structs.replace(document.verdict, verdicts=(verdict,))
    found = divergence_section(msgspec.structs.replace(document, verdict=judged))
    return None if found is None else found.text


@pytest.fixture
def document(documents: Documents) -> Document:
    return documents("pass")


def test_what_differs_comes_first_and_is_marked(document: Document) -> None:
    text = section(document, {"divergence": DIVERGENCE})
    assert text is not None
    assert text.index("commit") < text.index("term")
    assert '<strong class="unwanted">8</strong>' in text
    assert text.count("unwanted") == 1
    assert "Step 41 of incarnation 1 of n2 (received &lt;AppendRequest&gt; from n1)" in text
    assert "In the model such a step breaks: commit-never-falls (HS-4)." in text
    assert '<span class="mark">–</span>' in text


def test_what_else_is_wrong_is_folded_away(document: Document) -> None:
    other = {"where": "step 2 of n1", "reason": "it leads, too", "promises": ["HS-1"]}
    text = section(document, {"divergence": DIVERGENCE, "others": [other]})
    assert text is not None
    assert "1 thing more that cannot be" in text
    assert "it leads, too (breaks HS-1)" in text


@pytest.mark.parametrize(
    "odd",
    [
        {"states": [1, 2]},
        {"states": 7},
        {"states": [["term", 3, None, {"a": 1}]]},
        {"around": [1]},
        {"around": {"n1": 2}},
        {"around": [{"at_s": "soon"}]},
        {"would_break": 3},
        {"at_s": 1e308},
        {"member": ["n1"], "step": {}},
        {"others": 3},
        {"others": [3]},
        {"others": [{"promises": 1}]},
    ],
)
def test_what_another_program_said_of_it_costs_no_report(
    runs: Callable[[str], Any], tmp_path: Path, odd: dict[str, Any]
) -> None:
    path = shutil.copytree(runs("small").path, tmp_path / "run")
    judged = msgspec.json.decode((path / "verdict.json").read_bytes())
    details = {"divergence": DIVERGENCE | odd, "others": odd.get("others")}
    found = {"checker": "conformance", "validity": "fail", "sentence": "Not so."}
    one = judged["verdicts"][0] | found | {"details": details}
    (path / "verdict.json").write_bytes(msgspec.json.encode(judged | {"verdicts": [one]}))
    assert "Where the model says otherwise" in render(read(path))


def test_a_run_that_conforms_has_no_such_section(document: Document) -> None:
    assert section(document, {}) is None


def test_a_core_of_replication_shows_the_one_thing_that_differs(document: Document) -> None:
    assert document.verdict is not None
    found = {"member": "s1c1", "core": "dispatcher", "incarnation": 1, "step": 15, "index": 0,
             "rule": "step", "what": "dispatched", "event": {"kind": "<applied>"},
             "model": "not this one", "found": 3}  # fmt: skip
    details = {"divergence": found}
    verdict = Verdict("replication-conformance", Validity.FAIL, "It is <so>.", details=details)
    judged = msgspec.structs.replace(document.verdict, verdicts=(verdict,))
    section = divergence_section(msgspec.structs.replace(document, verdict=judged))
    assert section is not None
    assert "Step 15 of incarnation 1 of the core dispatcher of s1c1" in section.text
    assert "<strong>not this one</strong>" in section.text
    assert '<strong class="unwanted">3</strong>' in section.text
    assert "&lt;applied&gt;" in section.text
