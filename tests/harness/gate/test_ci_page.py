"""docs/ci.md: its files are read, and the commands of its jobs are run, as they stand there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from delphic.harness.gate import baseline, config
from delphic.harness.gate.resolve import resolve

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/ci.md").read_text()

HISTORY = """\
{:type :invoke, :f :write, :value 1, :process 0}
{:type :ok, :f :write, :value 1, :process 0}
"""


def block(first_line: str) -> str:
    """The example that begins so."""
    found = re.search(rf"```yaml\n({re.escape(first_line)}.*?)```", PAGE, re.DOTALL)
    assert found is not None, first_line
    return found[1]


def test_the_gate_of_the_page_is_one(tmp_path: Path) -> None:
    (tmp_path / "histories").mkdir()
    (tmp_path / "histories/a.edn").write_text(HISTORY)
    gate, document = config.load(block("# gate.yaml"), str(tmp_path / "gate.yaml"))
    assert [step.kind for step in resolve(gate, document)] == [
        "explore", "conform", "simulate", "run", "check",
    ]  # fmt: skip


def test_the_baseline_and_the_policy_of_the_page_are_read() -> None:
    (known,) = baseline.load(block("# known-failures.yaml"), "known.yaml", ["simulate chaos"])
    assert known.promises == ("HS-4",)
    flakes = yaml.safe_load(block("flakes:"))
    gate, _ = config.load(json.dumps({**flakes, "steps": [{"explore": "raft"}]}), "gate.yaml")
    assert gate.flakes.retries == 1


def test_the_page_names_every_key() -> None:
    for name, part in {"gate": config.GatePart, **config.PARTS}.items():
        for key in set(part.model_fields) - {name}:
            assert f"`{key}" in PAGE or f", `{key}" in PAGE, f"{name}: {key}"


def test_the_gate_of_this_project_is_one() -> None:
    gate, document = config.load((ROOT / "gate.yaml").read_text(), str(ROOT / "gate.yaml"))
    assert gate.budget < 600
    kinds = {step.kind for step in resolve(gate, document)}
    assert kinds >= {"explore", "conform", "simulate", "run"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with what jobs use of this one, and a gate of one history."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "gate.yaml").write_text("steps: [{check: a.edn, spec: register}]\n")
    (tmp_path / "a.edn").write_text(HISTORY)
    (tmp_path / ".gitignore").write_text(".venv\nruns\n")
    tools = tmp_path / ".venv/bin"
    tools.mkdir(parents=True)
    delphic = tools / "delphic"
    delphic.write_text(f'#!/bin/sh\nexec {sys.executable} -m delphic "$@"\n')
    delphic.chmod(0o755)
    (tmp_path / ".venv/ready").touch()
    who = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    return tmp_path


def play(script: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """A line of a job, as its host runs it."""
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, map(str, sys.path))), **variables}
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )


def words_of(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.slow
def test_the_workflow_of_github_works_as_it_is(checkout: Path) -> None:
    job = yaml.safe_load(block("# .github/workflows/gate.yml"))["jobs"]["gate"]
    (script,) = [step["run"] for step in job["steps"] if "run" in step]
    page = checkout / "page.md"
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    done = play(script, checkout, BASE="", **github)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass: All 1 step as expected." in done.stdout
    assert page.read_text().startswith("## ✓ pass: gate")
    named = [step["with"] for step in job["steps"] if "upload" in step.get("uses", "")]
    for path in (named[0]["sarif_file"], named[1]["path"], "runs/gate/done"):
        assert (checkout / path).exists(), path

    (checkout / "a.edn").write_text(HISTORY.replace(":ok", ":fail"))
    subprocess.run(["git", "-C", str(checkout), "branch", "-q", "main-of-theirs"], check=True)
    fetched = checkout / ".git/refs/remotes/origin"
    fetched.mkdir(parents=True)
    shutil.copy(checkout / ".git/refs/heads/main-of-theirs", fetched / "main")
    done = play(script, checkout, BASE="main", **github)
    assert done.returncode != 0
    assert "::error file=gate.yaml,line=1,title=check a.edn%3A inconclusive::" in done.stdout


@pytest.mark.slow
def test_the_job_of_gitlab_works_as_it_is(checkout: Path) -> None:
    job = yaml.safe_load(block("# .gitlab-ci.yml"))["gate"]
    (script,) = words_of(job["script"])
    head = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    done = play(script, checkout, CI_MERGE_REQUEST_DIFF_BASE_SHA=head)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing that these steps depend on has changed: nothing was done." in done.stdout
    for path in (*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()):
        assert (checkout / path).exists(), path
    assert json.loads((checkout / job["artifacts"]["reports"]["codequality"]).read_text()) == []
