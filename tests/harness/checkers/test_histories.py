"""Every checker on histories written by hand: each verdict it can give, and how it says it."""

from pathlib import Path

import pytest
from delphic.harness.check import check
from delphic.harness.checkers import CHECKERS, GROUP_CHECKERS, REPLICATION_CHECKERS
from delphic.harness.evidence import Evidence
from delphic.harness.history import History, load
from delphic.harness.verdict import Validity, Verdict
from delphic.harness.workloads import WORKLOADS

FOLDER = Path(__file__).parent / "histories"
MEMBERS = ("n1", "n2", "n3")
FILES = sorted(FOLDER.glob("*/*/*.jsonl"))
KIND_FILES = [
    file
    for file in FILES
    if file.parts[-3] in ("batches", "log-poll", "refusals", "keyed", "tables")
]
LOG_FILES = [file for file in FILES if file.parts[-3] == "log-monitor"]


def title(file: Path) -> str:
    return "/".join(file.parts[-3:])


def history(file: Path) -> History:
    with file.open("rb") as stream:
        return load(stream)


def verdict(name: str, checker: str | None = None) -> Verdict:
    """What a checker says about the history `checker/validity/name`."""
    file = FOLDER / f"{name}.jsonl"
    chosen = checker or file.parts[-3]
    return check(Evidence(history(file), MEMBERS), [chosen])[0]


@pytest.mark.parametrize("file", FILES, ids=title)
def test_a_history_gets_the_verdict_of_its_folder(file: Path) -> None:
    found = check(Evidence(history(file), MEMBERS), [file.parts[-3]])[0]
    assert found.validity == Validity(file.parts[-2]), found.sentence
    assert found.checker == file.parts[-3]
    assert found.sentence.endswith((".", ".)"))
    assert found.sentence[0].isupper() or found.sentence[0].isdigit()
    assert found.cost_s > 0


@pytest.mark.parametrize("file", [f for f in FILES if f.parts[-2] == "fail"], ids=title)
def test_a_failure_names_promises_and_at_most_three_ops_of_its_history(file: Path) -> None:
    found = check(Evidence(history(file), MEMBERS), [file.parts[-3]])[0]
    indices = {op.index for op in history(file).ops}
    assert found.promises
    assert set(found.promises) <= {*CHECKERS[file.parts[-3]].promises}
    assert 1 <= len(found.witness) <= 4
    assert set(found.witness) <= indices
    assert list(found.witness) == sorted(found.witness)


@pytest.mark.parametrize("file", LOG_FILES, ids=title)
def test_the_search_and_both_together_agree_with_the_monitor(file: Path) -> None:
    exact, bounded, together = check(
        Evidence(history(file), MEMBERS), ["log-monitor", "log-search", "linearizable"]
    )
    assert bounded.validity == exact.validity
    assert together.validity == exact.validity
    assert together.witness == exact.witness
    assert [opinion["checker"] for opinion in together.details["opinions"]] == [
        "log-monitor",
        "log-search",
    ]


@pytest.mark.parametrize("file", [f for f in LOG_FILES if f.parts[-2] == "fail"], ids=title)
def test_a_broken_log_is_called_by_its_kind(file: Path) -> None:
    found = check(Evidence(history(file), MEMBERS), ["log-monitor"])[0]
    assert file.stem.split("--")[0] in found.details["kinds"]
    for anomaly in found.details["anomalies"]:
        assert 1 <= len(anomaly["witness"]) <= 3


def test_every_checker_has_a_passing_history_and_every_one_with_a_promise_a_failing_one() -> None:
    covered = {(file.parts[-3], file.parts[-2]) for file in FILES}
    # Conformance reads traces: test_conformance.py and test_core_traces.py have its verdicts.
    others = ("linearizable", "log-search", "conformance", "replication-conformance")
    own = [name for name in CHECKERS if name not in others]
    assert {(name, "pass") for name in own} <= covered
    assert {(name, "fail") for name in own if CHECKERS[name].promises} <= covered


def test_every_checker_is_asked_for_by_a_workload_and_both_opinions_at_once() -> None:
    asked = {name for workload in WORKLOADS.values() for name in workload.checkers}
    assert asked == {*CHECKERS} - {"log-monitor", "log-search"}
    for workload in WORKLOADS.values():
        # Of several clusters no one is all of the group; their judges are their own.
        wanted = REPLICATION_CHECKERS if workload.settle else GROUP_CHECKERS
        assert {*wanted} <= {*workload.checkers}


@pytest.mark.parametrize("file", [f for f in KIND_FILES if f.parts[-2] == "fail"], ids=title)
def test_what_is_wrong_is_called_by_its_kind(file: Path) -> None:
    found = check(Evidence(history(file), MEMBERS), [file.parts[-3]])[0]
    assert set(found.details["kinds"]) == {file.stem.split("--")[0]}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "log-monitor/fail/stale-read",
            "Stale read: read #5 by client 3 through n2 from 2.315 s to 2.318 s returned no row "
            "from offset 0 on, although before it began append #3 of row 5001 (acknowledged at "
            "offset 0 by n1 at 2.102 s) had put row 5001 at offset 0. "
            "Faults in force then: partition of n2 (since 2.000 s).",
        ),
        (
            "log-monitor/fail/lost",
            "Append #3 of row 2 (acknowledged at offset 1 by n1 at 0.030 s) is lost: read #6 by "
            "client 2 through n2 from 0.050 s to 0.060 s, the last that looked there, returned no "
            "row at offset 1.",
        ),
        (
            "log-monitor/fail/two-rows-at-one-offset",
            "Append #1 of row 1 (acknowledged at offset 0 by n1 at 0.010 s) and append #3 of row 2 "
            "(acknowledged at offset 0 by n2 at 0.030 s) both claim offset 0.",
        ),
        (
            "log-monitor/fail/torn-batch",
            "Read #3 by client 1 through n1 from 0.020 s to 0.030 s ended at offset 2, inside the "
            "batch of append #1 of rows 1, 2, 3 (acknowledged at offset 0 by n1 at 0.010 s): its "
            "last 1 row must be there with the first.",
        ),
        (
            "log-monitor/fail/aborted-read",
            "Read #3 by client 1 through n1 from 0.020 s to 0.030 s returned row 1 at offset 0, "
            "although append #1 of row 1 (certainly failed with NotLeader at 0.010 s) was never "
            "to be seen.",
        ),
        (
            "log-monitor/fail/gap",
            "Nothing accounts for offset 0, below append #1 of row 1 (acknowledged at offset 1 by "
            "n1 at 0.010 s): no acknowledgement and no read covers it, and there is no append of "
            "open outcome that could have filled it.",
        ),
        (
            "log-monitor/fail/future-read",
            "Read #1 by client 1 through n1 from 0.000 s to 0.010 s returned row 1 at offset 0 "
            "before append #3 of row 1 (acknowledged at offset 0 by n1 at 0.030 s) began at "
            "0.020 s.",
        ),
        (
            "durability/fail/a-row-is-gone",
            "Row 3 of append #4 of rows 2, 3 (acknowledged at offset 1 by n2 at 0.520 s) is lost: "
            "the final read #7 by client 0 through n3 from 0.910 s to 0.930 s returned no row at "
            "offset 2.",
        ),
        (
            "order/fail/two-reads-disagree",
            "Two reads disagree about offset 0: read #5 by client 1 through n1 from 0.040 s to "
            "0.050 s found row 1 there, read #7 by client 2 through n2 from 0.060 s to 0.070 s "
            "row 2.",
        ),
        (
            "elections/fail/two-leaders-in-one-term",
            "Two leaders in term 4: n2 (observed at 3.000 s) and n3 (observed at 3.250 s).",
        ),
        (
            "quorum/fail/acknowledged-by-the-last-member",
            "Append #3 was acknowledged by n3 at 1.200 s without a majority: it began at 1.100 s, "
            "and since 1.050 s n1, n2 were down, 2 of 3 members.",
        ),
        (
            "batches/fail/torn--by-another-batch",
            "Read #5 by client 2 through n1 from 0.040 s to 0.050 s found only a part of append "
            "#1 of rows 1, 2, 3 (left open with Timeout: no answer at 0.010 s): its last 1 row "
            "are not at offset 2.",
        ),
        (
            "replicas/fail/diverged-at-the-same-log-entry",
            "Replicas diverge: after log entry 7, n1 holds 3 rows with digest aa and n2 3 rows "
            "with digest bb.",
        ),
        (
            "liveness/fail/a-leader-but-no-acknowledgement",
            "After the heal no append was acknowledged any more.",
        ),
        (
            "liveness/fail/a-replica-stays-behind",
            "Replicas were not equal 16.030 s after the heal, 15 s are allowed: n2 still holds 2 "
            "rows up to log entry 6, n1 3 up to 7.",
        ),
        (
            "faults/inconclusive/a-partition-that-cut-nothing",
            "The partition at 2.500 s did not take hold: what the run shows about it is worth "
            "nothing.",
        ),
        (
            "log-monitor/unknown/a-row-appended-twice",
            "The history cannot be judged: op 2 (append): each row id may be appended once only "
            "in a run.",
        ),
    ],
)
def test_the_sentence_says_who_saw_what_when_and_where(name: str, sentence: str) -> None:
    assert verdict(name).sentence == sentence


def test_the_witness_of_a_stale_read_is_the_acknowledgement_and_the_read() -> None:
    found = verdict("log-monitor/fail/stale-read")
    assert found.witness == (3, 5)
    assert found.promises == ("HS-4",)
    operations = found.details["anomalies"][0]["operations"]
    assert [(o["f"], o["invoke"], o["completion"]) for o in operations] == [
        ("append", 2, 3),
        ("read", 4, 5),
    ]


def test_an_overwritten_append_breaks_durability_and_order() -> None:
    found = verdict("log-monitor/fail/lost--overwritten")
    assert found.details["kinds"] == {"two-rows-at-one-offset": 2, "lost": 1}
    assert found.promises == ("HS-2", "HS-4", "HS-5")


def test_a_stale_read_is_no_loss_while_a_later_read_finds_the_row() -> None:
    found = verdict("log-monitor/fail/stale-read--after-another-read")
    assert found.details["kinds"] == {"stale-read": 1}


def test_liveness_measures_what_it_judges() -> None:
    details = verdict("liveness/pass/all-recover-in-time").details
    assert {name: details[name]["seconds"] for name in details} == {
        "leader": 1.0,
        "first_ack": 2.0,
        "replicas": 3.03,
    }


def test_who_led_before_the_heal_and_until_the_limit_was_a_leader_in_time() -> None:
    found = verdict("liveness/unknown/a-leader-from-before-the-heal-hands-over-after-the-limit")
    assert {name: found.details[name]["validity"] for name in found.details} == {
        "leader": "pass",
        "first_ack": "unknown",
        "replicas": "pass",
    }
    assert found.details["leader"]["seconds"] == 0.0


@pytest.mark.parametrize(
    ("name", "promises"),
    [
        ("no-leader-and-no-acknowledgement", ("HS-22", "HS-23", "HS-26")),
        ("a-leader-after-the-limit", ("HS-22", "HS-23", "HS-26")),
        ("a-leader-of-before-steps-down-after-the-heal", ("HS-22",)),
        ("a-leader-that-was-killed-before-the-heal-leads-no-more", ("HS-22",)),
        ("a-leader-that-died-before-the-heal-leads-no-more", ("HS-22",)),
        ("a-leader-but-no-acknowledgement", ("HS-23", "HS-26")),
        ("the-first-acknowledgement-after-the-limit", ("HS-23", "HS-26")),
        ("a-standing-leader-that-acknowledges-nothing-for-long", ("HS-23", "HS-26")),
        ("a-replica-stays-behind", ("HS-25",)),
        ("a-member-never-answers", ("HS-25",)),
    ],
)
def test_liveness_names_the_promise_that_broke(name: str, promises: tuple[str, ...]) -> None:
    assert verdict(f"liveness/fail/{name}").promises == promises


def test_availability_tells_gaps_under_faults_from_others() -> None:
    details = verdict("availability/pass/a-gap-under-a-fault").details
    assert details["longest_under_faults"] == {"from_s": 0.2, "seconds": 1.5}
    assert details["longest_without_faults"] == {"from_s": 0.0, "seconds": 0.2}
    assert details["fault_windows"] == [
        {"from_s": 0.25, "to_s": 1.45, "faults": ["partition of n1"]}
    ]


def test_statistics_count_outcomes_errors_and_latencies() -> None:
    details = verdict("statistics/pass/some-succeed").details
    assert details["operations"]["append"] == {
        "ok": 2,
        "fail": 1,
        "info": 1,
        "ok_per_s": 1.0,
        "latency_ms": {"p50": 10.0, "p90": 30.0, "p99": 30.0, "max": 30.0},
        "errors": {"NotLeader": 1, "Timeout": 1},
        "rows_ok": 3,
    }
    assert details["operations"]["read"]["rows_ok"] == 3
    assert details["ok"] == 3
    assert details["duration_s"] == 2.0
