"""Judges of replication: no alarm for what is legal, each alarm for the rule that is broken."""

import msgspec
import pytest
from delphic.harness.check import check
from delphic.harness.checkers import CHECKERS
from delphic.harness.evidence import Evidence
from delphic.harness.history import History
from delphic.harness.verdict import Validity, Verdict
from replicated import World

CONTENTS, QUEUE = "replicated-contents", "replication-queue"
EXECUTION, RECOVERY, ACCESS = "replication-execution", "replication-recovery", "replication-access"
JUDGES = (CONTENTS, QUEUE, EXECUTION, RECOVERY, ACCESS)

SEEDS_MAX = 40
SLOW_NS = 100_000_000

MUTATIONS = [
    ("forgets-to-apply", CONTENTS, "missing", "PR-26"),
    ("keeps-dropped", CONTENTS, "missing", "PR-26"),
    ("drop-keeps-flag", QUEUE, "flag", "PR-24"),
    ("ships-disabled", CONTENTS, "of-master-switched-off", "PR-12"),
    ("ships-switched-off", CONTENTS, "of-database-switched-off", "PR-13"),
    ("halves", CONTENTS, "half", "PR-21"),
    ("no-barrier", CONTENTS, "order", "PR-5"),
    ("no-barrier", CONTENTS, "unlike", "PR-26"),
    ("runs-skipped", CONTENTS, "status-lies", "PR-8"),
    ("starts-over", CONTENTS, "status-lies", "PR-8"),
    ("ships-disabled", QUEUE, "unwanted", "PR-12"),
    ("ships-switched-off", QUEUE, "unwanted", "PR-13"),
    ("forgets-tasks", QUEUE, "no-task", "PR-2"),
    ("two-tasks", QUEUE, "two-tasks", "PR-2"),
    ("gap", QUEUE, "gap", "PR-3"),
    ("shows-twice", QUEUE, "id-twice", "PR-3"),
    ("renumbers", QUEUE, "changed", "PR-3"),
    ("invents", QUEUE, "unknown", "PR-1"),
    ("late-ids", QUEUE, "late", "PR-3"),
    ("one-group", QUEUE, "conflict", "PR-6"),
    ("groups-fall", QUEUE, "group-order", "PR-6"),
    ("truncates-early", QUEUE, "truncated-early", "PR-17"),
    ("comes-back", QUEUE, "backwards", "PR-17"),
    ("on-by-default", QUEUE, "flag", "PR-24"),
    ("no-barrier", EXECUTION, "group-early", "PR-4"),
    ("starts-over", EXECUTION, "finish-changed", "PR-14"),
    ("runs-again", EXECUTION, "finish-changed", "PR-7"),
    ("forgets-finished", EXECUTION, "finish-gone", "PR-8"),
    ("runs-while-off", EXECUTION, "began-while-off", "PR-10"),
    ("pulls-while-off", EXECUTION, "pulled-while-off", "PR-11"),
    ("skip-fails-others", EXECUTION, "changed-while-off", "PR-16"),
    ("hides-failures", EXECUTION, "stopped-without-failure", "PR-9"),
    ("no-reasons", EXECUTION, "failure-without-reason", "PR-9"),
    ("always-healthy", EXECUTION, "failed-while-enabled", "PR-9"),
    ("swallows-failures", EXECUTION, "failed-while-enabled", "PR-9"),
    ("stops-at-once", EXECUTION, "stopped-early", "PR-9"),
    ("forgets-skips", EXECUTION, "skip-not-finished", "PR-15"),
    ("skip-starts", EXECUTION, "skip-restarts", "PR-16"),
    ("skip-starts", EXECUTION, "skip-while-enabled", "PR-16"),
    ("report-falls-back", EXECUTION, "report-backwards", "PR-8"),
    ("counts-wrong", EXECUTION, "metrics", "PR-8"),
    ("loses-data", EXECUTION, "task-data-lost", "PR-19"),
    ("never-truncates", RECOVERY, "not-truncated", "PR-30"),
    ("never-pulls", RECOVERY, "not-pulled", "PR-31"),
    ("finishes-late", RECOVERY, "not-arrived", "PR-26"),
    ("finishes-late", RECOVERY, "not-after-start", "PR-29"),
    ("swallows-failures", RECOVERY, "still-stopped", "PR-28"),
    ("holds-up", RECOVERY, "held-up", "PR-25"),
    ("writable-slaves", ACCESS, "intruded", "PR-22"),
    ("anywhere", ACCESS, "misused", "PR-23"),
]
"""A broken rule, who sees it, what they call it, and a promise that it breaks."""


def judged(seed: int, mutation: str, judges: tuple[str, ...] = JUDGES) -> list[Verdict]:
    step_ns = SLOW_NS if mutation == "holds-up" else SLOW_NS // 100
    return check(World(seed, mutation, step_ns=step_ns).history(), judges)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_what_is_legal_raises_no_alarm(seed: int) -> None:
    for verdict in judged(seed, ""):
        assert verdict.validity is Validity.PASS, verdict.sentence


@pytest.mark.slow
@pytest.mark.parametrize(("mutation", "judge", "kind", "promise"), MUTATIONS)
def test_a_broken_rule_is_seen_and_named(
    mutation: str, judge: str, kind: str, promise: str
) -> None:
    for seed in range(SEEDS_MAX):
        verdict = judged(seed, mutation, (judge,))[0]
        if kind in verdict.details.get("kinds", {}):
            break
    else:
        raise AssertionError(f"{judge} never saw {mutation} as {kind}")
    assert verdict.validity is Validity.FAIL
    assert promise in verdict.promises
    assert set(verdict.promises) <= set(CHECKERS[judge].promises)
    assert verdict.sentence.endswith(".")
    assert verdict.sentence[0].isupper() or verdict.sentence.startswith("s")
    assert 1 <= len(verdict.witness) <= 3
    assert list(verdict.witness) == sorted(verdict.witness)


@pytest.mark.slow
def test_a_legal_world_is_worth_being_judged() -> None:
    found = {verdict.checker: verdict.details for verdict in judged(1, "")}
    fates = found[CONTENTS]["fates"]["s1"]
    assert found[CONTENTS]["settled"]
    assert min(fates["must"], fates["may"]) > 0
    assert found[CONTENTS]["rows"] > 50
    assert found[EXECUTION]["stops"] > 0


@pytest.mark.parametrize("judge", JUDGES)
def test_an_empty_run_proves_nothing(judge: str) -> None:
    verdict = check(Evidence(History(()), ("mc1", "md1")), [judge])[0]
    assert verdict.validity is Validity.INCONCLUSIVE


@pytest.mark.slow
@pytest.mark.parametrize("judge", [CONTENTS, QUEUE, EXECUTION, RECOVERY])
def test_a_history_of_another_shape_is_not_judged(judge: str) -> None:
    evidence = World(1).history()
    ops = [op for op in evidence.history.ops if op.f != "phase"]
    torn = [
        msgspec.structs.replace(op, value=[[1]]) if op.f in ("tasks", "queue") else op for op in ops
    ]
    verdict = check(Evidence(History(tuple(torn)), evidence.members), [judge])[0]
    assert verdict.validity is Validity.UNKNOWN
    assert "cannot be judged" in verdict.sentence
