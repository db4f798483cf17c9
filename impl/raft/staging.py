"""Where the bytes of an arriving snapshot are collected: one file beside what it will replace."""

import posixpath
from collections.abc import Callable
from typing import Any

from .disk import Disk, File
from .machine import MachineError


class StagingFile:
    """A `Staging`. `check` is given the file and its path, and raises MachineError."""

    def __init__(
        self, disk: Disk, folder: str, name: str, check: Callable[[File, str], Any]
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._name = name
        self._path = posixpath.join(folder, name)
        self._check = check
        self._file: File | None = None
        self.complaint = ""

    def size(self) -> int:
        return self._opened().size()

    def append(self, data: bytes | memoryview) -> None:
        self._opened().append(data)

    def clear(self) -> None:
        self._opened().truncate(0)

    def begin(self) -> None:
        """Remove what a crash left: no process goes on with another's. Raises OSError."""
        if self._name in self._disk.names(self._folder) and self.size():
            # What was installed from it was perhaps renamed, and not yet durably.
            self._disk.sync_folder(self._folder)
            self.clear()

    def seal(self) -> None:
        file = self._opened()
        file.sync()
        self._disk.sync_folder(self._folder)
        try:
            self._check(file, self._path)
            self.complaint = ""
        except MachineError as error:
            self.complaint = str(error)

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> File:
        if self._file is None:
            self._file = self._disk.open(self._path)
        return self._file
