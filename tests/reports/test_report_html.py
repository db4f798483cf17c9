"""The page stands alone, says everything in its order, and lets nothing of a run become markup."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from delphic.harness.verdict import Validity
from delphic.reports.page import html
from delphic.reports.page.document import Document, document

Documents = Callable[[str], Document]


class Page(HTMLParser):
    """Elements with their attributes, in order, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("input", "meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.text += data

    def ids(self) -> list[str]:
        return [found for _, attributes in self.elements if (found := attributes.get("id"))]

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="session")
def pages(documents: Documents) -> Callable[[str], Page]:
    made: dict[str, Page] = {}

    def page(kind: str) -> Page:
        if kind not in made:
            made[kind] = Page(html.render(documents(kind)))
        return made[kind]

    return page


KINDS = ["pass", "fail", "hostile", "inconclusive", "small"]


@pytest.mark.parametrize("kind", KINDS)
def test_elements_are_closed_and_anchors_lead_somewhere(
    pages: Callable[[str], Page], kind: str
) -> None:
    page = pages(kind)
    assert page.open == []
    ids = page.ids()
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        href = link["href"]
        assert href is not None
        assert href.startswith("#")
        assert href[1:] in ids


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_loaded(pages: Callable[[str], Page], kind: str) -> None:
    for tag, attributes in pages(kind).elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        assert "src" not in attributes
        assert not [name for name in attributes if name.startswith("on")]


@pytest.mark.parametrize("kind", ["pass", "hostile"])
def test_only_the_pages_own_scripts_may_run(pages: Callable[[str], Page], kind: str) -> None:
    page = pages(kind)
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy is not None
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    theme, data, *others = page.scripts
    scripts = [theme, *others]
    assert {b64encode(sha256(s.encode()).digest()).decode() for s in scripts} == allowed
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert msgspec.json.decode(data)["calls"]["index"]


def test_a_hostile_run_becomes_text(pages: Callable[[str], Page], hostile_text: str) -> None:
    page = pages("hostile")
    assert len(page.scripts) == 3
    assert hostile_text.replace("\x07", "\N{REPLACEMENT CHARACTER}") in page.text
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in pages("fail").elements}
    data = msgspec.json.decode(page.scripts[1])
    assert any("</script>" in text for text in data["calls"]["text"])


def test_sections_come_in_the_order_in_which_people_ask(pages: Callable[[str], Page]) -> None:
    sections = [attributes["id"] for attributes in pages("fail").all("section")]
    assert sections == ["verdict", "story", "witness", "messages", "timeline", "queues", "latency",
                        "checkers", "faults", "statistics", "logs", "provenance"]  # fmt: skip
    assert "witness" not in [a["id"] for a in pages("pass").all("section")]
    links = [a["href"] for a in pages("fail").all("a") if a.get("class") == "anchor"]
    assert links == [f"#{section}" for section in sections]


def test_the_banner_says_verdict_sentence_promises_and_command(
    pages: Callable[[str], Page], documents: Documents
) -> None:
    text = pages("fail").text
    verdict = documents("fail").verdict
    assert verdict is not None
    assert "✕Fail" in text
    assert "expected: pass" in text
    assert verdict.sentence in text
    assert "HS-2 No acknowledged row is lost." in text
    assert "delphic run quickstart --seed 7" in text
    assert "A leader is cut off, killed, paused" in text
    assert "✓Pass" in pages("pass").text
    assert "as expected (fail)" in pages("expected").text


@pytest.mark.parametrize("kind", KINDS)
def test_tables_are_tables_for_everybody(pages: Callable[[str], Page], kind: str) -> None:
    page = pages(kind)
    assert len(page.all("caption")) == len(page.all("table")) > 5
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    assert all(region["aria-label"] for region in page.all("div") if region.get("role") == "region")
    assert page.all("html") == [{"lang": "en"}]


def test_witnesses_are_anchors_and_lead_into_the_timeline(
    pages: Callable[[str], Page], documents: Documents
) -> None:
    page = pages("fail")
    rows = documents("fail").witnesses[0].numbered
    assert len(rows) == 2
    assert {f"op-{row.index}" for row in rows} <= set(page.ids())
    links = [a for a in page.all("a") if a["href"] == "#timeline" and "data-from" in a]
    assert len(links) == len(documents("fail").witnesses[0].rows)


def test_receipts_show_who_reached_whom(pages: Callable[[str], Page]) -> None:
    text = pages("pass").text
    assert text.count("✕ cut") == 4
    assert "n2 dead" in text
    assert "n3 paused" in text
    assert "n1→n2" in text


def test_the_page_of_a_run_that_left_only_a_plan(
    copied: Callable[[str], Path],
) -> None:
    path = copied("small")
    for file in path.iterdir():
        if file.is_file() and file.name != "plan.json":
            file.unlink()
    found = document(path)
    page = Page(html.render(found))
    assert "Not judged" in page.text
    assert "There are no operations to show." in page.text
    assert "history.jsonl is missing" in page.text
    assert "No fault was planned" in page.text


@pytest.mark.parametrize("validity", list(Validity))
def test_every_validity_has_a_sign_and_a_word(documents: Documents, validity: Validity) -> None:
    judged = documents("small").verdict
    assert judged is not None
    found = msgspec.structs.replace(
        documents("small"), verdict=msgspec.structs.replace(judged, validity=validity)
    )
    page = Page(html.render(found))
    assert any(a.get("class") == f"verdict {validity}" for a in page.all("div"))
    assert validity.value.replace("_", " ") in page.text.lower()
