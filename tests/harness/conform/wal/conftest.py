"""The files about the disk share what they explore."""

from collections.abc import Iterator

import pytest
from bindings import remembering
from delphic.harness.conform.wal import bind


@pytest.fixture(scope="package", autouse=True)
def explored_once() -> Iterator[None]:
    """Each bound is explored once for all files here."""
    yield from remembering(bind)
