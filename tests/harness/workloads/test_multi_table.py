"""What the clients of workload `multi-table` do."""

from typing import Any

from delphic.harness.workloads import WORKLOADS
from delphic.harness.workloads.multi_table import MultiTableOptions
from delphic.harness.workloads.workload import Generator, Step

TABLES = WORKLOADS["multi-table"]


def generators(**options: Any) -> list[Generator]:
    planned = MultiTableOptions(name="multi-table", **options).planned()
    return TABLES.generators(planned, 7, ("n1",))


def taken(generator: Generator, count: int) -> list[Step]:
    """Steps, each of which goes well."""
    steps = []
    for _ in range(count):
        step = generator.next()
        made = step.value if step.f == "make" else 0
        generator.completed(step, {"made": made, "rows": []} if step.f == "scan" else 0)
        steps.append(step)
    return steps


def test_no_making_and_no_row_has_the_number_of_another() -> None:
    steps = [step for generator in generators(clients=3) for step in taken(generator, 400)]
    makings = [step.value for step in steps if step.f == "make"]
    rows = [row for step in steps if step.f == "append" for row in step.value["rows"]]
    assert len(makings) == len(set(makings)) > 30
    assert len(rows) == len(set(rows)) > 300


def test_an_unknown_table_is_made_first_and_then_everything_is_done_to_it() -> None:
    (generator,) = generators(clients=1, tables=2)
    steps = taken(generator, 300)
    assert {step.key for step in steps} == {"t0", "t1"}
    assert {step.f for step in steps} == {"make", "drop", "scan", "append"}
    for name in ("t0", "t1"):
        assert next(step.f for step in steps if step.key == name) == "make"


def test_clients_share_what_they_met() -> None:
    one, other = generators(clients=2, tables=1)
    assert one.next().f == "make"
    one.completed(Step("scan", None, "t0"), {"made": 12, "rows": []})
    steps = [other.next() for _ in range(60)]
    assert {step.value["made"] for step in steps if step.f == "append"} == {12}
    one.completed(Step("scan", None, "t0"), None)
    assert other.next().f == "make"


def test_every_table_is_looked_at_in_the_end_and_every_member_asked() -> None:
    planned = MultiTableOptions(name="multi-table", tables=2).planned()
    assert TABLES.final(planned) == (Step("scan", None, "t0"), Step("scan", None, "t1"))
    assert [step.f for step in TABLES.everywhere(planned)] == ["tables"]
