"""One log of all that happened, in the order of the harness's clock. Pure."""

import re
from collections.abc import Iterator, Mapping

_DAY_S = 86_400.0
_BEFORE_S = 3600.0
"""Lines may be so much older than the run: their time of day says no more."""

_STAMP = re.compile(r"(\d\d):(\d\d):(\d\d)\.(\d\d\d) ")


def merged(logs: Mapping[str, str], ahead_s: Mapping[str, float], began_s: float) -> Iterator[str]:
    """All lines by time. `ahead_s`: how far the clock of each member's host was ahead of ours.

    `began_s`: when the run began, in seconds of our day (UTC), as stamps of logs are. A line that
    has no stamp stays behind the one before it.
    """
    found: list[tuple[float, str, int, str]] = []
    for alias, text in logs.items():
        at_s = 0.0
        for number, line in enumerate(text.splitlines()):
            stamp = _STAMP.match(line)
            if stamp is None:
                found.append((at_s, alias, number, f"{'':12} {alias} {line}"))
                continue
            hours, minutes, seconds, thousandths = (int(part) for part in stamp.groups())
            told_s = hours * 3600 + minutes * 60 + seconds + thousandths / 1000
            since_s = (told_s - ahead_s.get(alias, 0.0) - began_s + _BEFORE_S) % _DAY_S
            at_s = since_s - _BEFORE_S
            found.append((at_s, alias, number, f"{_spelled(began_s + at_s)} {line[stamp.end() :]}"))
    for *_, line in sorted(found):
        yield line


def _spelled(seconds: float) -> str:
    thousandths = round(seconds % _DAY_S * 1000) % 86_400_000
    whole, rest = divmod(thousandths, 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{rest:03}"
