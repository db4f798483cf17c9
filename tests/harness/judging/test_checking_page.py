"""docs/checking-a-history.md: its history, its verdict and its specification are real."""

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from delphic.harness.commands.cli import check_command
from delphic.reports import judged

PAGE = Path(__file__).resolve().parents[3] / "docs" / "checking-a-history.md"
SECONDS = re.compile(r"\d+\.\d\d s(?=, judged| by (?:monitor|search)$)", re.MULTILINE)


def block(mark: str) -> str:
    found = re.search(rf"<!-- {re.escape(mark)} -->\n```\w*\n(.*?)```", PAGE.read_text(), re.S)
    assert found is not None
    return found.group(1)


def printed(words: list[str]) -> tuple[int, str]:
    check = check_command(lambda run: None, judged.render)
    result = CliRunner().invoke(check, words)
    return result.exit_code, result.output


def test_the_page_shows_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With DELPHIC_REWRITE=1 the page is made anew."""
    monkeypatch.chdir(tmp_path)
    Path("history.edn").write_text(block("history.edn"))
    code, output = printed(["history.edn", "--spec", "cas-register"])
    assert code == 1
    if os.environ.get("DELPHIC_REWRITE"):
        old = f"<!-- verdict -->\n```\n{block('verdict')}```"
        PAGE.write_text(PAGE.read_text().replace(old, f"<!-- verdict -->\n```\n{output}```"))
    assert SECONDS.sub("… s", output) == SECONDS.sub("… s", block("verdict"))


def test_the_page_s_specification_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(class Stack.*?)```", PAGE.read_text(), re.S)
    assert code is not None
    Path("stack.py").write_text(code.group(1))
    rows = "f,argument,result,invoked,returned\npush,1,,1,2\npush,2,,3,4\npop,,{},5,6\n"
    for popped, expected in ((2, 0), (1, 1)):
        Path("history.csv").write_text(rows.format(popped))
        assert printed(["history.csv", "--spec", "stack.py:Stack"])[0] == expected
