"""What a shell is told when somebody presses Tab."""

import os
import subprocess
import sys

import pytest

_AS_DELPHIC = "import sys; sys.argv = ['delphic']; from delphic.__main__ import main; main()"


def _completed(*words: str) -> list[str]:
    """As bash asks: the words so far, and that the last one is incomplete."""
    done = subprocess.run(
        [sys.executable, "-c", _AS_DELPHIC],
        env={
            **os.environ,
            "_DELPHIC_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("delphic", *words)),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_options_and_scenarios_are_completed() -> None:
    assert "plain,simulate" in _completed("simu")
    assert "plain,--stop-on-violation" in _completed("run", "--sto")
    found = _completed("run", "quick")
    assert "plain,quickstart" in found
    assert "file,quick" in found
    assert "plain,chaos" not in found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_loads_asks_for_the_variable_that_is_answered(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "delphic", "completion", shell],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"_DELPHIC_COMPLETE={shell}_complete" in done.stdout
