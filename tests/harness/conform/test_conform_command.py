"""`delphic conform` as its users see it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from delphic.harness.conform import cli
from delphic.harness.conform.cli import BINDINGS, conform_command
from delphic.harness.conform.raft.bind import SMALL, RaftBinding
from delphic.model.raft_built import DIFFERENCES

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of the small bounds is enough here."""
    monkeypatch.setitem(cli.BINDINGS, "raft", RaftBinding(small=SMALL[:1]))


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(conform_command, words, standalone_mode=False)
    assert result.exception is None, result.exception
    return int(result.return_value), result.output


@pytest.mark.slow
def test_what_conforms_is_said_in_one_line_and_by_event() -> None:
    code, output = run("raft", "--small")
    assert code == 0
    assert "CONFORMS: raft: 4,512 pairs of state and event" in output
    assert "receive append refused" in output


@pytest.mark.slow
def test_a_divergence_is_shown_side_by_side_with_the_way_there(tmp_path: Path) -> None:
    file = tmp_path / "conform.xml"
    code, output = run(
        "raft", "--small", "--bug", "pre-vote-counted", "--first", "--junit", str(file)
    )
    assert code == 1
    for words in (
        "receive prevotereply granted",
        "model",
        "implementation",
        "receives PreVoteReply",
    ):
        assert words in output
    assert "DIVERGES: raft" in output
    suite = ElementTree.parse(file).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "implementation: Append" in (failure.text or "")


@pytest.mark.slow
def test_json_says_the_same() -> None:
    code, output = run("raft", "--small", "--bug", "stale-read", "--first", "--json")
    told = json.loads(output)
    assert (code, told["conforms"]) == (1, False)
    (divergence,) = told["results"][0]["divergences"]
    assert divergence["event"] == "read"
    assert divergence["model"] != divergence["implementation"]
    assert divergence["state"]["role"] == "leader"


def test_the_list_names_bounds_differences_and_bugs() -> None:
    code, output = run("--list")
    assert code == 0
    for difference in DIFFERENCES:
        assert difference.name in output
    assert "vote-twice" in output
    assert "four members elect" in output


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["rafts"], f"no binding 'rafts'; there are {', '.join(BINDINGS)}"),
        (["raft", "--bug", "vote-thrice"], "no seeded bug 'vote-thrice' in raft; there are "),
    ],
)
def test_what_it_does_not_know_it_names_with_what_is_allowed(words: list[str], answer: str) -> None:
    result = CliRunner().invoke(conform_command, words)
    assert result.exit_code == 2
    assert answer in result.output


def test_the_page_names_every_intended_difference_with_its_reason() -> None:
    page = (ROOT / "docs" / "conformance.md").read_text()
    for difference in DIFFERENCES:
        assert f"| `{difference.name}` | {difference.reason} |" in page
