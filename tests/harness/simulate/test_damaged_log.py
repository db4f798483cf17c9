"""One bit of one member's log turns: that member stops and says where, and the others go on."""

import pytest
from delphic.harness.language import shipped
from delphic.harness.language.document import Document, parse
from delphic.harness.plan import plan
from delphic.harness.scenario import read
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.verdict import Validity, Verdict

SCENARIO = "bug-damage-is-torn"
PROMISE_NOTHING_LOST = ("linearizable", "durability", "order", "elections", "conformance")


def judged(seed: int, bug: str | None) -> dict[str, Verdict]:
    """The verdicts on the scenario of the seeded bug, with this one or none, by checker."""
    document = parse(*shipped.text_of(SCENARIO))
    bugs = {} if bug is None else {"all": [bug]}
    cluster = {**document.data["cluster"], "bugs": bugs}
    scenario = read(Document({**document.data, "cluster": cluster}, {}, SCENARIO))
    found = simulate_plan(plan(scenario, seed=seed, target="sim", command=""))
    return {verdict.checker: verdict for verdict in found.verdict.verdicts}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_damaged_log_is_refused_by_place_and_the_others_lose_nothing(seed: int) -> None:
    """Promises HS-2 and HS-22: two of three serve, with every row that was acknowledged."""
    found = judged(seed, None)
    assert "corrupt at byte" in found["nodes"].sentence
    assert "it was durable once" in found["nodes"].sentence
    for name in PROMISE_NOTHING_LOST:
        assert found[name].validity is Validity.PASS, found[name].sentence


@pytest.mark.slow
@pytest.mark.parametrize("bug", ["damage-is-torn", "starts-empty"])
def test_a_member_that_makes_do_with_less_loses_what_was_acknowledged(bug: str) -> None:
    found = judged(1, bug)
    assert found["linearizable"].validity is Validity.FAIL
    assert "HS-2" in found["linearizable"].promises
