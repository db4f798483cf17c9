"""docs/promises.md says what the registries and tests say."""

from pathlib import Path

import pytest
from delphic.harness.judging.coverage import IN_NO_MODEL, covered, table
from delphic.harness.promise import PROMISES

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_the_page_is_fresh() -> None:
    assert (ROOT / "docs" / "promises.md").read_text() == table(ROOT), (
        "renew it: delphic promises > docs/promises.md"
    )


def test_a_model_states_a_promise_or_there_is_a_reason_why_none_does() -> None:
    assert list(IN_NO_MODEL) == [one.promise for one in covered(ROOT) if not one.model]


def test_every_promise_of_both_families_is_listed_once() -> None:
    families = [f"HS-{n}" for n in range(1, 27)] + [f"PR-{n}" for n in range(1, 32)]
    assert list(PROMISES) == families
