"""Whatever is done to a file: it is read, or refused in a sentence with its name."""

import random
from pathlib import Path

import pytest
from delphic.harness.errors import HistoryError
from delphic.harness.formats.read import read

EDN = """\
{:type :invoke, :f :write, :value [1 #{2} {:a "b"}], :process 0, :time 10, :index 0}
{:type :ok, :f :write, :value nil, :process 0, :time 20, :index 1}
{:type :invoke, :f :txn, :value [[:append 5 1] [:r 6 nil]], :process 1, :time 20, :index 2}
{:type :ok, :f :txn, :value [[:append 5 1] [:r 6 [2]]], :process 1, :time 20, :index 3}
"""
LOG = "0\t:invoke\t:cas\t[1 2]\n0\t:ok\t:cas\t[1 2]\n:nemesis\t:info\t:cut\tnil\n"
JSONL = (
    '{"process": 0, "type": "invoke", "f": "write", "value": {"a": [1, {"b": 2}]}, "index": 3}\n'
    '{"process": 0, "type": "ok", "f": "write", "value": null, "index": 4, "time_ns": 5}\n'
)
EVENTS = 'process,type,f,value,index\n0,invoke,cas,"[1, 2]",0\n0,ok,cas,{},1\n'
ROWS = 'f,key,argument,result,invoked,returned\nread,"[1]",,{},1,2\nwrite,x,1,,3,\n'
SAMPLES = {"edn": EDN, "jepsen-log": LOG, "jsonl": JSONL, "csv": EVENTS, "csv, rows": ROWS}
PIECES = [
    *'{}[]"\\:,; \n\t\0é²',
    *("nil", "null", "-1", "1.5", "true", "#{", "#_", ":process", "invoke"),
    *("9" * 5_000, "[" * 2_000),
]


def damaged(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        until = min(len(text), at + chance.choice((0, 0, 1, 3, 20)))
        text = text[:at] + chance.choice(["", *PIECES]) + text[until:]
    return text


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_damage_is_told_or_does_not_matter(name: str, tmp_path: Path) -> None:
    chance = random.Random(9)
    path = tmp_path / "history"
    told = []
    for _ in range(300):
        path.write_text(damaged(SAMPLES[name], chance))
        try:
            source = read(path, name.split(",")[0])
        except HistoryError as error:
            told.append(str(error))
            continue
        assert all(hash(operation) is not None for operation in source.operations)
    assert 50 < len(told) < 300
    assert all(sentence.startswith(f"{path}") for sentence in told)
