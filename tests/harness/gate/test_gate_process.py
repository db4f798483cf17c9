"""A step's process: heard, ended when its time is over, and never lost without a word."""

import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.harness.agent import proc
from delphic.harness.errors import ExitCode
from delphic.harness.gate import process
from delphic.harness.gate.process import Interrupted, perform
from delphic.harness.gate.result import Attempt
from delphic.harness.gate.step import Explore, Order, Run

BEGIN = """if True:
    import json, os, signal, sys, time
    order = json.loads(sys.stdin.read())
    channel = os.fdopen(int(sys.argv[1]), "w", buffering=1)
    def say(text): print(json.dumps({"type": "said", "text": text}), file=channel)
    def end(code, sentence, type="ended"):
        attempt = {"code": code, "sentence": sentence}
        print(json.dumps({"type": type, "attempt": attempt}), file=channel)
    def find(code, sentence): end(code, sentence, "found")
"""


def done(code: str, folder: Path, seconds: float = 30.0) -> tuple[Attempt, list[str], str]:
    told: list[str] = []
    log = folder / "log.txt"
    order = Order(Explore("raft"), seconds, 1, str(folder))
    body = "\n".join(f"    {line}" for line in code.splitlines())
    found = perform(order, log, told.append, (sys.executable, "-c", BEGIN + body))
    assert found.seconds > 0
    return msgspec.structs.replace(found, seconds=0.0), told, log.read_text()


def test_news_are_told_and_what_it_prints_is_kept(tmp_path: Path) -> None:
    code = 'print("noise")\nsay(order["work"]["model"])\nsay("two")\nend(1, "found")'
    found, told, log = done(code, tmp_path)
    assert found == Attempt(ExitCode.PROMISE_BROKEN, "found")
    assert told == ["raft", "two"]
    assert log == "noise\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ('sys.exit("no idea")', "exit status 1 and no answer: no idea"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL and no answer: it printed nothing"),
        ("sys.exit(0)", "exit status 0 and no answer"),
    ],
)  # fmt: skip
def test_a_process_that_dies_without_an_answer_has_a_bug(
    code: str, told: str, tmp_path: Path
) -> None:
    found, _, _ = done(code, tmp_path)
    assert found.code is ExitCode.HARNESS
    assert told in found.sentence


def test_who_does_not_end_in_time_is_asked_to_and_then_ended_with_all_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.5)
    monkeypatch.setattr(process, "UNDO_S", 0.5)
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    code = """\
signal.signal(signal.SIGINT, lambda *_: say("asked"))
child = os.fork()
if child:
    say(str(child))
while True:
    time.sleep(0.05)
"""
    found, told, _ = done(code, tmp_path, seconds=1.0)
    assert (found.code, found.unfinished) == (ExitCode.INCONCLUSIVE, "out of time")
    assert told[1:] == ["asked"]
    until = time.monotonic() + 10
    while proc.letter(int(told[0])) is not None:
        assert time.monotonic() < until, "the child goes on"


def test_an_answer_given_when_asked_to_end_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.2)
    code = """\
def asked(*_):
    end(3, "undone")
    sys.exit(3)
signal.signal(signal.SIGINT, asked)
time.sleep(60)
"""
    found, _, _ = done(code, tmp_path, seconds=1.0)
    assert found == Attempt(ExitCode.INCONCLUSIVE, "undone")


def test_what_was_found_before_its_time_was_over_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.2)
    found, _, _ = done('find(1, "found")\ntime.sleep(60)', tmp_path, seconds=1.0)
    assert found == Attempt(ExitCode.PROMISE_BROKEN, "found")
    found, _, _ = done('find(1, "so far")\nend(1, "all of it")', tmp_path)
    assert found.sentence == "all of it"


SLEEPER = """
import sys, time
from delphic.harness.gate.process import answer
def do(order, tell, found):
    try:
        tell("ready")
        time.sleep(60)
    except KeyboardInterrupt:
        print("ended")
        raise
answer(int(sys.argv[1]), do)
"""


@pytest.mark.parametrize("inherited", [signal.default_int_handler, signal.SIG_IGN])
def test_an_interrupt_ends_the_process_first(inherited: Any, tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    order, log = Order(Explore("raft"), 30.0, 1, str(tmp_path)), tmp_path / "log.txt"
    # What a script starts in the background ignores it, and so do those that it starts.
    before = signal.signal(signal.SIGINT, inherited)
    try:
        with pytest.raises(Interrupted):
            perform(order, log, interrupt, (sys.executable, "-c", SLEEPER))
    finally:
        signal.signal(signal.SIGINT, before)
    assert log.read_text().startswith("ended\n")


def test_what_was_found_before_an_interrupt_is_not_lost(tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    code = """\
signal.signal(signal.SIGINT, signal.default_int_handler)
find(1, "found")
say("ready")
time.sleep(60)
"""
    order, log = Order(Explore("raft"), 30.0, 1, str(tmp_path)), tmp_path / "log.txt"
    body = "\n".join(f"    {line}" for line in code.splitlines())
    with pytest.raises(Interrupted) as caught:
        perform(order, log, interrupt, (sys.executable, "-c", BEGIN + body))
    assert caught.value.attempt is not None
    assert caught.value.attempt.code is ExitCode.PROMISE_BROKEN
    assert caught.value.attempt.seconds > 0


DYING = """
import sys
from delphic.harness.errors import ExitCode
from delphic.harness.gate.process import answer
from delphic.harness.gate.result import Attempt
def do(order, tell, found):
    found(Attempt(ExitCode(int(sys.argv[1])), "So far."))
    sys.exit("no memory")
answer(int(sys.argv[2]), do)
"""


@pytest.mark.parametrize(
    ("so_far", "code", "beside"),
    [
        (ExitCode.AS_EXPECTED, ExitCode.HARNESS, ExitCode.AS_EXPECTED),
        (ExitCode.PROMISE_BROKEN, ExitCode.PROMISE_BROKEN, ExitCode.HARNESS),
    ],
)
def test_a_death_is_hidden_by_no_failure_that_was_expected_or_is_known(
    so_far: ExitCode, code: ExitCode, beside: ExitCode, tmp_path: Path
) -> None:
    order, log = Order(Explore("raft"), 30.0, 1, str(tmp_path)), tmp_path / "log.txt"
    command = (sys.executable, "-c", DYING, str(int(so_far)))
    found = perform(order, log, lambda _: None, command)
    assert (found.code, found.beside) == (code, beside)
    assert found.sentence.endswith("exit status 1 and no answer: no memory")


def test_an_order_is_read_as_it_was_given() -> None:
    work = Run("quickstart", "scenarios/quickstart.yaml", "text", "local", None, 15.0)
    order = Order(work, 3.5, 2, "out")
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order
