"""What a workload cannot be told: refused with file and line, before anything starts."""

import pytest
from complaints import complaint

NUMBER_MAX = 2**31 - 1


def refusal(workload: str, rest: str = "") -> str:
    return complaint(f"name: mine\nworkload: {workload}\nduration: 2s\n{rest}")


@pytest.mark.parametrize(
    ("workload", "said"),
    [
        ("{name: log, op_timeout: 0s}", "op_timeout: must be at least 1ms: in less nobody answers"),
        ("{name: log, op_timeout: 0.0001ms}", "op_timeout: must be at least 1ms"),
        (
            "{name: log, cache_limit: 9223372036854775808}",
            f"cache_limit: must be at most {NUMBER_MAX}",
        ),
        ("{name: log, cache_limit: 5}", "cache_limit: must be 0 or at least 1000, not 5"),
        ("{name: subscribe, cache_limit: 999}", "cache_limit: must be 0 or at least 1000, not 999"),
        (
            "{name: log, retention_minutes: 1000000000000}",
            f"retention_minutes: must be at most {NUMBER_MAX}",
        ),
        ("{name: batch, batch: {min: 1, max: 8}}", "batch.min: must be at least 2, not 1"),
        (
            "{name: subscribe, crashes: 1, disconnects: 1}",
            "`crashes` and `disconnects` leave no share for receiving",
        ),
    ],
)
def test_a_workload_is_refused(workload: str, said: str) -> None:
    assert refusal(workload).startswith(
        ("my.yaml:2: workload." + said, "my.yaml:2: workload: " + said)
    )


REPLICATED = "cluster: {system: replication}\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("skips: true", "`skips` is about slaves that are stopped: it needs `slave_stops`"),
        *(
            (f"tables: 0, bulk: 9, {name}: {value}", f"`{name}` needs `tables`")
            for name, value in (
                ("metadata", "true"),
                ("truncates", "0.1"),
                ("flags", "true"),
                ("master_stops", "true"),
                ("poison", "cure"),
            )
        ),
    ],
)
def test_what_would_do_nothing_is_refused(options: str, said: str) -> None:
    found = refusal(f"{{name: replicate, {options}}}", REPLICATED)
    assert found.startswith(f"my.yaml:2: workload: {said}")


def test_promises_that_are_to_break_need_a_failure() -> None:
    found = refusal("{name: log}", "expect: {promises: [HS-2]}\n")
    assert found == "my.yaml:4: expect: `promises` are those that break: they need `verdict: fail`"


@pytest.mark.parametrize("limit", ["leader", "first_ack", "replicas"])
def test_nothing_recovers_in_no_time(limit: str) -> None:
    found = refusal("{name: log}", f"limits: {{{limit}: 0s}}\n")
    assert found == f"my.yaml:4: limits.{limit}: must be at least 1ms: in less nobody answers"
