"""The how manieth process of a node this is, durably: messages and calls carry it."""

import posixpath

from .raft.disk import Disk
from .role import NodeFailedError

INCARNATION_FILE = "incarnation"


def next_incarnation(disk: Disk, folder: str) -> int:
    """One more than at the last start, durably; raises OSError, or NodeFailedError."""
    path = posixpath.join(folder, INCARNATION_FILE)
    text = disk.read(path) or b"0"
    if not text.strip().isdigit():
        raise NodeFailedError(f"{path} holds no number")
    number = int(text) + 1
    fresh = path + ".new"
    file = disk.open(fresh)
    try:
        file.truncate(0)
        file.append(b"%d\n" % number)
        file.sync()
    finally:
        file.close()
    disk.rename(fresh, path)
    disk.sync_folder(folder)
    return number
