"""What HTTP answers mean: one table from a status to an error, and the server's own words for it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from json import dumps, loads
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from model_lifecycle.core.breakdowns import breakdown_of
from model_lifecycle.core.errors import Conflict, Denied, Invalid, ModelLifecycleError, NotFound, Unavailable

if TYPE_CHECKING:
    import requests

MAX_ANSWER = 64 * 2**20

# One table for all that a server can say; other 4xx are Invalid, other 5xx Unavailable.
_BY_STATUS: dict[int, type[ModelLifecycleError]] = {
    401: Denied,
    403: Denied,
    404: NotFound,
    407: Denied,
    408: Unavailable,
    409: Conflict,
    425: Unavailable,
    429: Unavailable,
}
_HINTS = {
    401: "check login and password of the connection",
    403: "this account lacks the permission: ask the server's owner for it",
    407: "check user and password of the proxy",
    502: "a proxy answers, and reaches no server behind it",
    503: "the server, or a proxy before it, is not ready",
    504: "a proxy answers, and hears nothing of the server behind it",
}
_ELSEWHERE = "is this the right server, port and path?"
_HTTPS = re.compile(rb"https (port|server)", re.IGNORECASE)


def read_body(response: requests.Response, end: float, limit: int = MAX_ANSWER) -> None:
    """Read the whole body of a streamed response until the monotonic clock shows ``end``.

    requests has no deadline for a body: a server that drips bytes would hold us for ever.

    :param limit: bytes, unpacked.
    :raises Invalid: if it is larger.
    :raises requests.RequestException: if it breaks off, or is not there in time.
    """
    import requests
    from urllib3.exceptions import HTTPError as Urllib3Error

    data = bytearray()
    try:
        while chunk := response.raw.read1(2**16, decode_content=True):
            data += chunk
            if len(data) > limit:
                raise Invalid(f"the answer is larger than {limit} bytes", target=response.url)
            if time.monotonic() > end:
                raise requests.ReadTimeout("the body did not end in time")
    except Urllib3Error as error:
        raise requests.ConnectionError(f"the body broke off: {error}") from error
    response._content = bytes(data)  # where reading ``content`` would have put it


def refusal(
    what: str,
    response: requests.Response,
    target: str,
    *,
    secret: str = "",
    errors: Mapping[int, type[ModelLifecycleError]] | None = None,
) -> ModelLifecycleError:
    """The error that a status of 300 or more stands for, with the server's own words and the response as its cause.

    :param what: method and path of the call.
    :param secret: what may not appear, even if the server repeats it.
    :param errors: what a status means for this call, before the table.
    """
    from requests import HTTPError

    status = response.status_code
    kind = {**_BY_STATUS, **(errors or {})}.get(status, Unavailable if status >= 500 else Invalid)
    said = _there(response) if status < 400 else one_line(_message(response) or response.reason or "", secret)
    error = kind(f"{what}: {status} {said}", target=target, hint=_hint(response))
    error.__cause__ = HTTPError(f"status {status}", response=response)
    return error


def failure(what: str, error: requests.RequestException, target: str, *, proxied: bool = False) -> ModelLifecycleError:
    """The error for a call that got no answer: the cause that :mod:`model_lifecycle.core.breakdowns` finds.

    :param proxied: whether the environment names a proxy, which can be the cause as well.
    """
    import requests

    if isinstance(error, requests.exceptions.ProxyError):
        hint = "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY in the environment"
        return Unavailable(f"{what}: the connection failed: the proxy does not connect us", target=target, hint=hint)
    if isinstance(error, requests.ConnectTimeout):
        hint = "is the address right, and does every firewall on the way let us through?"
        return Unavailable(f"{what}: no answer in time: no connection was made", target=target, hint=hint)
    if isinstance(error, requests.Timeout):
        hint = "the server is too slow for the extra timeout, or speaks something else on this port"
        return Unavailable(f"{what}: no answer in time", target=target, hint=hint)
    if found := breakdown_of(error):
        hint = f"{found.hint}, or does the proxy of the environment fail?" if proxied else found.hint
        return (Unavailable if found.passing else Invalid)(f"{what}: {found.message}", target=target, hint=hint)
    return _unknown(what, error, target)


def _unknown(what: str, error: requests.RequestException, target: str) -> ModelLifecycleError:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        hint = "name the CA file in the extra ca, or correct the scheme"
        return Invalid(f"{what}: TLS failed: {one_line(str(error))}", target=target, hint=hint)
    if isinstance(error, requests.ConnectionError):
        return Unavailable(f"{what}: the connection failed ({type(error).__name__})", target=target)
    return Invalid(f"{what}: cannot be sent ({type(error).__name__})", target=target)


def check_json(what: str, response: requests.Response, target: str) -> None:
    """Nothing but JSON, or nothing at all, is an answer of the server we mean.

    :raises Invalid: if it is anything else, such as the sign-in page of a proxy.
    """
    if not response.content:
        return
    try:
        loads(response.content)
    except ValueError as error:
        kind = "HTML" if _is_html(response) else "something that is not JSON"
        message = f"{what}: answered with {kind}: is this the right port?"
        hint = "another server answers there, or the sign-in page of a proxy"
        raise Invalid(message, target=target, hint=hint) from error


@contextmanager
def reading(what: str, server: str, target: str) -> Iterator[None]:
    """Take out of an answer what belongs there; where it is not, something else has answered.

    :param what: the call, such as ``GET /v2/models``.
    :param server: whose answer it should be.
    :raises Invalid: if the answer is of another shape.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        message = f"the answer to {what} is none of {server}'s ({type(error).__name__})"
        raise Invalid(message, target=target, hint="is this the right port?") from error


def _message(response: requests.Response) -> str:
    """What the server says of its error, wherever its kind of server puts that."""
    try:
        value = loads(response.content)
    except ValueError:
        return "" if _is_html(response) else cause_of(response.text)
    for name in ("error", "message", "detail"):
        if isinstance(value, dict) and value.get(name):
            value = value[name]
    return value if isinstance(value, str) else dumps(value)


def cause_of(text: str) -> str:
    """What a traceback ends with: the error and its text, after the frames, which are indented."""
    lines = text.splitlines()
    frames = [place for place, line in enumerate(lines) if line.startswith('  File "')]
    if not frames:
        return text
    end = next((place for place in range(frames[-1], len(lines)) if lines[place][:1].strip()), 0)
    return "\n".join(lines[end:])


def one_line(text: str, *secrets: str) -> str:
    """Foreign text for an error message: printable, on one line, at most 300 characters.

    :param secrets: what may not appear, not even cut, if it is longer than three characters.
    """
    for secret in secrets:
        text = text.replace(secret, "***") if len(secret) > 3 else text
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= 300 else f"{line[:297]}..."


def _hint(response: requests.Response) -> str | None:
    status = response.status_code
    if status == 400 and _HTTPS.search(response.content[:2000]):
        return "the server speaks TLS on this port: write https:// into the host"
    if status in (404, 405, 501) and not _is_json(response):
        return _ELSEWHERE
    return _HINTS.get(status)


def _is_json(response: requests.Response) -> bool:
    try:
        loads(response.content)
    except ValueError:
        return False
    return True


def _there(response: requests.Response) -> str:
    there = urlsplit(urljoin(response.url, response.headers.get("Location", "")))
    return f"redirects to {there.scheme}://{there.hostname}, which is not followed"


def _is_html(response: requests.Response) -> bool:
    return b"<html" in response.content[:1000].lower()
