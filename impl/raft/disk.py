"""What the log and the data files need of a disk.

Everything here blocks. `sync` may run on another thread than the rest; between `append` and the end
of a `sync` that began later, a crash may keep any part of what was appended. Failures are OSError.
"""

from typing import Protocol


class File(Protocol):
    """An open file that grows at its end."""

    def size(self) -> int:
        """Its length in bytes."""

    def read(self, at: int, size: int) -> bytes:
        """Bytes from `at` on: fewer than `size` only at the end."""

    def append(self, *pieces: bytes | memoryview) -> None:
        """Write at the end, one behind the other; all or OSError."""

    def rewrite(self, at: int, data: bytes | memoryview) -> None:
        """Write what is there already once more, so that the next sync cannot leave it out."""

    def truncate(self, size: int) -> None:
        """Cut the end off."""

    def sync(self) -> None:
        """Make contents and length survive a power cut (fdatasync)."""

    def close(self) -> None:
        """Give the handle back."""


class Disk(Protocol):
    """A tree of folders and files; paths are absolute."""

    def open(self, path: str) -> File:
        """Open for reading and appending; an empty file is made if there is none."""

    def read(self, path: str) -> bytes | None:
        """A whole file, or None if there is none."""

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted; empty if there is no such folder."""

    def make_folder(self, folder: str) -> None:
        """Make it and what is above it; its name is durable then, also if it was there."""

    def rename(self, old: str, new: str) -> None:
        """Put a file in the place of another, at once."""

    def remove(self, path: str) -> None:
        """Delete a file."""

    def remove_folder(self, folder: str) -> None:
        """Delete an empty folder, if it is there; a power cut may bring its name back."""

    def sync_folder(self, folder: str) -> None:
        """Make names made, renamed and removed in it survive a power cut."""
