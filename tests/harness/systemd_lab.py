"""Hosts of a laboratory on which systemd is the first process, and their sshd a service of its."""

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from delphic.harness.agent import proc
from delphic.harness.lab import host, lab
from delphic.harness.lab.lab import Lab

SYSTEMD = Path("/lib/systemd/systemd")

MOUNT = {
    1: "mount -n -t cgroup -o none,name=systemd none",
    2: "mount -n -t cgroup2 none",
}
"""What mounts the tree of groups that systemd keeps, by version."""

_BEGIN_S = 30.0

_TAIL = "echo up\nexec < /dev/null > /dev/null\nwhile :; do\n"

# The machine's own switches are not for it to set, its own units not for it to start, and its /tmp,
# which a system that starts may empty by rule, not for it to empty. The group that it is started in
# it takes for the root of all.
_BOOT = f"""\
mkdir /run/groups
@MOUNT@ /run/groups
mkdir "/run/groups/@GROUP@-$name"
echo $$ > "/run/groups/@GROUP@-$name/cgroup.procs"
umount -n /run/groups
for rules in /usr/lib/tmpfiles.d /etc/tmpfiles.d; do mount -n -t tmpfs tmpfs "$rules"; done
mount -n --bind /proc/sys /proc/sys
mount -n -o remount,ro,bind /proc/sys
mkdir -p /run/systemd/system
cat > /run/systemd/system/lab.target << END
[Unit]
DefaultDependencies=no
Wants=lab-sshd.service
END
cat > /run/systemd/system/lab-sshd.service << END
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/sbin/sshd -D -e -f {host.PLACE}/files/sshd_config
Restart=always
RestartSec=200ms
KillMode=process
StandardError=file:{host.PLACE}/files/sshd.log
END
mount -n -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
echo up
exec < /dev/null > /dev/null
export container=delphic
exec unshare --cgroup sh -c '
    place=/sys/fs/cgroup
    if [ @VERSION@ = 1 ]; then place=$place/systemd; mkdir $place; else umount -n $place; fi
    @MOUNT@ $place
    exec {SYSTEMD} --system --unit=lab.target --log-target=null'
"""

_LEAVE = """
set -eu
mount --make-rprivate /
@MOUNT@ /mnt
for group in /mnt/@GROUP@-*; do find "$group" -depth -type d -exec rmdir {} +; done
"""


@contextmanager
def systemd_lab(monkeypatch: pytest.MonkeyPatch, version: int) -> Iterator[Lab]:
    """A laboratory whose hosts have systemd, which keeps its groups in a tree of that version."""
    words = {"MOUNT": MOUNT[version], "GROUP": f"delphic-test-{uuid.uuid4().hex}"}
    words["VERSION"] = str(version)

    def filled(text: str) -> str:
        for name, value in words.items():
            text = text.replace(f"@{name}@", value)
        return text

    head, found, _ = host.SCRIPT.partition(_TAIL)
    assert found, "a laboratory's host does not begin its sshd as it did"
    monkeypatch.setattr(host, "SCRIPT", head + filled(_BOOT))
    try:
        made = lab.up(3, keep=True)
        monkeypatch.undo()
        yield made
    finally:
        for folder in lab.folders():
            lab.remove(folder)
        until = time.monotonic() + 5
        while subprocess.run(
            ["unshare", "--mount", "sh", "-c", filled(_LEAVE)],
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode:
            assert time.monotonic() < until, "control groups are left"
            time.sleep(0.1)  # Their processes are still ending.


def inside(made: Lab, name: str, *words: str) -> str:
    """What a command says that runs on a host."""
    record = made.folder.read()
    assert record is not None
    (process,) = (at.process for at in record.hosts if at.name == name)
    assert process is not None
    (first,) = proc.children(process.pid)
    way = ("nsenter", "--target", str(first), "--all", "--")
    done = subprocess.run(
        [*way, *words], capture_output=True, text=True, timeout=_BEGIN_S, check=False
    )
    return done.stdout.strip()


def demand(require: Callable[[object, str], None]) -> None:
    """What such hosts take."""
    require(os.geteuid() == 0, "systemd in a namespace takes root")
    require(SYSTEMD.exists(), "there is no systemd: apt-get install systemd")
    reason = lab.hindrance()
    require(reason is None, reason or "")
