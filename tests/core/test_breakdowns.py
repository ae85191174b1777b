"""Causes in chains of exceptions as libraries wrap them; tests/hooks/test_misconfigured.py makes them for real."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

import pytest

from model_lifecycle.core.breakdowns import breakdown_of, chain


def wrapped(inner: Exception) -> Exception:
    try:
        try:
            raise inner
        except type(inner) as error:
            raise OSError("in between") from error
    except OSError as error:
        return RuntimeError(error)


def certificate(code: int, words: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, words
    return error


@pytest.mark.parametrize(
    ("error", "said", "passing"),
    [
        (socket.gaierror(-2, "unknown"), "cannot be resolved", True),
        (ConnectionRefusedError(111, "refused"), "nothing listens", True),
        (OSError(errno.EHOSTUNREACH, "no route"), "no network leads there", True),
        (http.client.RemoteDisconnected("bye"), "hung up", True),
        (http.client.BadStatusLine("\x15\x03\x01\x00\x02\x02F"), "speaks TLS", False),
        (http.client.BadStatusLine("220 mail.example.com ESMTP"), "speaks no HTTP", True),
        (certificate(10, "certificate has expired"), "has expired", False),
        (certificate(9, "certificate is not yet valid"), "not valid yet", False),
        (certificate(62, "Hostname mismatch, certificate is not valid for 'a'."), "another server's: Hostname", False),
        (certificate(64, "IP address mismatch"), "another server's: IP", False),
        (certificate(18, "self-signed certificate"), "nobody we trust", False),
        (certificate(23, "certificate revoked"), "refused: certificate revoked", False),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "speaks no TLS", False),
        (ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] required"), "client certificate", False),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "the server hung up", True),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] unknown ca"), "does not take our certificate", False),
    ],
)
def test_the_cause_is_found_below_what_wraps_it(error, said, passing):
    for one in (error, wrapped(error)):
        found = breakdown_of(one)
        assert found is not None
        assert said in found.message
        assert found.hint
        assert found.passing is passing


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.EPIPE, "x"), ssl.SSLError(1, "[SSL] internal error")])
def test_what_is_none_of_the_networks_has_no_cause(error):
    assert breakdown_of(error) is None


def test_a_chain_that_leads_back_to_itself_ends():
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert list(chain(one)) == [one, two]
