"""TLS as Python has it: contexts from descriptions, and errors that say what is wrong."""

import errno
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .runtime import Tls

HANDSHAKE_S = 5.0
"""A stranger has this long for it."""


def listening(tls: Tls) -> ssl.SSLContext:
    """For a listener; raises OSError for files that are no good."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Members must show a certificate, clients need not: the hello tells who is which.
    context.verify_mode = ssl.CERT_OPTIONAL
    return _loaded(context, tls)


def dialling(tls: Tls) -> ssl.SSLContext:
    """For who dials; raises OSError for files that are no good."""
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tls)


def names_of(ssl_object: Any) -> frozenset[str]:
    """The names in the other side's certificate, which has been verified."""
    certificate = {} if ssl_object is None else ssl_object.getpeercert() or {}
    return frozenset(str(name) for _, name in certificate.get("subjectAltName", ()))


@contextmanager
def explained(*, is_tls: bool) -> Iterator[None]:
    """Say of a connection that breaks before it begins that TLS may be why."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise _error(f"TLS: its certificate is not accepted: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise _error(f"TLS: {error.reason or error}; does the other side speak it?") from None
    except (ConnectionResetError, ConnectionAbortedError, BrokenPipeError) as error:
        if not is_tls:
            raise
        raise _error(f"TLS: {error or 'ended'}; does the other side speak it?") from None


def _loaded(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    place = tls.authority
    try:
        context.load_verify_locations(tls.authority)
        if tls.certificate is not None:
            place = f"{tls.certificate}, {tls.key}"
            # No question at a terminal: a key with a passphrase is refused.
            context.load_cert_chain(tls.certificate, tls.key, password="")
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise _error(f"TLS: {place}: {reason}") from None
    return context


def _error(message: str) -> OSError:
    return OSError(errno.EPROTO, message)
