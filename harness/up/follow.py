"""What is new in the nodes' logs, line by line."""

from collections.abc import Iterator, Mapping
from pathlib import Path

_READ_BYTES_MAX = 1 << 20


class Follower:
    """Begins at the end of what the logs hold when it is made."""

    def __init__(self, logs: Mapping[str, Path]) -> None:
        self._logs = logs
        self._at = {alias: _size(path) for alias, path in logs.items()}

    def news(self) -> Iterator[str]:
        """The whole lines that were added; a line without an end waits for it."""
        for alias, path in self._logs.items():
            if _size(path) <= self._at[alias]:
                continue
            with path.open("rb") as stream:
                stream.seek(self._at[alias])
                data = stream.read(_READ_BYTES_MAX)
            whole = data[: data.rfind(b"\n") + 1]
            self._at[alias] += len(whole)
            yield from whole.decode(errors="replace").splitlines()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
