"""What a node process asks of its system: memory that stays its own, and many open files."""

import ctypes
import gc
import resource
import sys

M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_THRESHOLD = -3

MAPPED_BYTES = 32 << 20
"""From this size on, memory is mapped and given back at once; glibc takes no larger value."""

KEPT_BYTES = 256 << 20
GROWTH_BYTES = 16 << 20


def keep_freed_memory() -> None:
    """Let the allocator give memory back to the kernel late, and ask for it in large pieces.

    A batch of 10,000 rows is copied a few times on its way. By default each copy of that size is
    mapped and unmapped, and page faults then cost ten times the copying (measured on a virtual
    machine: 5.8 ms instead of 0.7 ms for 900 kB from client to node).
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        library.mallopt(M_TOP_PAD, GROWTH_BYTES)


def collect_rarely() -> None:
    """Let the garbage collector look at old objects hardly ever; call it once all is imported.

    The log keeps every entry. Looking at half a million of them takes 0.1 to 0.4 s (measured), in
    which a leader is silent; and there is nothing to find, for references go round only where a
    connection ends.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 1_000)


def open_many_files() -> None:
    """Take as many descriptors as the system lets this process have.

    A leader holds all data files of a checkpoint open while it sends them, 64 MiB each; the usual
    limit of 1,024 would end it, and then the next leader, over a table of some 64 GiB.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
