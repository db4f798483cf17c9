"""The site needs no network, to be built or read; its commands exist, and a beginner's work."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from delphic.__main__ import delphic
from delphic.harness.commands.examples import EXAMPLES
from delphic.harness.language import reference
from delphic.harness.scenario import schema

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"\s+#.*$")
_LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")


def _commands(page: Path) -> Iterator[list[str]]:
    """The words of every `delphic …` line in its blocks of code."""
    for language, block in _FENCE.findall(page.read_text()):
        if language not in ("", "sh", "bash", "shell", "console"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            bare = _COMMENT.sub("", line.removeprefix("$ "))
            if bare.startswith("delphic "):
                yield shlex.split(bare.split(" > ")[0].split(" | ")[0])[1:]


def _refusal(words: list[str]) -> str | None:
    """Why no command of ours is called so; values are not looked at."""
    command: click.Command = delphic
    context = click.Context(delphic, info_name="delphic")
    rest = words
    try:
        while isinstance(command, click.Group):
            name, *rest = rest
            found = command.get_command(context, name)
            if found is None:
                return f"no command {name}"
            context = click.Context(found, info_name=name, parent=context, **found.context_settings)
            command = found
        command.make_parser(context).parse_args(list(rest))
    except click.UsageError as error:
        return error.format_message()
    return None


def test_the_site_is_built_without_a_complaint_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) >= len(PAGES)
    for page in pages:
        loaded = [tag for tag in _LOADED.findall(page.read_text()) if 'rel="canonical"' not in tag]
        assert loaded == [], page.name
    index = (tmp_path / "index.html").read_text()
    assert "Does a replicated system keep its promises?" in index
    assert 'href="scenarios.html"' in index
    assert 'src="images/report-pass-wide.png"' in index


def test_every_page_of_the_docs_is_in_the_navigation() -> None:
    listed = (ROOT / "mkdocs.yml").read_text()
    assert [page.name for page in PAGES[1:] if f" {page.name}\n" not in listed] == []


def test_the_reference_of_scenarios_is_what_the_schema_says() -> None:
    written = (ROOT / "docs/scenario-reference.md").read_text()
    assert written == reference.page(schema()).rstrip() + "\n", (
        "renew it: delphic schema --markdown > docs/scenario-reference.md"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_in_the_docs_exist_with_all_their_options(page: Path) -> None:
    wrong = {" ".join(words): why for words in _commands(page) if (why := _refusal(words))}
    assert wrong == {}


def test_commands_that_do_not_exist_are_found_out() -> None:
    assert _refusal(["rnu", "quickstart"]) == "no command rnu"
    assert "--sede" in (_refusal(["run", "quickstart", "--sede", "1"]) or "")
    assert _refusal(["lab", "up", "--hosts", "3"]) is None
    assert _refusal(["lab", "sideways"]) == "no command sideways"


def test_what_a_beginner_types_works(tmp_path: Path) -> None:
    text = (ROOT / "docs/start.md").read_text()
    (scenario,) = [block for language, block in _FENCE.findall(text) if language == "yaml"]
    (tmp_path / "mine.yaml").write_text(scenario)
    commands = list(_commands(ROOT / "docs/start.md"))
    assert [words[0] for words in commands] == ["run", "simulate", "run", "shrink", "explore"]
    for words in commands[:3]:  # the other two, which take their time, have tests of their own
        done = _run(tmp_path, "-m", "delphic", *words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    assert "HS-2" in _run(tmp_path, "-m", "delphic", "check", "runs/latest").stdout


def test_a_system_of_ones_own_is_judged_as_the_page_says(tmp_path: Path) -> None:
    text = (ROOT / "docs/your-own-system.md").read_text()
    code = re.search(r"<!-- store.py -->\n```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert code
    (tmp_path / "store.py").write_text(code[1])
    assert _run(tmp_path, "store.py").returncode == 0
    (words,) = _commands(ROOT / "docs/your-own-system.md")
    done = _run(tmp_path, "-m", "delphic", *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "stale-read: A value was read that had been overwritten" in done.stdout


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=240
    )


@pytest.mark.parametrize("name", delphic.list_commands(click.Context(delphic)))
def test_every_help_ends_with_examples_that_exist(name: str) -> None:
    shown = CliRunner().invoke(delphic, [name, "--help"]).output
    examples = EXAMPLES[name]
    assert shown.rstrip().endswith("\n".join(f"    {line}" for line in examples)), shown
    for line in examples:
        words = shlex.split(line.split("$(")[-1].removesuffix(')"').split(" > ")[0])
        assert words[0] == "delphic"
        assert _refusal(words[1:]) is None, line
