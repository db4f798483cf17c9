"""Names of runs as files and tables are called, whatever a person called the run."""

import re

from delphic.harness.agent.run import plain
from hypothesis import given
from hypothesis import strategies as st


@given(st.text())
def test_any_name_makes_a_name_that_nft_and_a_file_system_take(name: str) -> None:
    assert re.fullmatch("[a-zA-Z0-9_]{9,60}", plain(name))
    assert len(f"delphic_{plain(name)}_queue") < 128


def test_names_that_look_alike_stay_different() -> None:
    names = ["a b", "a-b", "a_b", "a  b", "../a b", "a b\n", "x" * 100, "x" * 101]
    assert len({plain(name) for name in names}) == len(names)
