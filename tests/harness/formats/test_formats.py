"""One small history in every format: read alike, told apart, and refused with line numbers."""

import gzip
import json
from pathlib import Path

import pyarrow
import pytest
from delphic.harness.checkers.operations import UNKNOWN, Operation
from delphic.harness.errors import HistoryError
from delphic.harness.formats import FORMATS
from delphic.harness.formats.json_lines import history_schema_text
from delphic.harness.formats.read import Source, read

ROOT = Path(__file__).resolve().parents[3]

JSONL = """\
{"process": 0, "type": "invoke", "f": "write", "value": 1}
{"process": 0, "type": "ok", "f": "write", "value": 1}
{"process": "nemesis", "type": "info", "f": "cut"}
{"process": 1, "type": "invoke", "f": "cas", "value": [1, 2]}

{"process": 2, "type": "invoke", "f": "read"}
{"process": 1, "type": "info", "f": "cas", "error": "timeout"}
{"process": 2, "type": "ok", "f": "read", "value": 2}
{"process": 0, "type": "invoke", "f": "cas", "value": [7, 8]}
{"process": 0, "type": "fail", "f": "cas", "value": [7, 8]}
{"process": 2, "type": "invoke", "f": "read"}
"""

JEPSEN = """\
{:type :invoke, :f :write, :value 1, :process 0, :time 10, :index 0}
{:type :ok, :f :write, :value 1, :process 0, :time 20, :index 1}
{:type :info, :f :cut, :value nil, :process :nemesis, :time 30, :index 2}
{:type :invoke, :f :cas, :value [1 2], :process 1, :time 40, :index 3}
{:type :invoke, :f :read, :value nil, :process 2, :time 50, :index 4}
{:type :info, :f :cas, :value [1 2], :process 1, :time 60, :index 5, :error :timeout}
{:type :ok, :f :read, :value 2, :process 2, :time 70, :index 6}
{:type :invoke, :f :cas, :value [7 8], :process 0, :time 80, :index 7}
{:type :fail, :f :cas, :value [7 8], :process 0, :time 90, :index 8, :error [:is 2]}
{:type :invoke, :f :read, :value nil, :process 2, :time 95, :index 9}
"""

KNOSSOS = """\
; as in Knossos's data directory
[{:process 0, :type :invoke, :f :write, :value 1}
 {:process 0, :type :ok, :f :write, :value 1}
 {:process :nemesis, :type :info, :f :cut, :value nil}
 {:process 1, :type :invoke, :f :cas, :value [1 2]}
 {:process 2, :type :invoke, :f :read, :value nil}
 {:process 1, :type :info, :f :cas, :value [1 2]}
 {:process 2, :type :ok, :f :read, :value 2}
 {:process 0, :type :invoke, :f :cas, :value [7 8]}
 {:process 0, :type :fail, :f :cas, :value [7 8]}
 {:process 2, :type :invoke, :f :read, :value nil}]
"""

LOG = """\
INFO  jepsen.core - Worker 0 starting
INFO  jepsen.util - 0\t:invoke\t:write\t1
INFO  jepsen.util - 0\t:ok\t:write\t1
INFO  jepsen.util - :nemesis\t:info\t:cut\tnil
INFO  jepsen.util - 1\t:invoke\t:cas\t[1 2]
INFO  jepsen.util - 2\t:invoke\t:read\tnil
INFO  jepsen.util - 1\t:info\t:cas\t:timed-out
INFO  jepsen.util - 2\t:ok\t:read\t2
INFO  jepsen.util - 0\t:invoke\t:cas\t[7 8]
INFO  jepsen.util - 0\t:fail\t:cas\t[7 8]
INFO  jepsen.util - 2\t:invoke\t:read\tnil
"""

TEXT = "".join(line.split(" - ")[1] + "\n" for line in LOG.splitlines()[1:])

EVENTS = """\
process,type,f,value,remark
0,invoke,write,1,
0,ok,write,1,
nemesis,info,cut,,
1,invoke,cas,"[1, 2]",
2,invoke,read,,
1,info,cas,,timed out
2,ok,read,2,
0,invoke,cas,"[7, 8]",
0,fail,cas,,
2,invoke,read,,
"""

ROWS = """\
client,op,arg,out,start,end,outcome
0,write,1,1,10,20,ok
1,cas,"[1, 2]",,40,60,info
2,read,,2,50,70,ok
0,cas,"[7, 8]",,80,90,fail
2,read,,,95,,
"""
ROW_COLUMNS = {
    "process": "client",
    "f": "op",
    "argument": "arg",
    "result": "out",
    "invoked": "start",
    "returned": "end",
}

ARRAY = "[" + ",\n".join(line for line in JSONL.splitlines() if line) + "]\n"
USUAL = ARRAY.replace("[", "[\n", 1).replace("]\n", "\n]\n")

SAMPLES = {
    "jsonl": JSONL,
    "json": ARRAY,
    "edn": JEPSEN,
    "edn, a vector": KNOSSOS,
    "jepsen-log": LOG,
    "jepsen-log, history.txt": TEXT,
    "csv": EVENTS,
}


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "history"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def essence(operation: Operation) -> tuple[object, ...]:
    return operation.process, operation.f, operation.argument, operation.result, operation.is_open


def check_read(source: Source) -> None:
    assert [essence(operation) for operation in source.operations] == [
        (0, "write", 1, 1, False),
        (1, "cas", (1, 2), UNKNOWN, True),
        (2, "read", None, 2, False),
        (2, "read", None, UNKNOWN, True),
    ]
    assert source.recorded.failed == 1
    write, cas, read_two, last = source.operations
    assert write.returned is not None
    assert write.invoked < write.returned < cas.invoked < read_two.invoked < last.invoked


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_is_told_by_its_content_and_says_the_same(name: str, tmp_path: Path) -> None:
    source = read(written(tmp_path, SAMPLES[name]))
    assert source.format == name.split(",")[0]
    assert source.is_guessed
    check_read(source)
    assert source.recorded.others >= 1


def test_a_table_may_have_a_row_an_operation_and_names_of_its_own(tmp_path: Path) -> None:
    source = read(written(tmp_path, ROWS), columns=ROW_COLUMNS)
    check_read(source)
    assert source.recorded.lines == [2, 3, 4, 6]
    assert source.operations[0].returned_ns == 20


def test_moments_of_a_table_that_are_equal_make_no_order(tmp_path: Path) -> None:
    text = "f,argument,result,invoked,returned\nwrite,1,,10,20\nread,,0,20,30\nread,,1,20,20\n"
    first, *reads = read(written(tmp_path, text)).operations
    assert first.returned is not None
    assert [first.returned > one.invoked for one in reads] == [True, True]
    assert len({operation.process for operation in (first, *reads)}) == 3


def test_an_array_s_objects_have_the_lines_where_they_begin(tmp_path: Path) -> None:
    text = json.dumps([json.loads(line) for line in JSONL.splitlines() if line], indent=1)
    begins = [at for at, line in enumerate(text.splitlines(), start=1) if line == " {"]
    lines = read(written(tmp_path, text)).recorded.lines
    assert lines == [begins[at] for at in (0, 3, 4, 9)]
    # As many lines as objects, by chance.
    text = USUAL.replace("[\n", "[", 1).replace(",\n", ",", 1)
    assert len(text.splitlines()) == len(begins)
    assert read(written(tmp_path, text)).recorded.lines == [1, 3, 4, 9]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_format_may_be_said(name: str, tmp_path: Path) -> None:
    source = read(written(tmp_path, SAMPLES[name]), name.split(",")[0])
    assert not source.is_guessed
    check_read(source)


def test_what_is_compressed_is_read_as_it_is(tmp_path: Path) -> None:
    check_read(read(written(tmp_path, gzip.compress(JEPSEN.encode()))))
    packed = pyarrow.compress(JSONL.encode(), codec="zstd", asbytes=True)
    check_read(read(written(tmp_path, packed)))


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_what_is_compressed_and_cut_off_is_refused(codec: str, tmp_path: Path) -> None:
    packed = {
        "gzip": gzip.compress(JEPSEN.encode() * 50),
        "zstd": pyarrow.compress(JEPSEN.encode() * 50, codec="zstd", asbytes=True),
    }[codec]
    with pytest.raises(HistoryError, match="history"):
        read(written(tmp_path, packed[:-20]))


def test_cells_may_be_long(tmp_path: Path) -> None:
    cell = ",".join(map(str, range(40_000)))
    text = f'f,argument,result,invoked,returned\nread,,"[{cell}]",1,2\n'
    (found,) = read(written(tmp_path, text)).operations
    assert found.result == tuple(range(40_000))


def test_positions_are_the_file_s_own_indices(tmp_path: Path) -> None:
    text = '{"process":0,"type":"invoke","f":"read","index":7}\n'
    text += '{"process":0,"type":"ok","f":"read","index":19}\n'
    found = read(written(tmp_path, text)).operations[0]
    assert (found.invoked, found.returned) == (7, 19)


def test_a_table_is_told_whatever_its_columns_are_called_and_its_cells_hold(tmp_path: Path) -> None:
    header, *rows = ROWS.replace("outcome", "how").splitlines()
    path = written(
        tmp_path, "\n".join([header, *rows[:2], *rows * 9, '2,read,,"[1,', '2]",50,70,ok'])
    )
    with pytest.raises(HistoryError, match="history:1: no column is f and none invoked"):
        read(path)


def test_a_table_may_begin_with_blank_lines(tmp_path: Path) -> None:
    check_read(read(written(tmp_path, f"\n  \n{EVENTS}")))
    with pytest.raises(HistoryError, match="history:3: no column is process"):
        read(written(tmp_path, "\n  \n" + EVENTS.replace("process,", "who,")))


def test_columns_that_are_not_used_may_share_a_name(tmp_path: Path) -> None:
    text = ROWS.replace("\n", ",x\n").replace("outcome,x", "remark,remark")
    assert len(read(written(tmp_path, text), columns=ROW_COLUMNS).operations) == 5


def test_transactions_and_keys_keep_their_form(tmp_path: Path) -> None:
    text = """\
{:index 0, :type :invoke, :process 3, :f :txn, :value [[:append 5 1] [:r 6 nil]]}
{:index 1, :type :ok, :process 3, :f :txn, :value [[:append 5 1] [:r 6 [2 3]]]}
{:index 2, :type :invoke, :process 4, :f :get, :key "k", :value nil}
{:index 3, :type :ok, :process 4, :f :get, :key "k", :value "x 0 y"}
"""
    txn, get = read(written(tmp_path, text)).operations
    assert txn.argument == (("append", 5, 1), ("r", 6, None))
    assert txn.result == (("append", 5, 1), ("r", 6, (2, 3)))
    assert (get.key, get.result) == ("k", "x 0 y")


def test_transactions_need_not_say_that_they_are(tmp_path: Path) -> None:
    edn = "{:process 1 :type :invoke :value [[:w 5 1] [:r 6 nil]]}\n"
    edn += "{:process 1 :type :ok :value [[:w 5 1] [:r 6 3]]}\n"
    text = '{"process":1,"type":"invoke","value":[["w",5,1],["r",6,null]]}\n'
    text += '{"process":1,"type":"ok","value":[["w",5,1],["r",6,3]]}\n'
    for told in (edn, text):
        (found,) = read(written(tmp_path, told)).operations
        assert (found.f, found.argument) == ("txn", (("w", 5, 1), ("r", 6, None)))
        assert found.result == (("w", 5, 1), ("r", 6, 3))


WRONG = [
    (JSONL.replace(', "f": "write"', "", 1), 1, "there is no f"),
    (JEPSEN.replace(", :f :write", "", 1), 1, "has no :f"),
    (ARRAY.replace('"type": "ok"', '"type": "okay"', 1), 2, "okay"),
    (USUAL.replace('"type": "ok"', '"type": "okay"', 1), 3, "okay"),
    (USUAL.replace('0, "type": "ok"', '5, "type": "ok"', 1), 3, "never invoked"),
    (USUAL.replace('"ok"', '"ök" "', 1), 3, "malformed"),
    (USUAL.replace("\n]\n", "\n"), 11, "truncated"),
    (ARRAY.replace('0, "type": "ok"', '5, "type": "ok"', 1), 2, "never invoked"),
    (JSONL.replace('"type": "ok"', '"type": "okay"', 1), 2, "Invalid enum value 'okay'"),
    (JSONL + "{\n", 12, "truncated"),
    (JSONL.replace('0, "type": "ok"', '5, "type": "ok"', 1), 2, "never invoked"),
    (JSONL.replace('"ok", "f": "write"', '"ok", "f": "read"', 1), 2, "on line 1 it invoked write"),
    (JSONL + '{"process": 2, "type": "invoke", "f": "read"}\n', 12, "of line 11 has not ended"),
    (JEPSEN.replace(":index 5", ":index 3"), 6, "index 3 follows index 4"),
    (JEPSEN.replace(":index 0", ":index -1"), 1, "index -1: the first is 0 or more"),
    (JEPSEN.replace(", :index 5", ""), 6, "some events have an index"),
    (JEPSEN.replace(":type :ok, ", "", 1), 2, "has no :type"),
    (JEPSEN.replace(":ok", ":okay", 1), 2, "is none of :invoke, :ok, :fail, :info"),
    (JEPSEN.replace(":time 40", ":time :late"), 4, ":time must be a whole number"),
    (KNOSSOS.replace("2]}", "2}", 1), 5, "closes nothing"),
    (LOG.replace("[1 2]", "[1 2", 1), 5, "never closed"),
    (LOG.replace("read\t2", "read\t", 1), 8, "value is missing"),
    (EVENTS.replace("0,ok", "0,okay"), 3, "'okay' is none of"),
    (EVENTS.replace("0,ok,write,1,", "0,ok"), 3, "the row has 2 cells"),
    (EVENTS.replace('"[1, 2]"', "[1, 2]"), 5, "quote cells that hold commas"),
    ("process,type,f,value\n0,invoke,write,[1, 2]\n", 2, "quote cells that hold commas"),
    (EVENTS.replace("0,ok,write,1,", "0,ok,write,1"), 3, "the row has 4 cells, the header 5"),
    (EVENTS.replace("remark", "value"), 1, "2 columns are called 'value'"),
    (EVENTS.replace("process,", "who,"), 1, "no column is process"),
    (ROWS, 1, "no column is f and none invoked and none returned"),
]


@pytest.mark.parametrize(("text", "line", "says"), WRONG)
def test_what_is_wrong_is_said_with_its_line(
    text: str, line: int, says: str, tmp_path: Path
) -> None:
    with pytest.raises(HistoryError) as caught:
        read(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'history'}:{line}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "there is nothing in it"),
        (b"\n \n", "there is nothing in it"),
        (b"import sys, io, re\n\nprint(1)\n", "look like none of jsonl, json"),
        (b"dear diary\n", "look like none of jsonl, json, edn, jepsen-log, csv"),
        (b'{"process": 0}\n\xff\xfe\n', "not UTF-8"),
    ],
)
def test_what_is_no_history_is_refused(text: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=says):
        read(written(tmp_path, text))


def test_unknown_formats_columns_and_files_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    with pytest.raises(HistoryError, match="no format 'xml'; there are jsonl, json, edn"):
        read(path, "xml")
    with pytest.raises(HistoryError, match=":1: there is no column 'what'; there are client, op"):
        read(path, columns={**ROW_COLUMNS, "f": "what"})
    with pytest.raises(HistoryError, match="No such file"):
        read(tmp_path / "none")


def test_formats_go_by_their_names_and_say_what_they_are() -> None:
    assert [one.name for one in FORMATS.values()] == list(FORMATS)
    assert all(one.about for one in FORMATS.values())


def test_the_published_schema_is_what_the_reader_reads() -> None:
    file = ROOT / "docs" / "schemas" / "history.schema.json"
    assert file.read_bytes() == history_schema_text()


@pytest.mark.parametrize(("unit", "is_timed"), [(1, False), (1_000_000, True)])
def test_places_in_a_table_are_no_times(tmp_path: Path, unit: int, is_timed: bool) -> None:
    rows = "".join(f"write,{n},,{2 * n * unit},{(2 * n + 1) * unit}\n" for n in range(4))
    file = tmp_path / "history.csv"
    file.write_text(f"f,argument,result,invoked,returned\n{rows}")
    last = read(file).operations[-1]
    assert (last.invoked, last.returned) == (6, 7)
    assert (last.invoked_ns, last.returned_ns) == ((6 * unit, 7 * unit) if is_timed else (0, None))
