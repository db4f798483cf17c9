"""The ledger that follows a slave counts failures, and remembers what was applied and skipped."""

import pytest
from delphic.model.actor import Broken
from delphic.model.properties.replication_slave import Account, Ledger
from delphic.model.replication_rules import Options
from delphic.model.replication_types import Note, Reason, What

LEDGER = Ledger(Options(limit=2), 0)


def observed(*notes: Note) -> Account | Broken:
    account: Account | Broken = LEDGER.initial()
    for note in notes:
        assert isinstance(account, Account)
        account = LEDGER.observe(account, note)
    return account


def failure(task: int, attempt: int, what: What = What.FAILURE) -> Note:
    return Note(0, what, task, attempt, Reason.SILENT)


@pytest.mark.parametrize(
    ("notes", "broken"),
    [
        ((failure(1, 1), failure(2, 1), failure(1, 2, What.FAILED)), None),
        ((failure(1, 1), failure(2, 1, What.FAILED)), "fails-at-the-limit"),
        ((failure(1, 1), failure(1, 2)), "fails-at-the-limit"),
        ((failure(1, 1), failure(1, 1, What.FAILED)), "fails-at-the-limit"),
        ((Note(0, What.FAILURE, 1, 1, Reason.LATER),), "fails-at-the-limit"),
        ((failure(1, 1), Note(0, What.STARTED), failure(1, 2)), None),
        ((Note(0, What.APPLIED, 1), Note(0, What.APPLIED, 1)), "applied-once"),
        ((Note(0, What.SKIPPED, 1), Note(0, What.APPLIED, 1)), "skipped-is-not-executed"),
        ((Note(1, What.APPLIED, 1), Note(0, What.APPLIED, 1)), None),
    ],
)
def test_what_the_ledger_finds(notes: tuple[Note, ...], broken: str | None) -> None:
    found = observed(*notes)
    assert (found.property if isinstance(found, Broken) else None) == broken
