"""Every bound of every binding is explored once in each file."""

from collections.abc import Iterator

import pytest
from bindings import remembering
from delphic.harness.conform.keyed import bind as keyed
from delphic.harness.conform.raft import bind as raft
from delphic.harness.conform.replication import bind as replication
from delphic.harness.conform.subscription import bind as subscription
from delphic.harness.conform.wal import bind as wal


@pytest.fixture(scope="module", autouse=True)
def explored_once() -> Iterator[None]:
    """What is explored in a file is remembered until its end."""
    yield from remembering(keyed, raft, replication, subscription, wal)
