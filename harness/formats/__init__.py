"""Every format of histories by name, in the order in which they are tried. One line adds one."""

from .csv_table import CSV
from .edn_ops import EDN
from .format import Format
from .jepsen_log import JEPSEN_LOG
from .json_lines import JSON_ARRAY, JSON_LINES

FORMATS: dict[str, Format] = {
    found.name: found for found in (JSON_LINES, JSON_ARRAY, EDN, JEPSEN_LOG, CSV)
}
