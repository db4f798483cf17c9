"""The scripts in reports/assets are what their sources in reports/web make, and nothing else."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPORTS = Path(__file__).resolve().parents[2] / "reports"
WEB = REPORTS / "web"
Require = Callable[[object, str], None]


@pytest.fixture
def npm(require: Require) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs a script of package.json."""
    found = shutil.which("npm")
    require(found, "npm is not installed: apt-get install npm")
    ready = (WEB / "node_modules" / "esbuild").is_dir()
    require(ready, "packages are missing: make reports/web/node_modules/ready")

    def run(script: str, *more: str) -> "subprocess.CompletedProcess[str]":
        command = [str(found), "run", "--silent", script, "--", *more]
        return subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=120)

    return run


def test_bundles_are_fresh(
    npm: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    built = npm("build", str(tmp_path))
    assert built.returncode == 0, built.stderr
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    # Other styles are written by hand.
    bundled = {path.name for path in (WEB / "src" / "pages").glob("*.css")}
    kept = {
        path.name: path.read_bytes()
        for path in (REPORTS / "assets").iterdir()
        if path.suffix in (".js", ".txt") or path.name in bundled
    }
    assert made.keys() == kept.keys()
    assert made.keys() >= {"licences.txt", "plots.css", "report.js", "theme.js"}
    assert b"Leon Sorokin" in made["licences.txt"]
    assert [name for name in made if made[name] != kept[name]] == [], "stale: run make web"


def test_sources_are_of_the_types_that_they_say(
    npm: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    checked = npm("check")
    assert checked.returncode == 0, checked.stdout


def test_the_lock_holds_every_package_by_its_hash_and_names_no_host() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    packages = {name: of for name, of in lock["packages"].items() if name}
    assert {"node_modules/esbuild", "node_modules/preact"} <= packages.keys()
    assert [name for name, of in packages.items() if "resolved" in of] == []
    assert [name for name, of in packages.items() if not of.get("integrity")] == []
    wanted = json.loads((WEB / "package.json").read_text())
    assert lock["packages"][""]["devDependencies"] == wanted["devDependencies"]
