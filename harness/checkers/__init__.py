"""Every checker by name (to add one: its file, then its name here); `check` judges any history."""

from .agreement import LINEARIZABLE, Agreement
from .availability import AVAILABILITY
from .batches import BATCHES
from .checker import Checker
from .conformance import CONFORMANCE
from .dose import DOSE
from .elections import ELECTIONS
from .faults import FAULTS
from .judging import check
from .keyed import KEYED
from .liveness import LIVENESS
from .log.durability import DURABILITY
from .log.monitor import LOG_MONITOR
from .log.order import ORDER
from .log.second_opinion import LOG_SEARCH
from .log_poll import LOG_POLL
from .quorum import QUORUM
from .refusals import REFUSALS
from .replicas import REPLICAS
from .replication.access import ACCESS
from .replication.conformance import CONFORMANCE as REPLICATION_CONFORMANCE
from .replication.contents import CONTENTS
from .replication.execution import EXECUTION
from .replication.queue import QUEUE
from .replication.recovery import RECOVERY
from .statistics import STATISTICS
from .subscriptions import SUBSCRIPTIONS
from .tables import TABLES

__all__ = (
    "CHECKERS",
    "GROUP_CHECKERS",
    "LOG_CHECKERS",
    "REPLICATION_CHECKERS",
    "check",
)

CHECKERS: dict[str, Checker | Agreement] = {
    found.name: found
    for found in (
        LINEARIZABLE,
        LOG_MONITOR,
        LOG_SEARCH,
        DURABILITY,
        ORDER,
        REPLICAS,
        LIVENESS,
        ELECTIONS,
        BATCHES,
        LOG_POLL,
        KEYED,
        TABLES,
        REFUSALS,
        SUBSCRIPTIONS,
        CONTENTS,
        QUEUE,
        EXECUTION,
        RECOVERY,
        ACCESS,
        REPLICATION_CONFORMANCE,
        QUORUM,
        CONFORMANCE,
        FAULTS,
        DOSE,
        AVAILABILITY,
        STATISTICS,
    )
}

GROUP_CHECKERS: tuple[str, ...] = (
    REPLICAS.name,
    LIVENESS.name,
    ELECTIONS.name,
    QUORUM.name,
    CONFORMANCE.name,
    FAULTS.name,
    DOSE.name,
    AVAILABILITY.name,
    STATISTICS.name,
)
"""What every workload asks for: about the group, whatever its tables hold."""

REPLICATION_CHECKERS: tuple[str, ...] = (
    CONTENTS.name,
    QUEUE.name,
    EXECUTION.name,
    RECOVERY.name,
    ACCESS.name,
    CONFORMANCE.name,
    REPLICATION_CONFORMANCE.name,
    FAULTS.name,
    DOSE.name,
    AVAILABILITY.name,
    STATISTICS.name,
)
"""What is asked of a master and its slaves."""

LOG_CHECKERS: tuple[str, ...] = (
    LINEARIZABLE.name,
    DURABILITY.name,
    ORDER.name,
    *GROUP_CHECKERS,
)
"""What every workload asks for that appends rows once and reads them."""
