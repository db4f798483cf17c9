"""One host of a laboratory: namespaces around a process that keeps an sshd running.

Whatever runs on the host is in its process namespace, and ends with it; whatever is mounted there
is in its mount namespace, and so on: a host is removed by ending one process. Until it was plugged
in and told to go on, it ends by itself when whoever made it does.
"""

import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

from ..agent import proc
from ..agent.proc import Identity
from ..errors import WorldError
from .folder import MARK

PLACE = "/run/delphic-lab"
"""Where a host finds its files, wherever the laboratory's folder is."""

OPERATOR = "operator"
"""The account of a host that is not root, and may become it by sudo without a password."""

CACHE = f"{PLACE}/cache"
"""Where hosts see what all of them share."""

ID = 4242
"""The operator's number, of user and group."""

NAMESPACES = ("--mount", "--uts", "--ipc", "--pid", "--net")
WITHOUT_ROOT = ("unshare", "--user", f"--map-user={ID}", f"--map-group={ID}", "--keep-caps")
WITH_ROOT = ("unshare",)

_START_S = 20.0
_END_S = 10.0

# $1: the host's name; $2: its files; $3: the shared cache; then its addresses.
# Who is not root cannot copy what belongs to others into an overlay: /etc is then a plain copy.
SCRIPT = f"""\
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
name=$1 files=$2 cache=$3
shift 3
mount -n --make-rprivate /
mount -n -t proc proc /proc
hostname "$name"
echo plug
read -r _
ip link set lo up
for address in "$@"; do
    case $address in *:*) extra=nodad ;; *) extra= ;; esac
    ip addr add "$address" dev eth0 $extra
done
ip link set eth0 up
mount -n -t tmpfs -o mode=755 delphic /mnt
mkdir -p /mnt/delphic-lab/files /mnt/delphic-lab/cache /mnt/sshd /mnt/lock
mkdir -p /mnt/delphic-lab/upper /mnt/delphic-lab/work
mount -n --bind "$files" /mnt/delphic-lab/files
mount -n --bind "$cache" /mnt/delphic-lab/cache
mount -n --move /mnt /run
overlay=lowerdir=/etc,upperdir={PLACE}/upper,workdir={PLACE}/work
if [ "$(id -u)" != 0 ] || ! mount -n -t overlay -o "$overlay" overlay /etc; then
    cp -r /etc/. {PLACE}/upper 2> /dev/null || true
    mount -n --bind {PLACE}/upper /etc
fi
sed -i -e '/^root:/s|:[^:]*$|:/bin/sh|' -e '/^{OPERATOR}:/d' /etc/passwd
echo '{OPERATOR}:x:{ID}:{ID}::/tmp:/bin/sh' >> /etc/passwd
echo '{OPERATOR}:x:{ID}:' >> /etc/group
if [ "$(id -u)" = 0 ]; then
    echo '{OPERATOR}:*:19000:0:99999:7:::' >> /etc/shadow
    mkdir -p -m 755 /etc/sudoers.d
    echo '{OPERATOR} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{OPERATOR}
    chmod 440 /etc/sudoers.d/{OPERATOR}
fi
cp {PLACE}/files/hosts /etc/hosts
echo "$name" > /etc/hostname
: > /etc/delphic-may-break-this-host
mount -n --bind {PLACE}/files/tmp /tmp
mount -n --bind {PLACE}/files/var-tmp /var/tmp
cd /
echo up
exec < /dev/null > /dev/null
while :; do
    /usr/sbin/sshd -D -e -f {PLACE}/files/sshd_config || true
    sleep 0.2
done
"""

SSHD_CONFIG = f"""\
HostKey {PLACE}/files/host_key
AuthorizedKeysFile {PLACE}/files/authorized
PidFile none
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
PrintMotd no
MaxStartups 100
"""


@dataclass(slots=True)
class Starting:
    """A host that is being made, and the pipes through which it is told to go on."""

    name: str
    pid: int
    log: Path
    _to: int
    _from: int

    def wait(self, word: bytes) -> None:
        """Until the host says so. Raises WorldError with its log."""
        readable, _, _ = select.select([self._from], [], [], _START_S)
        if not readable or not os.read(self._from, 100).startswith(word):
            said = self.log.read_text(errors="replace")[-2000:]
            raise WorldError("the host does not start", node=self.name, detail=said)

    def go_on(self) -> None:
        """It has been plugged in."""
        os.write(self._to, b"\n")

    def close(self) -> None:
        """The pipes; a host that still waits for them ends."""
        os.close(self._to)
        os.close(self._from)


def start(
    name: str, files: Path, cache: Path, addresses: tuple[str, ...], unshare: tuple[str, ...]
) -> Starting:
    """Begin a host. `addresses`: with their prefix lengths."""
    log = files / "log"
    words = [
        *unshare,
        *("--fork", "--kill-child=KILL"),
        *("sh", str(files / "host.sh"), name, str(files), str(cache), *addresses),
    ]
    theirs, to = os.pipe()
    back, ours = os.pipe()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        pid = os.posix_spawnp(
            words[0],
            words,
            {"PATH": os.environ.get("PATH", os.defpath), MARK: str(files.parent)},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs, 0),
                (os.POSIX_SPAWN_DUP2, ours, 1),
                (os.POSIX_SPAWN_OPEN, 2, str(log), flags, 0o644),
            ],
            setsid=True,
        )
    except OSError as error:
        os.close(to)
        os.close(back)
        raise WorldError(f"cannot run {words[0]}: {error.strerror}", node=name) from error
    finally:
        os.close(theirs)
        os.close(ours)
    return Starting(name, pid, log, to, back)


def end(process: Identity) -> None:
    """End that very host with everything on it, and wait for it. May be called twice."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # The handle now stands for one process for ever: checking after opening leaves no gap.
        if not proc.alive(process):
            _reap(process.pid)
            return
        children = proc.children(process.pid)
        handles = [h for h in (_handle(child) for child in children) if h is not None]
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        for waited in (handle, *handles):
            if not select.select([waited], [], [], _END_S)[0]:
                raise WorldError(f"pid {process.pid} does not die of SIGKILL")
        for child in handles:
            os.close(child)
        _reap(process.pid)
    finally:
        os.close(handle)


def _handle(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _reap(pid: int) -> None:
    """Take note of its end, if it was our child."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
