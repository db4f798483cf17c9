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
    ],
)
def test_a_workload_is_refused(workload: str, said: str) -> None:
    assert refusal(workload).startswith(f"my.yaml:2: workload.{said}")


@pytest.mark.parametrize("limit", ["leader", "first_ack", "replicas"])
def test_nothing_recovers_in_no_time(limit: str) -> None:
    found = refusal("{name: log}", f"limits: {{{limit}: 0s}}\n")
    assert found == f"my.yaml:4: limits.{limit}: must be at least 1ms: in less nobody answers"
