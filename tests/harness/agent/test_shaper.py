"""The process that holds packets back, without packets: what it counts is what it has done."""

import errno
import os
import socket
from typing import cast

import pytest
from delphic.harness.agent import capabilities, shaper
from delphic.harness.agent.netlink import Packet, Queue
from delphic.harness.agent.shape import Shape
from delphic.harness.agent.shaper import Shaper

PACKET = bytes([0x45]) + bytes(15) + socket.inet_aton("192.0.2.9") + bytes(80)


class Kernel:
    """A queue with these packets, and what became of each."""

    def __init__(self, *packets: Packet) -> None:
        self.waiting = list(packets)
        self.accepted: list[int] = []
        self.replaced: dict[int, bytes] = {}

    def receive(self) -> Packet | None:
        return self.waiting.pop(0) if self.waiting else None

    def accept(self, numbers: list[int]) -> None:
        self.accepted += numbers

    def replace(self, number: int, data: bytes) -> None:
        self.replaced[number] = data

    def copy(self, *, whole: bool) -> None: ...


class Sender:
    """A socket that keeps what is sent, or cannot send."""

    def __init__(self, *, can: bool = True) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self._can = can

    def sendto(self, data: bytes, to: tuple[str, int]) -> None:
        if not self._can:
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        self.sent.append((data, to))


def through(shape: Shape, *packets: Packet) -> tuple[Kernel, dict[str, int]]:
    """Let these packets through a link of this shape; what became of them, and what was counted."""
    kernel = Kernel(*packets)
    made = Shaper(cast(Queue, kernel))
    made._set({1: shape})
    made._take(shaping=True)
    made._let_go(float("inf"))
    return kernel, made._lines[1].said()


def packet(number: int, data: bytes = PACKET, size: int = len(PACKET)) -> Packet:
    return Packet(number, 1, size, data)


def test_a_copy_is_sent_to_where_the_packet_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Sender] = []

    def sender(family: int) -> Sender:
        assert family == socket.AF_INET
        made.append(Sender())
        return made[-1]

    monkeypatch.setattr(shaper, "sender", sender)
    kernel, counted = through(Shape(duplicate=1.0), packet(1), packet(2))
    (only,) = made
    assert only.sent == [(PACKET, ("192.0.2.9", 0))] * 2
    assert kernel.accepted == [1, 2]
    assert counted == {"passed": 2, "duplicated": 2}


@pytest.mark.parametrize("which", ["family", "packet"])
def test_a_copy_that_cannot_be_sent_ends_nothing_and_does_not_count(
    monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """A kernel may know no version 6, and the network may be full."""

    def sender(_: int) -> Sender:
        if which == "family":
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return Sender(can=False)

    monkeypatch.setattr(shaper, "sender", sender)
    kernel, counted = through(Shape(duplicate=1.0), packet(1), packet(2))
    assert kernel.accepted == [1, 2]
    assert counted == {"passed": 2}


def test_a_packet_of_which_only_the_head_is_here_is_neither_copied_nor_damaged() -> None:
    kernel, counted = through(Shape(duplicate=1.0, corrupt=1.0), packet(1, PACKET[:64]))
    assert (kernel.accepted, kernel.replaced) == ([1], {})
    assert counted == {"passed": 1}


def test_a_packet_is_damaged_if_there_is_anything_behind_its_header() -> None:
    kernel, counted = through(Shape(corrupt=1.0), packet(1), packet(2, PACKET[:20], 20))
    assert kernel.accepted == [2]
    assert list(kernel.replaced) == [1]
    assert counted == {"passed": 2, "corrupted": 1}


@pytest.mark.parametrize("has_ipv6", [True, False])
def test_shaping_is_promised_only_where_copies_can_be_sent(
    monkeypatch: pytest.MonkeyPatch, has_ipv6: bool
) -> None:
    tried = []

    def sender(family: int) -> socket.socket:
        tried.append(family)
        if len(tried) == 1 + has_ipv6:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        return socket.socket()

    monkeypatch.setattr(capabilities, "_has_ipv6", lambda: has_ipv6)
    monkeypatch.setattr(capabilities, "sender", sender)
    why = capabilities._why_not(capabilities._shape)
    assert "not permitted" in str(why)
    assert tried == [socket.AF_INET, *([socket.AF_INET6] if has_ipv6 else [])]
