"""Whole stories, told by transcripts: every command and what the members answer.

After a change that is meant to change them: REWRITE_TRANSCRIPTS=1 pytest THIS_FILE; read the diff.
"""

import os
from pathlib import Path

import pytest
from transcript import Transcript

FOLDER = Path(__file__).parent / "transcripts"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.txt")))
def test_the_story_is_still_told_like_this(name: str) -> None:
    path = FOLDER / name
    told = path.read_text()
    played = Transcript().play(told)
    if os.environ.get("REWRITE_TRANSCRIPTS") == "1":
        path.write_text(played)
    else:
        assert played == told


def test_a_story_that_differs_is_noticed() -> None:
    assert Transcript().play("group a b\nfire a election\n  a: leader\n") != (
        "group a b\nfire a election\n  a: leader\n"
    )
