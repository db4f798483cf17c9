"""The top of the page answers in a few words: what was promised, what broke, when, why."""

from collections.abc import Callable
from html.parser import HTMLParser

import msgspec
import pytest
from delphic.harness.verdict import Validity
from delphic.reports.page.banner import banner
from delphic.reports.page.document import Document

Documents = Callable[[str], Document]


class Answers(HTMLParser):
    """The terms of a description list, each with its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.told: dict[str, str] = {}
        self._term, self._in = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("dt", "dd"):
            self._in = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._in:
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "dt":
            self._term = data
        elif self._in == "dd":
            self.told[self._term] = self.told.get(self._term, "") + data


def answers(document: Document) -> dict[str, str]:
    return Answers(banner(document).text).told


def test_a_violation_answers_all_four(documents: Documents) -> None:
    told = answers(documents("fail"))
    assert list(told) == ["Promised", "Broke", "When", "Why"]
    assert "broken" in told["Promised"]
    assert "✕ HS-2 No acknowledged row is lost." in told["Broke"]
    first, last = documents("fail").witnesses[0].numbered
    assert f"From {first.start / 1e6:.3f} s (append) to " in told["When"]
    assert "F2 (kill)" in told["When"]
    assert told["Why"].startswith(documents("fail").verdict.sentence)  # type: ignore[union-attr]
    assert last.f == "read"


def test_a_run_that_kept_its_promises_says_so(documents: Documents) -> None:
    told = answers(documents("pass"))
    assert told["Broke"] == "Nothing."
    assert "kept" in told["Promised"]
    assert "broken" not in told["Promised"]
    assert "with 3 faults on purpose" in told["When"]


def test_the_day_of_a_simulated_world_is_no_news(documents: Documents) -> None:
    document = documents("pass")
    assert document.verdict is not None
    begun = document.verdict.started
    assert begun in banner(document).text
    simulated = msgspec.structs.replace(document.plan, target="sim")
    text = banner(msgspec.structs.replace(document, plan=simulated)).text
    assert begun not in text
    assert "s of its own time" in text


def test_a_run_that_was_not_judged_claims_nothing(documents: Documents) -> None:
    found = msgspec.structs.replace(documents("small"), verdict=None, promises=())
    told = answers(found)
    assert "Broke" not in told
    assert told["Promised"] == "Nothing that has a name."
    assert "has not been judged" in told["Why"]


@pytest.mark.parametrize("at_s", [1.5, None, "soon"])
def test_the_cause_is_a_link_where_traces_tell_it(documents: Documents, at_s: object) -> None:
    judged = documents("fail").verdict
    assert judged is not None
    first = judged.verdicts[0]
    divergence = {"member": "<n2>", "at_s": at_s}
    told = msgspec.structs.replace(
        first, checker="conformance", validity=Validity.FAIL, details={"divergence": divergence}
    )
    with_it = msgspec.structs.replace(judged, verdicts=(*judged.verdicts, told))
    text = banner(msgspec.structs.replace(documents("fail"), verdict=with_it)).text
    assert 'href="#divergence">The first wrong step was made by &lt;n2&gt;' in text
    assert ("at 1.500 s</a>" in text) is (at_s == 1.5)
