"""summary.md is short, and nothing of a run is Markdown."""

from collections.abc import Callable

import msgspec
from delphic.reports import markdown
from delphic.reports.page.document import Document

Documents = Callable[[str], Document]


def test_it_says_verdict_checkers_witness_and_command(documents: Documents) -> None:
    found = documents("fail")
    text = markdown.render(found)
    lines = text.splitlines()
    assert lines[0] == "## ✕ Fail: A leader is cut off, killed, paused"
    assert found.verdict is not None
    assert found.verdict.sentence in text
    assert "**not as expected**" in text
    assert all(f"| {verdict.checker} |" in text for verdict in found.verdicts)
    assert all(f"| {row.index} |" in text for row in found.witnesses[0].numbered)
    assert lines[-1] == "Repeat it: `delphic run quickstart --seed 7`"
    assert len(lines) < 50


def test_tables_have_as_many_cells_as_heads(documents: Documents) -> None:
    for kind in ("fail", "hostile"):
        rows = [r for r in markdown.render(documents(kind)).splitlines() if r.startswith("|")]
        counts = {row.replace("\\|", "").count("|") for row in rows}
        assert counts <= {5, 8}


def test_nothing_hostile_is_markup(documents: Documents) -> None:
    text = markdown.render(documents("hostile"))
    assert "\\</script\\>\\<img" in text
    assert "<img" not in text.replace("\\<", "")
    assert "\x07" not in text


def test_a_run_that_was_not_judged_says_so(documents: Documents) -> None:
    found = msgspec.structs.replace(
        documents("small"), verdict=None, witnesses=(), missing=("verdict.json is missing.",)
    )
    text = markdown.render(found)
    assert text.startswith("## … Not judged")
    assert "- Incomplete: verdict.json is missing." in text


def test_commands_with_backticks_stay_commands(documents: Documents) -> None:
    plan = msgspec.structs.replace(documents("small").plan, command="delphic run `x`")
    text = markdown.render(msgspec.structs.replace(documents("small"), plan=plan))
    assert text.endswith("Repeat it: `` delphic run `x` ``\n")
