"""Explorers of models, as `delphic explore MODEL --ui` assembles them, and runs to explore."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from delphic.__main__ import delphic
from delphic.harness.explorer.api import Api
from delphic.harness.explorer.command import assembled, explore_command

Assemble = Callable[..., Api]

SHORT = """
name: short
workload: {name: log, clients: 2, rate: 40, op_timeout: 500ms}
cluster: {config: {raftElectionTick: 10}, bugs: {all: [ack-before-quorum]}}
duration: 2s
faults: [{at: 1s, kill: leader, for: 500ms}]
expect: {verdict: fail, promises: [HS-2]}
"""
"""The leader commits what it alone has: no step of the model."""


@pytest.fixture(scope="session")
def assemble() -> Assemble:
    """What is behind the page that a command line starts."""

    def make(*words: str) -> Api:
        options = explore_command.make_context("explore", [*words, "--ui"]).params
        for name in ("ui", "address", "port", "token", "open_browser"):
            del options[name]
        return assembled(options.pop("name"), options.pop("run"), options)

    return make


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of a simulated world, with traces."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "short.yaml").write_text(SHORT)
    words = ["run", str(folder / "short.yaml"), "--on", "sim", "--seed", "1", "--out", str(folder)]
    done = CliRunner().invoke(delphic, words, standalone_mode=False)
    assert done.exception is None, done.output
    return (folder / "latest").resolve()
