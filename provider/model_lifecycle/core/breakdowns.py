"""Why a call got no answer: the cause found in a chain of exceptions, in words, with what to do about it; pure.

The libraries between us and the socket wrap its error several times and differ in how; what the standard library
raised at the bottom says more than any of them, and says it without URLs, so without secrets.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

TLS = "TLS failed"
FAILED = "the connection failed"

# OpenSSL's numbers of what is wrong with a certificate: x509_vfy.h.
_EXPIRED, _NOT_YET, _HOST, _ADDRESS = 10, 9, 62, 64
_UNKNOWN = frozenset({2, 18, 19, 20, 21})
_PLAIN = ("WRONG_VERSION", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_MESSAGE")
_WAYS = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


@dataclass(frozen=True)
class Breakdown:
    """One cause.

    :ivar message: what went wrong, without the address.
    :ivar hint: what to do next.
    :ivar passing: whether it may pass by itself, so that a retry makes sense.
    """

    message: str
    hint: str
    passing: bool = True


def breakdown_of(error: BaseException) -> Breakdown | None:
    """What the innermost errors of a chain mean, or None where they are none of the network's."""
    for one in chain(error):
        found = _certificate(one) or _tls(one) or _network(one) or _closed(one)
        if found:
            return found
    return None


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and everything it was caused by, or wraps."""
    seen: set[int] = set()
    one: object = error
    while isinstance(one, BaseException) and id(one) not in seen:
        seen.add(id(one))
        yield one
        inner = getattr(one, "reason", None)
        inner = inner if isinstance(inner, BaseException) else None
        inner = inner or next((part for part in one.args if isinstance(part, Exception)), None)
        one = inner or one.__cause__ or one.__context__


def _certificate(error: BaseException) -> Breakdown | None:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return None
    code, said = getattr(error, "verify_code", 0), str(getattr(error, "verify_message", "") or error.reason)
    if code == _EXPIRED:
        return Breakdown(f"{TLS}: the server's certificate has expired", "let its owner renew it", passing=False)
    if code == _NOT_YET:
        hint = "compare the clocks of this machine and of the server"
        return Breakdown(f"{TLS}: the server's certificate is not valid yet", hint, passing=False)
    if code in (_HOST, _ADDRESS):
        hint = "write the name for which the certificate was made into the host"
        return Breakdown(f"{TLS}: the certificate is another server's: {said.rstrip('.')}", hint, passing=False)
    if code in _UNKNOWN:
        hint = "name the file of its CA in the extra ca"
        return Breakdown(f"{TLS}: nobody we trust has signed the server's certificate: {said}", hint, passing=False)
    return Breakdown(f"{TLS}: the server's certificate is refused: {said}", "let its owner look at it", passing=False)


def _tls(error: BaseException) -> Breakdown | None:
    if not isinstance(error, ssl.SSLError):
        return None
    said = str(error).upper()
    if isinstance(error, ssl.SSLEOFError):
        hint = "name our certificate and its key in the extras cert and key, if that is why"
        return Breakdown(f"{TLS}: the server hung up; perhaps it asks for a client certificate", hint)
    if any(word in said for word in _PLAIN):
        hint = "write http:// into the host, or the port on which the server speaks TLS"
        return Breakdown(f"{TLS}: the server speaks no TLS on this port", hint, passing=False)
    if "CERTIFICATE_REQUIRED" in said or "HANDSHAKE_FAILURE" in said:
        hint = "name our certificate and its key in the extras cert and key"
        return Breakdown(f"{TLS}: the server asks for a client certificate, or for other TLS", hint, passing=False)
    if "ALERT" in said and ("UNKNOWN_CA" in said or "BAD_CERTIFICATE" in said):
        hint = "ask the server's owner whose certificates it takes, and set the extras cert and key"
        return Breakdown(f"{TLS}: the server does not take our certificate", hint, passing=False)
    return None


def _network(error: BaseException) -> Breakdown | None:
    if isinstance(error, socket.gaierror):
        hint = "look for a slip in the host; else ask who runs the name server"
        return Breakdown(f"{FAILED}: the host's name cannot be resolved", hint)
    if isinstance(error, ConnectionRefusedError):
        return Breakdown(f"{FAILED}: nothing listens there", "is the server running, and is this its port?")
    if isinstance(error, OSError) and error.errno in _WAYS:
        return Breakdown(f"{FAILED}: no network leads there", "look at the host's address, and at routes and firewalls")
    return None


def _closed(error: BaseException) -> Breakdown | None:
    """What a server does with http where it expects TLS: it answers with an alert of TLS, or hangs up."""
    name = type(error).__name__
    if name in ("BadStatusLine", "InvalidHeader") and "\\x15\\x03" in ascii(str(error)):
        return Breakdown(f"{FAILED}: the server speaks TLS on this port", "write https:// into the host", passing=False)
    if name == "BadStatusLine":
        hint = "is this the right port, and a server for HTTP?"
        return Breakdown(f"{FAILED}: what answers speaks no HTTP", hint)
    if isinstance(error, ConnectionResetError):  # http.client's RemoteDisconnected is one
        hint = "if it speaks TLS here, write https:// into the host; if it asks who we are, set the extras cert and key"
        return Breakdown(f"{FAILED}: the server hung up without an answer", hint)
    return None
