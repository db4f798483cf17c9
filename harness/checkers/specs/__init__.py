"""Every specification by name. To add one: its file, then its name here."""

from .log import LOG, LOG_POLL
from .register import CAS_REGISTER, REGISTER
from .spec import Spec

SPECS: dict[str, Spec] = {found.name: found for found in (REGISTER, CAS_REGISTER, LOG, LOG_POLL)}
