"""A process whose first thread has ended while another goes on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from delphic.harness.agent import proc

_CODE = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=[60]).start()
ctypes.CDLL(None).pthread_exit(None)
"""


@contextmanager
def headless() -> Iterator[int]:
    """Its pid, once the kernel calls it a zombie, although it cannot be waited for."""
    with subprocess.Popen([sys.executable, "-c", _CODE]) as process:
        try:
            while (fields := proc._fields(process.pid)) is not None and fields[0] != "Z":
                os.sched_yield()
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            assert os.waitid(os.P_PID, process.pid, flags) is None
            yield process.pid
        finally:
            process.kill()
