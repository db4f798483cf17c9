"""What the page is answered: by the same server that guards all pages."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from commands import finish, start
from delphic.harness.explorer.api import Api
from delphic.harness.explorer.command import explore_command
from delphic.reports.server import application
from starlette.testclient import TestClient

Assemble = Callable[..., Api]
SMALL = ("raft", "--mutant", "vote-twice")


def client(api: Api) -> TestClient:
    return TestClient(application(api.routes(), None), base_url="http://127.0.0.1")


@pytest.fixture(scope="module")
def small(assemble: Assemble) -> TestClient:
    return client(assemble(*SMALL))


def test_bounds_and_mutant_are_told(small: TestClient) -> None:
    about = small.get("/api/model").json()
    assert about["mutant"]["breaks"] == "one-vote-per-term"
    assert ["members", "3"] in about["bounds"]
    assert about["command"] == "delphic explore raft --ui --mutant vote-twice"


def test_the_command_is_the_one_that_was_given(assemble: Assemble) -> None:
    words = ("raft", "--network", "bag:3", "--mutant", "vote-twice", "--bound", "terms=3")
    api = assemble(*words, "--property", "one-vote-per-term", "--symmetry")
    command = client(api).get("/api/model").json()["command"]
    again = assemble(*command.split()[2:])
    assert client(again).get("/api/model").json()["command"] == command
    one, two = (client(each).get("/api/state/0.1").json()["link"] for each in (api, again))
    assert one == two


@pytest.mark.parametrize("address", ["nonsense", "0.999", "%00", "..%2f..%2fetc", "0" * 9_000])
def test_hostile_addresses_are_answered_with_a_sentence(small: TestClient, address: str) -> None:
    answer = small.get(f"/api/state/{address}")
    assert answer.status_code == 404
    assert answer.json()["error"].endswith(".")
    assert len(answer.json()["error"]) < 200


def test_what_is_not_there_is_said(small: TestClient) -> None:
    assert small.get("/api/run").json()["error"].startswith("No run was given at the start")
    assert small.get("/api/nothing").status_code == 404
    assert small.get("/api/search", params={"q": "x" * 201}).status_code == 400
    assert small.post("/api/state/start").status_code == 405


def test_every_page_is_the_same_page_and_runs_no_script_within(small: TestClient) -> None:
    pages = {small.get(path).text for path in ("/", "/state/0.1?of=0.1.2", "/run/0/7")}
    assert len(pages) == 1
    page = pages.pop()
    for script in re.findall(r"<script[^>]*>", page):
        assert "src=" in script
    for asset in re.findall(r'(?:src|href)="(/assets/[^"]+)"', page):
        assert small.get(asset).status_code == 200


def test_visited_states_are_found_by_words(assemble: Assemble) -> None:
    own = client(assemble(*SMALL))
    own.get("/api/state/0")
    own.get("/api/state/0.1")
    found = own.get("/api/search", params={"q": "ROLE=candidate member"}).json()
    assert found["visited"] == 2
    assert [hit["address"] for hit in found["hits"]] == ["0", "0.1"]
    assert "role=candidate" in found["hits"][0]["excerpt"]
    assert own.get("/api/search", params={"q": "leader-of-nothing"}).json()["total"] == 0
    assert own.get("/api/search", params={"q": " "}).json()["total"] == 0


def test_the_hunt_finds_the_counterexample_and_its_link_opens_elsewhere(
    assemble: Assemble,
) -> None:
    api = assemble(*SMALL)
    own = client(api)
    assert own.get("/api/hunt").json()["status"] == "idle"
    assert own.post("/api/hunt").json()["status"] in ("running", "done")
    api._hunt.join(120)
    told = own.get("/api/hunt").json()
    assert told["status"] == "done"
    assert told["sentence"] == "BROKEN: one-vote-per-term, after 3 steps."
    found = next(one for one in told["found"] if one["kind"] == "broken")
    fresh = client(assemble(*SMALL)).get(f"/api/state/{found['link']}").json()
    assert fresh["depth"] == found["steps"] == 3
    assert [p["status"] for p in fresh["properties"] if p["name"] == found["property"]] == [
        "broken"
    ]
    other = client(assemble("raft", "--bound", "terms=3"))
    assert other.get(f"/api/state/{found['link']}").status_code == 404


def test_what_gets_stuck_is_told_behind_the_end_of_faults(assemble: Assemble) -> None:
    api = assemble("raft", "--mutant", "no-noop")
    api._hunt.begin()
    api._hunt.join(120)
    told = api._hunt.told()
    stuck = next(one for one in told.found if one.kind == "stuck")
    assert stuck.property == "the group converges"
    assert told.sentence.startswith(f"STUCK: {stuck.property}")
    assert any(note.startswith("eventually: the group converges: not") for note in told.notes)
    numbers = [late.number for late in (*stuck.then, *stuck.again)]
    assert numbers == list(range(stuck.steps + 1, stuck.steps + 1 + len(numbers)))


def test_what_was_never_reached_is_named(assemble: Assemble) -> None:
    api = assemble("raft", "--bound", "members=2", "--max-depth", "1")
    assert "at most" in api._hunt.told().limits
    api._hunt.begin()
    api._hunt.join(120)
    told = api._hunt.told()
    assert told.sentence.startswith("UNDECIDED: stopped by the limit of 1 levels")
    assert "never reached: a leader is elected" in told.notes


def test_a_hunt_without_memory_says_so_and_may_be_tried_again(
    assemble: Assemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **options: object) -> None:
        raise MemoryError

    api = assemble(*SMALL)
    with monkeypatch.context() as patched:
        patched.setattr("delphic.harness.explorer.hunt.explore", full)
        api._hunt.begin()
        api._hunt.join(120)
    assert api._hunt.told().status == "failed"
    assert "--max-memory" in api._hunt.told().sentence
    api._hunt.begin()
    api._hunt.join(120)
    assert api._hunt.told().status == "done"


def test_a_hunt_can_be_given_up_and_begun_again(assemble: Assemble) -> None:
    api = assemble("raft", "--bound", "entries=2", "--bound", "crashes=1")
    own = client(api)
    own.post("/api/hunt")
    own.delete("/api/hunt")
    api._hunt.join(120)
    assert own.get("/api/hunt").json()["status"] == "given up"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--ui"], "which model? There are raft"),
        (["rafts", "--ui"], "no model 'rafts'"),
        (["raft", "--ui", "--walks", "5"], "--walks does not go with --ui"),
        (["raft", "--port", "99"], "--port goes with --ui"),
        (["storage", "--ui", "--run", "."], "not of storage"),
        (["raft", "--ui", "--run", "."], "is no run directory"),
        (["raft", "--ui", "--token", "short"], "--token: at least 16 characters"),
    ],
)
def test_wrong_words_are_answered(words: list[str], answer: str) -> None:
    result = CliRunner().invoke(explore_command, words)
    assert answer in f"{result.output} {result.exception}"
    assert result.exit_code != 0


def test_without_ui_it_explores_as_ever() -> None:
    words = ["raft", "--mutant", "vote-twice", "--json"]
    result = CliRunner().invoke(explore_command, words, standalone_mode=False)
    assert json.loads(result.output)["violation"]["property"] == "one-vote-per-term"
    assert result.return_value == 1


@pytest.mark.slow
def test_the_page_does_not_wait_for_what_only_runs_need() -> None:
    code = """if True:
        import sys
        import delphic.__main__, delphic.harness.explorer.command
        print(*sorted({"delphic.harness.scenario", "pyarrow", "numba"} & sys.modules.keys()))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["numba"]


@pytest.mark.slow
def test_the_command_serves_and_ends_well(run: Path, tmp_path: Path) -> None:
    process = start(tmp_path, "explore", "--ui", "--run", str(run))
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"serving (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line)
    assert found is not None, line
    with urlopen(f"{found[1]}api/model") as answer:
        assert json.load(answer)["model"] == "raft-built"
    process.send_signal(signal.SIGINT)
    assert finish(process) == (0, "", "")
