"""Values that no history has, and some that only look so: read as they are, or refused by line."""

import csv
from pathlib import Path

import pytest
from delphic.harness.checkers.judging import check
from delphic.harness.checkers.operations import hashable
from delphic.harness.checkers.specs import SPECS
from delphic.harness.errors import HistoryError
from delphic.harness.formats.read import read
from delphic.harness.history import validated
from delphic.harness.op import INDEX_MAX, Op, OpType

MAP = hashable({":a": 1})

OPEN = ":process 0 :type :invoke"
TABLE = "process,type,f,value\n0,invoke,write,"


def written(folder: Path, text: str) -> Path:
    path = folder / "history"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("{:process 0 :type {:a 1} :f :read}\n", 1, "the :type {':a': 1} is none of"),
        ("{:process 0 :type [1] :f :read}\n", 1, "the :type (1,) is none of"),
        (f"{{{OPEN} :value [[{{:a 1}} 1 2]]}}\n", 1, "the operation has no :f"),
        ('{"process":0,"type":"invoke","value":[[[1],1,2]]}\n', 1, "there is no f"),
        (f'\n{{{OPEN} :f :write :value "\\ud800"}}\n', 2, "half a character"),
        (f'{{{OPEN} :f :write :value ["\\udc00\\ud800"]}}\n', 1, "half a character"),
        ('{:process "\\ud800" :type :invoke :f :read}\n', 1, "half a character"),
        (TABLE + r'"[""\ud800""]"' + "\n", 2, "half a character"),
        (
            f'{{"process":0,"type":"invoke","f":"read","index":{2**63}}}\n',
            1,
            f"index {2**63} is above",
        ),
        (f"{{{OPEN} :f :read :index {INDEX_MAX + 1}}}\n", 1, f"index {INDEX_MAX + 1} is above"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(
    text: str, line: int, says: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(HistoryError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        (f"{{{OPEN} :f :write :value [[{{:a 1}} 1 2]]}}\n", ((MAP, 1, 2),)),
        (f'{{{OPEN} :f :write :value "\\ud83d\\ude00"}}\n', "😀"),
        (TABLE + r'"""\ud83d\ude00"""' + "\n", "😀"),
        (TABLE + r'"[""\u00e9""]"' + "\n", ("é",)),
    ],
)
def test_what_is_only_odd_is_read(text: str, argument: object, tmp_path: Path) -> None:
    (found,) = read(written(tmp_path, text)).operations
    assert found.argument == argument


def test_a_first_line_longer_than_any_table_has_is_no_riddle(tmp_path: Path) -> None:
    csv.field_size_limit(131_072)  # What it is before the first table was read.
    with pytest.raises(HistoryError, match="look like none of"):
        read(written(tmp_path, "x" * 200_000))


def test_the_last_index_there_may_be_is_judged(tmp_path: Path) -> None:
    lines = [
        f'{{"process":0,"type":"{kind}","f":"write","value":1,"index":{INDEX_MAX - 1 + n}}}\n'
        for n, kind in enumerate(("invoke", "ok"))
    ]
    operations = read(written(tmp_path, "".join(lines))).operations
    assert check(operations, SPECS["register"]).validity == "pass"


def test_a_run_s_history_has_no_such_index_either() -> None:
    with pytest.raises(HistoryError, match=f"op {2**63}: no index is above {INDEX_MAX}"):
        validated([Op(2**63, 0, 0, OpType.INVOKE, "read")])
