"""Who hears whom among hosts: datagrams over every directed link that is asked about, at once."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from .agent import Agent

_LOOK_AGAIN_S = 0.02


@dataclass(frozen=True)
class Way:
    """A directed link: from an address of one host to an address of another."""

    sender: Agent
    source: str
    receiver: Agent
    own: str

    @property
    def pair(self) -> tuple[str, str]:
        return self.source, self.own


@dataclass(frozen=True)
class Heard:
    """What of a probe arrived. Times are by the clocks of the two hosts, since the epoch."""

    packets: int
    bytes: int
    sent_ns: int
    first_ns: int
    last_ns: int
    late_ns: int
    """How long the slowest took, by the two clocks."""
    order: tuple[int, ...]
    """The packets' numbers in the order in which they came."""

    @property
    def delay_s(self) -> float:
        """How long the first one took, if both clocks agree."""
        return (self.first_ns - self.sent_ns) / 1e9


async def reach(
    ways: Sequence[Way],
    *,
    count: int = 3,
    size: int = 64,
    interval_s: float = 0.0,
    wait_s: float = 0.5,
) -> dict[tuple[str, str], Heard | None]:
    """Send datagrams over all of these; what came within `wait_s`, None where nothing did.

    Returns as soon as everything has come.
    """
    token = uuid.uuid4().hex
    receivers = {way.receiver: [w.own for w in ways if w.receiver is way.receiver] for way in ways}
    ports: dict[tuple[Agent, str], int] = {}
    for receiver, own in receivers.items():
        listening = await receiver.call("listen", addresses=sorted(set(own)))
        ports |= {(receiver, address): port for address, port in listening.items()}
    await asyncio.gather(
        *(
            sender.call(
                "probe",
                token=token,
                ways=[
                    (way.source, way.own, ports[way.receiver, way.own])
                    for way in ways
                    if way.sender is sender
                ],
                count=count,
                size=size,
                interval_s=interval_s,
            )
            for sender in {way.sender: None for way in ways}
        )
    )
    loop = asyncio.get_running_loop()
    give_up = loop.time() + wait_s
    while True:
        late = loop.time() > give_up
        found = await _heard(receivers, token)
        # Doubled ones count once: each is waited for.
        if late or all(w.pair in found and len({*found[w.pair].order}) >= count for w in ways):
            return {way.pair: found.get(way.pair) for way in ways}
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _heard(receivers: dict[Agent, list[str]], token: str) -> dict[tuple[str, str], Heard]:
    found = {}
    for said in await asyncio.gather(*(each.call("heard", token=token) for each in receivers)):
        for heard in said:
            pair = heard.pop("source"), heard.pop("own")
            found[pair] = Heard(**{**heard, "order": tuple(heard["order"])})
    return found
