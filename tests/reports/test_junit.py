"""junit.xml is what collectors of test results expect, and red exactly when it should be."""

import re
from collections.abc import Callable
from xml.etree import ElementTree

import msgspec
import pytest
from delphic.harness.verdict import Validity, Verdict
from delphic.reports import junit
from delphic.reports.page.document import Document

Documents = Callable[[str], Document]


def suite(found: Document) -> ElementTree.Element:
    root = ElementTree.fromstring(junit.render(found))
    assert root.tag == "testsuites"
    (only,) = root
    return only


def tags(found: ElementTree.Element) -> dict[str, str]:
    """What each case says: its name → failure, error, skipped or nothing."""
    return {
        f"{case.get('classname')} {case.get('name')}": "".join(child.tag for child in case)
        for case in found.iter("testcase")
    }


def judged(document: Document, *verdicts: Verdict, expected: str, ok: bool) -> Document:
    assert document.verdict is not None
    verdict = msgspec.structs.replace(
        document.verdict, verdicts=verdicts, expected=expected, as_expected=ok
    )
    return msgspec.structs.replace(document, verdict=verdict)


@pytest.mark.parametrize("kind", ["pass", "fail", "expected", "inconclusive", "hostile"])
def test_it_has_the_form_of_the_common_schema(documents: Documents, kind: str) -> None:
    """The rules of the two schemas in use, Ant's and Jenkins' (junit-10.xsd)."""
    found = suite(documents(kind))
    assert found.tag == "testsuite"
    order = [child.tag for child in found]
    assert order[0] == "properties"
    assert order[-2:] == ["system-out", "system-err"]
    assert set(order[1:-2]) == {"testcase"}
    cases = list(found.iter("testcase"))
    counts = {
        "tests": len(cases),
        "failures": len(found.findall("testcase/failure")),
        "errors": len(found.findall("testcase/error")),
    }
    assert {name: found.get(name) for name in counts} == {n: str(c) for n, c in counts.items()}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", found.get("timestamp") or "")
    for case in cases:
        assert case.get("name")
        assert case.get("classname")
        assert re.fullmatch(r"\d+\.\d{3}", case.get("time") or "")
        assert len(case) <= 1
        for child in case:
            assert child.get("message")
            assert child.tag == "skipped" or child.get("type")


def test_a_pass_is_green(documents: Documents) -> None:
    assert set(tags(suite(documents("pass"))).values()) == {""}


def test_each_checker_has_a_case_for_each_promise(documents: Documents) -> None:
    found = tags(suite(documents("fail")))
    assert found["quickstart.durability HS-2 No acknowledged row is lost."] == "failure"
    assert found["quickstart.elections HS-1 At most one leader in a term."] == ""
    assert found["quickstart.statistics statistics"] == ""
    assert found["quickstart as expected"] == "failure"
    assert list(found.values()).count("failure") == 4


def test_an_expected_failure_is_skipped(documents: Documents) -> None:
    found = tags(suite(documents("expected")))
    assert set(found.values()) == {"", "skipped"}
    assert list(found.values()).count("skipped") == 3


@pytest.mark.parametrize(
    ("validity", "tag"),
    [
        (Validity.PASS, ""),
        (Validity.INCONCLUSIVE, "failure"),
        (Validity.UNKNOWN, "failure"),
        (Validity.HARNESS_ERROR, "error"),
        (Validity.FAIL, "failure"),
    ],
)
def test_the_lattice(documents: Documents, validity: Validity, tag: str) -> None:
    verdict = Verdict("log", validity, "So it is.", ("HS-2",))
    ok = validity is Validity.PASS
    found = suite(judged(documents("small"), verdict, expected="pass", ok=ok))
    assert tags(found)["quickstart.log HS-2 No acknowledged row is lost."] == tag
    for child in found.findall("testcase/*")[:1]:
        assert child.get("type") == validity.value
    assert tags(found)["quickstart as expected"] == ("" if ok else "failure")


def test_a_failure_that_was_expected_and_did_not_come_is_red(documents: Documents) -> None:
    verdict = Verdict("log", Validity.PASS, "All is well.", ("HS-2",))
    found = suite(judged(documents("small"), verdict, expected="fail", ok=False))
    assert found.get("failures") == "1"
    assert "Expected fail" in ElementTree.tostring(found, "unicode")


def test_another_failure_than_the_expected_one_is_red(documents: Documents) -> None:
    verdict = Verdict("log", Validity.FAIL, "Something else.", ("HS-1",))
    found = suite(judged(documents("small"), verdict, expected="fail", ok=False))
    assert found.get("failures") == "2"


def test_a_crashed_checker_is_an_error_even_in_an_expected_failure(documents: Documents) -> None:
    verdicts = (
        Verdict("log", Validity.FAIL, "As hoped.", ("HS-2",)),
        Verdict("order", Validity.HARNESS_ERROR, "It crashed."),
        Verdict("liveness", Validity.UNKNOWN, "Not told."),
    )
    found = tags(suite(judged(documents("small"), *verdicts, expected="fail", ok=True)))
    assert list(found.values()) == ["skipped", "error", "skipped", ""]


def test_a_run_that_was_not_judged_is_an_error(documents: Documents) -> None:
    found = suite(msgspec.structs.replace(documents("small"), verdict=None))
    assert found.get("errors") == "1"
    assert found.get("timestamp") == "1970-01-01T00:00:00"


def test_what_xml_cannot_hold_is_replaced(documents: Documents) -> None:
    verdict = Verdict("log", Validity.FAIL, "a\x00b\x1b[31m ]]> \ufffe \ud800 <x> & \"'")
    text = junit.render(judged(documents("small"), verdict, expected="pass", ok=False))
    (failure, _) = ElementTree.fromstring(text).iter("failure")
    assert failure.text == "a\ufffdb\ufffd[31m ]]> \ufffd \ufffd <x> & \"'"
