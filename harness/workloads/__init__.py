"""Every workload by name. To add one: its file, then its name here."""

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import BeforeValidator, Discriminator, Tag

from ..language.complaints import BRANCH
from .batch import BATCH
from .keyed import KEYED
from .log import LOG
from .log_poll import LOG_POLL
from .multi_table import MULTI_TABLE
from .not_leader import NOT_LEADER
from .replicate import REPLICATE
from .subscribe import SUBSCRIBE
from .workload import Options

_ALL = (LOG, BATCH, LOG_POLL, NOT_LEADER, KEYED, MULTI_TABLE, SUBSCRIBE, REPLICATE)
WORKLOADS = {workload.name: workload for workload in _ALL}

if TYPE_CHECKING:
    AnyOptions = Options
else:

    def _mapping(raw: Any) -> Any:
        if isinstance(raw, dict | Options):
            return raw
        known = isinstance(raw, str) and raw in WORKLOADS
        meant = f"; write {{name: {raw}}}" if known else ""
        raise ValueError(f"must be a mapping of keys to values, not {raw!r}{meant}")

    def _branch(raw: Any) -> str:
        """Which options a scenario means. Its mistakes are placed by names: a tag is none."""
        name = raw.get("name", LOG.name) if isinstance(raw, dict) else raw.named
        return f"{BRANCH}{name}"

    AnyOptions = Annotated[
        Union[tuple(Annotated[w.options, Tag(BRANCH + w.name)] for w in WORKLOADS.values())],  # noqa: UP007
        Discriminator(_branch),
        BeforeValidator(_mapping),
    ]
