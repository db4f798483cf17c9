"""The smallest scenarios for seeded bugs: each shows its bug as it is, and only with the bug."""

from collections.abc import Iterator

import pytest
from delphic.harness.language import shipped
from delphic.harness.language.document import Document, parse
from delphic.harness.plan import plan
from delphic.harness.scenario import Scenario, read
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.verdict import RunVerdict, Validity

NAMES = shipped.regressions()

SEEDS_WITHOUT = 5
"""Besides its own: a step that waits for what only the bug brings about is missed in some."""


def scenario(name: str, *, bugs: bool) -> Scenario:
    document = parse(*shipped.text_of(name))
    if not bugs:
        cluster = {key: part for key, part in document.data["cluster"].items() if key != "bugs"}
        document = Document({**document.data, "cluster": cluster, "expect": {}}, {}, name)
    return read(document)


def verdicts(found: Scenario) -> Iterator[RunVerdict]:
    assert found.seed is not None
    for seed in (found.seed, *range(SEEDS_WITHOUT)):
        yield simulate_plan(plan(found, seed=seed, target="sim", command="")).verdict


def test_there_are_enough() -> None:
    assert len(NAMES) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_they_are_small(name: str) -> None:
    found = scenario(name, bugs=True)
    assert found.name == f"{name.removeprefix('regress/')}-shrunk"
    assert len(found.fixed()) <= 3
    assert found.random_parts() == []
    assert len(found.workload.ops or ()) <= 10
    assert found.workload.ops is not None
    assert found.description.startswith("Three members, with the seeded bug")
    assert len(text_lines(name)) <= 40


def text_lines(name: str) -> list[str]:
    return shipped.text_of(name)[0].splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_promise_breaks_with_the_seed_that_it_carries(name: str) -> None:
    """What a seed decides changes with the simulator: bench/regress.py --tell finds another."""
    found = next(verdicts(scenario(name, bugs=True)))
    assert found.as_expected, found.sentence


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_without_the_bug_it_does_not(name: str) -> None:
    tried = verdicts(scenario(name, bugs=False))
    found = {verdict.validity: verdict.sentence for verdict in tried}
    assert Validity.FAIL not in found, found[Validity.FAIL]
    assert Validity.PASS in found
