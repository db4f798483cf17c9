"""docs/schemas/verdict.schema.json is what the type says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.harness.verdict import RunVerdict
from delphic.reports.schema import verdict_schema, verdict_schema_text

FILE = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "verdict.schema.json"


def test_the_schema_in_the_documents_is_fresh() -> None:
    assert FILE.read_bytes() == verdict_schema_text(), (
        "run: python -c 'from delphic.reports.schema import verdict_schema_text as t; "
        'print(t().decode(), end="")\' > docs/schemas/verdict.schema.json'
    )


def test_it_asks_for_what_every_verdict_has(runs: Callable[[str], Any]) -> None:
    schema = verdict_schema()["$defs"]["RunVerdict"]
    verdict = json.loads((runs("fail").path / "verdict.json").read_bytes())
    assert set(schema["required"]) == set(schema["properties"]) == set(verdict)
    assert schema["properties"]["schema"] == {"enum": [1]}
    each = verdict_schema()["$defs"]["Verdict"]
    for one in verdict["verdicts"]:
        assert set(each["required"]) <= set(one) <= set(each["properties"])


def test_another_version_is_refused(runs: Callable[[str], Any]) -> None:
    data = (runs("pass").path / "verdict.json").read_bytes()
    assert msgspec.json.decode(data, type=RunVerdict).schema == 1
    with pytest.raises(msgspec.ValidationError, match="schema"):
        msgspec.json.decode(data.replace(b'"schema": 1', b'"schema": 2'), type=RunVerdict)
