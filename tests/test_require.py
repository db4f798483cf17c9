"""What a test needs of the machine: missing, it skips the test, or fails it where CI runs."""

from collections.abc import Callable

import pytest

Require = Callable[[object, str], None]


def test_what_is_there_is_no_matter(require: Require) -> None:
    require("something", "never said")


def test_without_it_a_test_is_skipped(require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELPHIC_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="there is no sshd"):
        require(None, "there is no sshd")


def test_where_all_is_required_it_fails(require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELPHIC_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="there is no sshd"):
        require(None, "there is no sshd")
