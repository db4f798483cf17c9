"""Scenarios written for people, and read back as they were."""

from typing import Any

import pytest
from delphic.harness.language.document import parse
from delphic.harness.scenario import load
from delphic.harness.shrink.text import write
from hypothesis import given, settings
from hypothesis import strategies as st

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=80),
    st.sampled_from(
        ["1s", "250ms", "1.25s", "0s", "on", "no", "null", "1e3", "0x1f", "12:30", "~"]
    ),
)
PARTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = st.one_of(st.sampled_from(["cluster", "workload", "faults", "ops"]), st.text(max_size=8))


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(KEYS, PARTS, max_size=5))
def test_whatever_is_written_is_read_back(data: dict[str, Any]) -> None:
    assert parse(write(data), "x.yaml").data == data


PROSE = (
    "A leader is cut off; its client still reads what it has, and misses a row that is there. " * 3
)

DATA: dict[str, Any] = {
    "name": "mine",
    "seed": 7,
    "description": PROSE.strip(),
    "promises": ["HS-4"],
    "cluster": {"bugs": {"all": ["stale-read"]}},
    "workload": {
        "name": "log",
        "ops": [
            {"client": 0, "at": "1s", "append": 1},
            {"client": 1, "at": "1.25s", "node": "n3", "read": [0, None]},
        ],
    },
    "duration": "3s",
    "faults": [{"at": "1s", "delay": {"links": "all", "by": "300ms"}, "for": "1s"}],
    "expect": {"verdict": "fail", "promises": ["HS-4"]},
}

TEXT = """\
name: mine
seed: 7
description: >-
  A leader is cut off; its client still reads what it has, and misses a row that is there. A leader
  is cut off; its client still reads what it has, and misses a row that is there. A leader is
  cut off; its client still reads what it has, and misses a row that is there.
promises: [HS-4]
cluster:
  bugs: {all: [stale-read]}
workload:
  name: log
  ops:
    - {client: 0, at: 1s, append: 1}
    - {client: 1, at: 1.25s, node: n3, read: [0, null]}
duration: 3s
faults:
  - {at: 1s, delay: {links: all, by: 300ms}, for: 1s}
expect: {verdict: fail, promises: [HS-4]}
"""


def test_a_scenario_is_written_as_a_person_would() -> None:
    assert write(DATA) == TEXT


def test_what_is_written_is_a_scenario() -> None:
    found = load(write(DATA), "mine.yaml")
    assert (found.seed, found.description) == (7, PROSE.strip())
    assert found.fixed()[0][1].by_s == pytest.approx(0.3)
