"""The comparison over recorded histories: what is expected of them, and a disagreement."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

PARTS = ("bounds", "tools", "registers", "linearizability", "recorded")
"""Each imports those before it."""

TESTS = """
func TestJepsen000(t *testing.T) { checkJepsen(t, 0, false) }
func TestJepsen001(t *testing.T) { checkJepsen(t, 1, true) }
func TestKv(t *testing.T) { checkKv(t, "c01-ok", true, true) }
func TestKvWhole(t *testing.T) { checkKv(t, "c01-ok", true, false) }
"""
STALE = """\
INFO  jepsen.util - 0\t:invoke\t:write\t1
INFO  jepsen.util - 0\t:ok\t:write\t1
INFO  jepsen.util - 1\t:invoke\t:read\tnil
INFO  jepsen.util - 1\t:ok\t:read\tnil
"""
TEXT = """\
{:process 0, :type :invoke, :f :append, :key "0", :value "x 0 0 y"}
{:process 0, :type :ok, :f :append, :key "0", :value "x 0 0 y"}
{:process 0, :type :invoke, :f :get, :key "0", :value nil}
{:process 0, :type :ok, :f :get, :key "0", :value "x 0 0 y"}
"""


@pytest.fixture
def bench(load: Callable[..., ModuleType]) -> ModuleType:
    return load(*(f"peers/{name}" for name in PARTS))


def test_histories_are_judged_and_held_against_what_is_expected(
    bench: ModuleType, tmp_path: Path
) -> None:
    for folder in ("jepsen", "kv"):
        (tmp_path / "test_data" / folder).mkdir(parents=True)
    (tmp_path / "porcupine_test.go").write_text(TESTS)
    for number in (0, 1):
        (tmp_path / "test_data" / "jepsen" / f"etcd_00{number}.log").write_text(STALE)
    (tmp_path / "test_data" / "kv" / "c01-ok.txt").write_text(TEXT)
    rows = bench.compared(bench.expected(tmp_path))
    told = [(row["history"], row["format"], row["verdict"], row["agree"]) for row in rows]
    assert told == [
        ("etcd_000", "jepsen-log", "fail", True),
        ("etcd_001", "jepsen-log", "fail", False),
        ("c01-ok", "edn", "pass", True),
    ]
