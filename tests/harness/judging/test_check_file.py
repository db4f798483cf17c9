"""`delphic check FILE`: verdicts, exit codes, witnesses, and mistakes of the user's."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from delphic.harness.commands.cli import check_command
from delphic.harness.errors import UsageError
from delphic.harness.judging.assertion import assert_right
from delphic.harness.judging.judged import Judged, judged_schema_text
from delphic.reports import judged

STALE = """\
{:type :invoke, :f :write, :value 1, :process 0, :time 1000000, :index 0}
{:type :ok, :f :write, :value 1, :process 0, :time 2000000, :index 1}
{:type :invoke, :f :cas, :value [1 2], :process 1, :time 3000000, :index 2}
{:type :invoke, :f :write, :value 9, :process 3, :time 3000001, :index 3}
{:type :ok, :f :cas, :value [1 2], :process 1, :time 4000000, :index 4}
{:type :info, :f :write, :value 9, :process 3, :time 4000001, :index 5}
{:type :invoke, :f :read, :value nil, :process 2, :time 5000000, :index 6}
{:type :ok, :f :read, :value 1, :process 2, :time 6000000, :index 7}
"""
RIGHT = STALE.replace(":value 1, :process 2", ":value 2, :process 2")
OWN = '''
class Register:
    """A value that is written and read; None at first."""

    reads = {"read"}

    def initial(self):
        return ("v", None)

    def step(self, state, f, argument, result):
        if f == "write":
            return ("v", argument)
        return state if state[1] == result or not isinstance(result, int) else None
'''


LISTED = """
from delphic.harness.checkers.specs.spec import Spec

LISTED = Spec("listed", "Its states are lists.", (), list, lambda state, *asked: state)
"""


ABORTED = """\
{:type :invoke, :value [[:append x 1]], :process 0}
{:type :fail, :value [[:append x 1]], :process 0}
{:type :invoke, :value [[:r x nil]], :process 1}
{:type :ok, :value [[:r x [1]]], :process 1}
"""
ABORTED_TABLE = """\
process,f,argument,result,invoked,returned,outcome
0,txn,"[[""append"",""x"",1]]",,0,1,fail
1,txn,"[[""r"",""x"",null]]","[[""r"",""x"",[1]]]",2,3,ok
"""


def run(*words: str | Path) -> Result:
    def never(run: Path) -> None:
        raise AssertionError("no report is written")

    check = check_command(never, judged.render)
    return CliRunner().invoke(check, [str(word) for word in words])


def written(folder: Path, text: str, name: str = "history.edn") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refused(*words: str | Path) -> str:
    result = run(*words)
    assert isinstance(result.exception, UsageError)
    return str(result.exception)


def test_a_right_history_passes(tmp_path: Path) -> None:
    result = run(written(tmp_path, RIGHT), "--spec", "cas-register")
    assert result.exit_code == 0
    assert result.output.startswith("pass: All 3 answered operations fit one order")
    assert "read as edn, which its first lines look like" in result.output
    assert "4 operations, 1 never answered" in result.output


@pytest.mark.parametrize(("text", "name"), [(ABORTED, "h.edn"), (ABORTED_TABLE, "h.csv")])
def test_a_transaction_that_failed_is_not_to_be_seen(tmp_path: Path, text: str, name: str) -> None:
    file = written(tmp_path, text, name)
    result = run(file, "--spec", "list-append")
    assert result.exit_code == 1, result.output
    assert "G1a: Aborted read" in result.output
    assert "certainly failed) had appended. So it is not read-committed." in result.output
    assert "txn [['append', 'x', 1]] → failed" in result.output.replace('"', "'")
    assert "1 operation certainly failed and may not be seen by others" in result.output
    assert "1 operations, 0 never answered" not in result.output
    weak = run(file, "--spec", "list-append", "--model", "read-uncommitted")
    assert weak.exit_code == 0, weak.output
    assert "(They do show what read-committed forbids.)" in weak.output
    fine = run(written(tmp_path, text.replace("[1]", "[]"), name), "--spec", "list-append")
    assert fine.exit_code == 0, fine.output


def test_a_model_that_cannot_be_asked_for_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, ABORTED)
    said = refused(file, "--spec", "list-append", "--model", "eventual")
    assert "no history can be said to keep to 'eventual'; to these it can: read-unc" in said
    assert "--model is for transactions" in refused(
        written(tmp_path, RIGHT), "--spec", "register", "--model", "serializable"
    )
    assert "--model read-uncommitted|read-committed|" in run("--specs").output


def test_a_wrong_one_fails_with_the_operations_that_show_it(tmp_path: Path) -> None:
    result = run(written(tmp_path, STALE), "--spec", "cas-register")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0].startswith("fail: Read #6 by process 2 from 0.005 s to 0.006 s returned 1, but")
    assert lines[1] == (
        "  stale-read: A value was read that had been overwritten before the read began."
    )
    assert lines[3:6] == [
        "  process 1  ├ cas [1, 2] ─┤",
        "  process 2                  ├ read → 1 ─┤",
        "  (cas #2: line 3; read #6: line 7)",
    ]


def test_json_holds_all_that_was_found(tmp_path: Path) -> None:
    path = written(tmp_path, STALE)
    result = run(path, "--spec", "cas-register", "--json")
    found = json.loads(result.output)
    assert (found["schema"], found["validity"], found["exit_code"]) == (1, "fail", 1)
    assert (found["file"], found["format"], found["spec"]) == (str(path), "edn", "cas-register")
    assert [told["anomaly"] for told in found["findings"]] == ["stale-read"]
    assert [(o["f"], o["argument"], o["line"]) for o in found["witness"]] == [
        ("cas", [1, 2], 3),
        ("read", None, 7),
    ]
    assert (found["operations"], found["unanswered"]) == (4, 1)
    assert msgspec.convert(found, Judged).is_proof


def test_the_schema_of_json_is_what_is_printed() -> None:
    file = Path(__file__).resolve().parents[3] / "docs" / "schemas" / "judged.schema.json"
    assert file.read_bytes() == judged_schema_text()


def test_what_was_not_decided_has_its_own_exit_code(tmp_path: Path) -> None:
    lines = [
        f'{{"process": {p}, "type": "invoke", "f": "write", "value": {p % 4}}}' for p in range(40)
    ]
    lines += [
        f'{{"process": {p}, "type": "invoke", "f": "read"}}\n'
        f'{{"process": {p}, "type": "ok", "f": "read", "value": {p % 4}}}'
        for p in range(40, 60)
    ]
    path = written(tmp_path, "\n".join(lines), "many.jsonl")
    result = run(path, "--spec", "register", "--seconds", "0")
    assert result.exit_code == 3
    assert result.output.startswith("unknown: Linearizable up to #")
    assert run(written(tmp_path, lines[0]), "--spec", "register").exit_code == 3


def test_values_of_independent_objects_are_taken_apart(tmp_path: Path) -> None:
    text = ""
    for f, asked in (("write", "1"), ("read", "nil")):
        for process, key in enumerate("xy"):
            text += (
                f'{{:process {process}, :type :invoke, :f :{f}, :value ["{key}" {asked}]}}\n'
                f'{{:process {process}, :type :ok, :f :{f}, :value ["{key}" 1]}}\n'
            )
    path = written(tmp_path, text)
    told = run(path, "--spec", "register")
    assert told.exit_code == 0
    assert "on 2 keys" in told.output
    assert "judged key by key" in told.output
    assert run(path, "--spec", "register", "--partition", "first").exit_code == 0
    assert run(path, "--spec", "register", "--partition", "none").exit_code == 1


def test_keys_tell_objects_apart_unless_it_is_said_that_there_is_one(tmp_path: Path) -> None:
    text = "f,key,argument,result,invoked,returned\n"
    text += "write,a,1,,1,2\nwrite,b,2,,3,4\nread,a,,1,5,6\n"
    path = written(tmp_path, text, "rows.csv")
    assert run(path, "--spec", "register").exit_code == 0
    assert run(path, "--spec", "register", "--partition", "none").exit_code == 1


def test_a_specification_of_one_s_own(tmp_path: Path) -> None:
    own = written(tmp_path, OWN, "own.py")
    text = STALE.replace(":f :cas, :value [1 2]", ":f :write, :value 2")
    result = run(written(tmp_path, text), "--spec", f"{own}:Register")
    assert result.exit_code == 1
    assert "read #6 by process 2" in result.output
    assert "judged as Register" in result.output
    right = text.replace(":value 1, :process 2", ":value 2, :process 2")
    assert run(written(tmp_path, right), "--spec", f"{own}:Register").exit_code == 0


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        (OWN, "Registre", "has no 'Registre'; it has Register"),
        (OWN.replace("def step", "def stop"), "Register", "has no step"),
        ("import nowhere_to_be_found", "Register", "cannot be loaded"),
        (OWN.replace('"write"', "1 / 0"), "Register", "failed at step("),
        ("raise SystemExit(0)", "Register", "cannot be loaded"),
        (OWN.replace('"write"', "exit(0)"), "Register", "failed at step("),
        (OWN.replace('("v", None)', "[]"), "Register", "initial returned []: a state must be hash"),
        (OWN.replace('("v", argument)', "{}"), "Register", "step returned {}: a state must be has"),
        (OWN.replace('("v", None)', "1 / 0"), "Register", "failed at initial():"),
        (OWN.replace("initial(self)", "initial(self, of)"), "Register", "failed at initial():"),
        (OWN + "    def __init__(self, of): pass", "Register", "failed at Register():"),
        (OWN.replace('{"read"}', "5"), "Register", "reads is 5, and no set of names"),
        (OWN.replace('{"read"}', '"read"'), "Register", "reads is 'read', and no set of names"),
        (OWN + "    partition = 3", "Register", "partition is 3, and no method"),
        (OWN + "    def partition(self, operation): 1 / 0", "Register", "failed at partition("),
        (
            OWN + "    def partition(self, operation): return [operation.key]",
            "Register",
            "partition returned [None]: what it returns must be hashable",
        ),
        (LISTED, "LISTED", "initial returned []: a state must be hashable"),
    ],
)
def test_what_is_wrong_with_one_s_own_is_said(
    text: str, name: str, says: str, tmp_path: Path
) -> None:
    own = written(tmp_path, text, "own.py")
    assert says in refused(written(tmp_path, STALE), "--spec", f"{own}:{name}")


def test_mistakes_are_told_with_file_and_line(tmp_path: Path) -> None:
    path = written(tmp_path, STALE)
    assert refused(path, "--spec", "register") == (
        f"{path}:3: 'cas' is no operation of a register: it has write, read"
    )
    assert refused(path) == (
        f"{path}: say what it is a history of, with --spec NAME; its operations "
        "(cas, read, write) are those of cas-register"
    )
    assert "no file" in refused(path, "--spec", f"{tmp_path}/none.py:Spec")
    assert "--columns what=x: OURS=THEIRS" in refused(
        path, "--spec", "register", "--columns", "what=x"
    )
    assert "no [key, value]" in refused(path, "--spec", "cas-register", "--partition", "first")
    assert "delphic check RUN, or FILE" in refused()
    folder = tmp_path / "a run"
    folder.mkdir()
    assert "is no run directory: it has no plan" in refused(folder, "--spec", "register")
    (folder / "plan.json").touch()
    told = refused(folder, "--spec", "register")
    assert told.endswith(f"which says itself what it is: delphic check '{folder}'")


@pytest.mark.parametrize(
    ("kind", "found", "own", "other"),
    [("append", [5], "list-append", "rw-register"), ("w", 5, "rw-register", "list-append")],
)
def test_transactions_of_the_other_kind_are_refused_not_convicted(
    kind: str, found: Any, own: str, other: str, tmp_path: Path
) -> None:
    lines = []
    for asked, answered in (([kind, "x", 5],) * 2, (["r", "x", None], ["r", "x", found])):
        lines.append({"process": 0, "type": "invoke", "f": "txn", "value": [asked]})
        lines.append({"process": 0, "type": "ok", "f": "txn", "value": [answered]})
    path = written(tmp_path, jsonl(*lines), "h.jsonl")
    assert run(path, "--spec", own).exit_code == 0
    assert refused(path, "--spec", other).startswith(f"{path}:1: the argument of txn must be")
    assert refused(path).endswith(f"its operations (txn) are those of {own}")


HOSTILE = "a\n::error::hacked\x1b[2J"


def jsonl(*lines: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(line)}\n" for line in lines)


def test_names_in_a_file_begin_no_line_and_drive_no_terminal(tmp_path: Path) -> None:
    """Hosts of CI do what lines say that begin so."""
    asked = {"process": HOSTILE, "f": "read", "node": HOSTILE}
    begun = {**asked, "type": "invoke"}
    path = written(tmp_path, jsonl(begun, {**asked, "type": "ok", "value": 2}), "h.jsonl")
    output = run(path, "--spec", "register").output
    assert output.count(r"process a\n::error::hacked\x1b[2J") == 2
    assert "\n::" not in output
    with pytest.raises(AssertionError, match=r"a\\n::error"):
        assert_right(path, "register")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (({"process": HOSTILE, "f": HOSTILE, "type": "ok"},), ("--spec", "register")),
        (({"process": 1, "f": HOSTILE, "type": "invoke"},), ()),
        (
            ({"process": 1, "f": HOSTILE, "type": "invoke"},),
            ("--spec", "register", "--partition", "first"),
        ),
    ],
)
def test_nor_do_they_in_what_is_refused(
    lines: tuple[dict[str, Any], ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    told = refused(written(tmp_path, jsonl(*lines), "h.jsonl"), *words)
    assert r"a\n::error::hacked\x1b[2J" in told
    assert told.isprintable()


def test_an_edn_set_is_no_log(tmp_path: Path) -> None:
    read = "{:process 0 :type :invoke :f :read}\n{:process 0 :type :ok :f :read :value #{1}}"
    path = written(tmp_path, read)
    for spec in ("log", "prefix"):
        told = f"{path}:1: the result of read must be all elements, oldest first"
        assert refused(path, "--spec", spec) == told


def test_the_history_of_a_run_is_left_to_its_own_checks(tmp_path: Path) -> None:
    path = written(tmp_path, '{"process":0,"type":"invoke","f":"append"}', "history.jsonl")
    assert run(path, "--spec", "log").exit_code == 3
    (tmp_path / "plan.json").write_text("{}")
    assert f"delphic check {tmp_path}" in refused(path, "--spec", "log")


LYING = """
from delphic.harness.checkers.operations import Judgement
from delphic.harness.checkers.specs import SPECS
from delphic.harness.checkers.specs.spec import Spec
from delphic.harness.verdict import Validity

good = SPECS["register"]
LYING = Spec(
    "lying", "A register whose monitor finds everything right.", good.operations, good.initial,
    good.step, lambda operations: Judgement(Validity.PASS, "All is well."), reads=good.reads,
)
"""


def test_two_opinions_that_contradict_each_other_are_an_error_of_ours(tmp_path: Path) -> None:
    own = written(tmp_path, LYING, "lying.py")
    text = "f,argument,result,invoked,returned\nwrite,1,,1,2\nread,,2,3,4\n"
    path = written(tmp_path, text, "history.csv")
    assert run(path, "--spec", f"{own}:LYING").exit_code == 0
    page = tmp_path / "page.html"
    result = run(path, "--spec", f"{own}:LYING", "--second-opinion", "--report", page)
    assert result.exit_code == 5
    assert result.output.startswith("harness_error: DELPHIC CONTRADICTS ITSELF")
    assert "Harness error" in page.read_text()


def test_specifications_are_listed_with_their_operations() -> None:
    result = run("--specs")
    assert result.exit_code == 0
    assert "cas-register     A register with compare-and-set." in result.output
    assert "cas([expected, new])" in result.output


def test_the_page_needs_nothing_else_and_escapes_what_the_file_says(tmp_path: Path) -> None:
    text = STALE.replace("[1 2]", '[1 "<script>"]')
    page = tmp_path / "page.html"
    result = run(written(tmp_path, text), "--spec", "cas-register", "--report", page)
    assert result.exit_code == 1
    assert f"report  {page}" in result.output
    html = page.read_text()
    assert html.count("<script") == 1, "that of the switch for colours"
    assert html.index("<script") < html.index("<body")
    assert "&lt;script&gt;" in html
    assert html.count("<rect") == 2
    assert "read → 1</text>" in html
    assert "stale-read" in html
    for outside in ("http://", "https://", "src=", "url("):
        assert outside not in html.replace("http-equiv", "")


def test_a_page_of_what_is_right_has_no_witness(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run(written(tmp_path, RIGHT), "--spec", "cas-register", "--report", page, "--json")
    html = page.read_text()
    assert "<svg" not in html
    assert "All 3 answered operations fit one order" in html


def test_a_second_opinion_is_asked_and_told(tmp_path: Path) -> None:
    path = written(tmp_path, RIGHT)
    result = run(path, "--spec", "cas-register", "--second-opinion")
    assert result.exit_code == 0
    assert "monitor and search agree on 1 part of it" in result.output
    assert "search agree" not in run(path, "--spec", "cas-register").output


@pytest.mark.parametrize(("text", "code"), [(STALE, 1), (RIGHT, 4)])
def test_a_page_that_cannot_be_written_is_said_and_hides_no_verdict(
    tmp_path: Path, text: str, code: int
) -> None:
    file = written(tmp_path, text)
    words = [file, "--spec", "cas-register", "--report", tmp_path / "none" / "page.html"]
    result = run(*words)
    assert result.exit_code == code, result.output
    assert result.stdout.startswith("fail: " if code == 1 else "pass: ")
    assert "report" not in result.stdout
    assert result.stderr == f"error: cannot write {words[-1]}: No such file or directory\n"
    told = run(*words, "--json")
    assert (told.exit_code, json.loads(told.stdout)["exit_code"]) == (code, code)
