"""Whether hosts have what runs on them need: each question answered, with what would help.

Nothing is changed on a host but in Delphic's own folder there.
"""

import asyncio
import statistics
import time
import uuid

from ..agent.proc import boot_id
from ..errors import DelphicError, WorldError
from ..running.together import together
from . import marker
from .agent import Agent
from .connection import Host
from .examined import Examined
from .inventory import Inventory
from .lookup import plain
from .network import hear_each_other

PYTHON_MIN = (3, 11)

_COMMANDS = 5
_COMMAND_MS_MAX = 100.0  # A shell's start-up files can cost more than all that is asked of it.
_SKEW_S_MAX = 1.0
_FREE_KIB_MIN = 1 << 20
_CAPABILITIES_S = 90.0
_SAID_MAX = 80
_CAP_NET_ADMIN = 12
_NEEDED = ("sh", "timeout", "sha256sum", "tar", "mktemp")
_FOR_FAULTS = ("ip", "nft", "ss", "tc", "iptables", "unshare")

_LOOK = """
directory=$1 python=$2
shift 2
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
for tool in "$@"; do command -v "$tool" > /dev/null || echo "lacks $tool"; done
read -r boot < /proc/sys/kernel/random/boot_id && echo "boot $boot"
mkdir -p -- "$directory" && file=$(mktemp "$directory/.write.XXXXXX") && rm -f -- "$file" &&
    df -Pk -- "$directory" | { read -r _; read -r _ _ _ free _; echo "free $free"; }
"$python" -c 'import sys; print("python", *sys.version_info[:2])'
ip -o addr | while read -r _ _ _ address _; do echo "address ${address%/*}"; done
"""


_BIND = """
import socket, sys
for address in sys.argv[1:]:
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((address, 0))
    except OSError:
        continue
    print(address)
"""


async def examine(inventory: Inventory) -> list[Examined]:
    """Look at all hosts, side by side, and then at what is between them."""
    found = [Examined(entry) for entry in inventory.hosts]
    agents: dict[str, Agent] = {}
    hosts: list[Host] = []
    try:
        await together(*(_host(one, inventory, hosts, agents) for one in found))
        _kernels(found)
        if len(agents) > 1:
            await hear_each_other([one for one in found if one.entry.name in agents], agents)
    finally:
        await asyncio.gather(*(agent.abandon() for agent in agents.values()))
        for host in hosts:
            host.close()
    return found


async def _host(
    one: Examined, inventory: Inventory, hosts: list[Host], agents: dict[str, Agent]
) -> None:
    """Everything about one host; what fails is a finding, and ends the examination of that host."""
    try:
        host = await Host.open(one.entry)
        hosts.append(host)
        await _login(one, host)
        await _look(one, host)
        if (reason := await marker.refusal(host)) is not None:
            one.bad("marker", reason)
        else:
            one.ok("marker", "it may be broken")
        await _root(one, host)
        if not one.is_bad:
            agents[host.name] = await _agent(one, host, inventory.lease_s)
    except WorldError as error:
        one.bad("host", f"{error.message}\n{error.detail}".strip())
    except (DelphicError, OSError) as error:
        one.bad("host", str(error))
    except (ValueError, IndexError) as error:
        one.bad("host", f"says what is no answer: {error}")


async def _login(one: Examined, host: Host) -> None:
    took, ahead = [], []
    for _ in range(_COMMANDS):
        before, clock = time.monotonic(), time.time()
        said = (await host.must("date", "+%s.%N", again=True)).text
        took.append(time.monotonic() - before)
        day, error = _day(host, said)
        ahead.append((took[-1] + error, day - clock - took[-1] / 2))
    milliseconds = 1000 * statistics.median(took)
    words = f"{one.entry.user} at {one.entry.address}, {milliseconds:.0f} ms a command"
    if milliseconds > _COMMAND_MS_MAX:
        words += ": far away, or the login shell reads start-up files that take so long"
        one.note("login", words)
    else:
        one.ok("login", words)
    error, skew = min(ahead)
    words = f"{skew:+.3f} s against ours, give or take {error / 2:.3f}"
    if abs(skew) > _SKEW_S_MAX:
        one.note("clock", f"{words}: run a time service; logs are merged by these clocks")
    else:
        one.ok("clock", words)


def _day(host: Host, said: str) -> tuple[float, float]:
    """What `date` says, and how long it may have been since; of some, `%N` means nothing.

    Raises WorldError.
    """
    whole, _, part = said.partition(".")
    if not (whole.isascii() and whole.isdigit()):
        raise host.error(f"its `date` says no time: {said[:_SAID_MAX]!r}")
    if part.isascii() and part.isdigit():
        return float(said), 0.0
    return float(whole) + 0.5, 1.0


async def _look(one: Examined, host: Host) -> None:
    entry = one.entry
    words = ("sh", "-c", _LOOK, "sh", entry.directory, entry.python, *_NEEDED, *_FOR_FAULTS)
    ran = await host.run(*words, again=True)
    said: dict[str, list[str]] = {}
    for line in ran.text.splitlines():
        word, _, rest = line.partition(" ")
        said.setdefault(word, []).append(rest)
    one.boot = "".join(said.get("boot", []))
    lacks = said.get("lacks", [])
    if needed := sorted(set(_NEEDED) & set(lacks)):
        one.bad("tools", f"there is no {', '.join(needed)}")
    if wanted := sorted(set(_FOR_FAULTS) & set(lacks)):
        packages = "apt-get install iproute2 nftables iptables util-linux"
        one.note("tools", f"there is no {', '.join(wanted)}, which some faults need: {packages}")
    if not lacks:
        one.ok("tools", "all there")
    version = tuple(int(part) for part in said.get("python", ["0"])[0].split())
    spelled = ".".join(map(str, version))
    if version < PYTHON_MIN:
        found = f"is Python {spelled}" if any(version) else "is no Python"
        least = ".".join(map(str, PYTHON_MIN))
        one.bad("python", f"{entry.python} {found}; it takes {least}, and `python:` names another")
    else:
        one.ok("python", f"{entry.python} is {spelled}")
    _directory(one, said.get("free", []), ran.said)
    await _addresses(one, host, said.get("address", []))


def _directory(one: Examined, free: list[str], trouble: str) -> None:
    directory = one.entry.directory
    if not free:
        one.bad("directory", f"nothing can be written to {directory}: {trouble}")
    elif int(free[0]) < _FREE_KIB_MIN:
        one.note("directory", f"{directory} has {int(free[0]) >> 10} MiB left")
    else:
        one.ok("directory", f"{directory} has {int(free[0]) >> 20} GiB left")


async def _addresses(one: Examined, host: Host, there: list[str]) -> None:
    """Further addresses must be the host's own; the first may be a name, or translated."""
    if not there and one.entry.addresses:  # It has no `ip`.
        ran = await host.run(one.entry.python, "-c", _BIND, *one.entry.addresses, again=True)
        there = ran.text.splitlines()
    own = {plain(address) for address in there}
    missing = [address for address in one.entry.addresses if plain(address) not in own]
    if missing:
        one.bad("addresses", f"not this host's: {', '.join(missing)}")
    else:
        one.ok("addresses", f"{len(one.entry.every_address)}: one for each node at most")


async def _root(one: Examined, host: Host) -> None:
    if one.entry.user != "root" and not one.entry.sudo:
        able = await host.run("grep", "^CapEff:", "/proc/self/status", again=True)
        if int(able.text.split()[-1], 16) >> _CAP_NET_ADMIN & 1:
            one.ok("root", "not needed: the user may administer the host's network")
        else:
            one.note("root", "not asked for: faults of network, disks and clocks need `sudo: true`")
        return
    ran = await host.run("id", "-u", sudo=True, again=True)
    if ran.text == "0":
        one.ok("root", "by sudo" if one.entry.user != "root" else "logged in as root")
    else:
        one.bad("root", f"sudo does not work without a terminal and a question: {ran.said}")


async def _agent(one: Examined, host: Host, lease_s: float) -> Agent:
    agent = await Agent.start(host, f"doctor-{uuid.uuid4().hex}", lease_s)
    one.lacks = await agent.call("capabilities", timeout_s=_CAPABILITIES_S)
    lacks = one.lacks or {}
    if can := sorted(what for what, reason in lacks.items() if reason is None):
        one.ok("faults", f"can be done: {', '.join(can)}")
    for what, reason in sorted(lacks.items()):
        if reason is not None:
            one.note("faults", f"{what} cannot be done: {reason}")
    return agent


def _kernels(found: list[Examined]) -> None:
    """Hosts with one kernel have one clock, and one disk, perhaps with us."""
    here = boot_id()
    for at, one in enumerate(found):
        others = [other.entry.name for other in found[:at] if one.boot and other.boot == one.boot]
        if one.boot == here:
            one.note("kernel", "is this machine's: so are its clock, its disk and its processors")
        elif others:
            one.note("kernel", f"is that of {others[0]}: so are its clock and its processors")
        if one.entry.disposable_clock and (others or one.boot == here):
            whose = others[0] if others else "this machine"
            one.bad("clock", f"is not disposable: {whose} has the same; do not say so in the file")
