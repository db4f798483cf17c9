"""The files of one run: the only place that knows their names."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunDir:
    """A run directory. Each file has one writer; `check` and `report` need nothing else."""

    path: Path

    @property
    def scenario(self) -> Path:
        """The scenario as the user wrote it."""
        return self.path / "scenario.yaml"

    @property
    def plan(self) -> Path:
        """Everything decided before anything started, as JSON."""
        return self.path / "plan.json"

    @property
    def environment(self) -> Path:
        """Versions, host, command line."""
        return self.path / "environment.json"

    @property
    def journal(self) -> Path:
        """One JSON line a phase, fsynced; the line `sealed` carries the history's SHA-256."""
        return self.path / "journal.jsonl"

    @property
    def history(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def verdict(self) -> Path:
        return self.path / "verdict.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def junit(self) -> Path:
        return self.path / "junit.xml"

    @property
    def summary(self) -> Path:
        return self.path / "summary.md"

    @property
    def shrunk(self) -> Path:
        """The smallest scenario that breaks what this run broke, where `delphic shrink` made it."""
        return self.path / "shrunk.yaml"

    def node(self, alias: str) -> Path:
        """What one node left behind."""
        return self.path / "nodes" / alias

    @property
    def proxy_log(self) -> Path:
        """What the process that carries the links had to say; empty when all went well."""
        return self.path / "link-proxy.txt"

    @property
    def hosts(self) -> Path:
        """What is known of the hosts, where members lived on some."""
        return self.path / "hosts.json"

    @property
    def merged_log(self) -> Path:
        """What members on hosts said and what was done to them, in the order of our clock."""
        return self.path / "nodes.txt"

    def node_log(self, alias: str) -> Path:
        return self.node(alias) / "log.txt"

    def node_trace(self, alias: str) -> Path:
        return self.node(alias) / "trace.jsonl"

    def traces(self, members: Iterable[str]) -> dict[str, Path]:
        """Where they are, or would be."""
        return {alias: self.node_trace(alias) for alias in members}

    def node_aliases(self) -> list[str]:
        """Members that left a folder; none where that cannot be looked into, or is a link."""
        folder = self.path / "nodes"
        try:
            return [] if folder.is_symlink() else sorted(p.name for p in folder.iterdir())
        except OSError:
            return []
