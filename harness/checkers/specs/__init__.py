"""Every specification by name. To add one: its file, then its name here."""

from .counter import BITMASK_COUNTER, COUNTER
from .keyed_log import KEYED_LOG
from .log import LOG, LOG_POLL, PREFIX, PREFIX_POLL
from .mutex import MUTEX
from .queue import QUEUE
from .register import CAS_REGISTER, REGISTER
from .sets import ELEMENT_SET, SESSION, SET
from .spec import Spec
from .text import TEXT
from .transactions import LIST_APPEND, RW_REGISTER

SPECS: dict[str, Spec] = {
    found.name: found
    for found in (
        REGISTER,
        CAS_REGISTER,
        LOG,
        LOG_POLL,
        SET,
        ELEMENT_SET,
        QUEUE,
        COUNTER,
        BITMASK_COUNTER,
        KEYED_LOG,
        MUTEX,
        SESSION,
        PREFIX,
        PREFIX_POLL,
        TEXT,
        LIST_APPEND,
        RW_REGISTER,
    )
}
