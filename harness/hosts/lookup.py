"""Addresses as numbers: those that are names are looked up here, where hosts are dialled from."""

import socket
from ipaddress import ip_address


def number(address: str) -> str:
    """The number of a name or an address. Raises OSError, which says why there is none."""
    try:
        found = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(0, str(error)) from error
    return str(found[0][4][0])


def plain(address: str) -> str:
    """An address, however it is written, in one way; a name as it is."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def is_local(number: str) -> bool:
    """Whether it means this machine on every machine."""
    return ip_address(number).is_loopback
