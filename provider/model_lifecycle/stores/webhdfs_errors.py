"""What WebHDFS, and what stands in front of it, can answer, and what each answer means to us."""

from __future__ import annotations

import json
import re

import requests
from urllib3.exceptions import NewConnectionError

from model_lifecycle.core.breakdowns import breakdown_of, chain
from model_lifecycle.core.errors import Conflict, Denied, Invalid, ModelLifecycleError, NotFound, Unavailable

ERRORS: dict[str | int, type[ModelLifecycleError]] = {
    # the name of the Java exception that the server reports
    "AccessControlException": Denied,
    "AuthenticationException": Denied,
    "AuthorizationException": Denied,
    "DSQuotaExceededException": Denied,
    "FileAlreadyExistsException": Conflict,
    "FileNotFoundException": NotFound,
    "HadoopIllegalArgumentException": Invalid,
    "IllegalArgumentException": Invalid,
    "InvalidPathException": Invalid,
    "InvalidToken": Denied,
    "MaxDirectoryItemsExceededException": Denied,
    "NSQuotaExceededException": Denied,
    "ParentNotDirectoryException": Conflict,
    "PathComponentTooLongException": Invalid,
    "PathIsNotEmptyDirectoryException": Conflict,
    "QuotaExceededException": Denied,
    "RetriableException": Unavailable,
    "SafeModeException": Unavailable,
    "SecurityException": Denied,
    "SnapshotException": Denied,
    "StandbyException": Unavailable,
    "UnsupportedOperationException": Invalid,
    # the status of an answer that names no exception
    400: Invalid,
    401: Denied,
    403: Denied,
    404: Invalid,
    407: Denied,
    408: Unavailable,
    429: Unavailable,
}
"""Any other exception (IOException and its many kinds) and any other status from 500 on may pass: Unavailable."""

_HINTS: dict[str | int, str] = {
    "AccessControlException": "this user lacks the permission; ask the owner of the folder",
    "DSQuotaExceededException": "the space quota is used up: remove old versions or ask for more",
    "InvalidToken": "the delegation token is expired or unknown",
    "NSQuotaExceededException": "the quota of names is used up: remove old versions or ask for more",
    401: "check the user, the ticket or the password of the connection",
    404: "is this the WebHDFS address of a NameNode?",
}
_SECRET = re.compile(r"((?:delegation|token|password|passcode|signature)=)[^&\s'\"<>)]+", re.IGNORECASE)
_USERINFO = re.compile(r"(://)[^/@\s'\"]+@")


def scrubbed(text: str) -> str:
    """The text without tokens and passwords: a delegation token travels in the URLs that exceptions quote."""
    return _USERINFO.sub(r"\1***@", _SECRET.sub(r"\1***", text))


def refusal(response: requests.Response, what: str, target: str) -> ModelLifecycleError:
    """The error for an answer that is no success.

    A 404 without WebHDFS's own JSON proves no absence: any web server says that of paths it does not know.
    """
    status = response.status_code
    name, message = _remote_exception(response)
    if name is None:
        kind = ERRORS.get(status) or (Unavailable if status >= 500 else Invalid)
    else:
        kind = ERRORS.get(name) or (Invalid if status == 400 else Unavailable)
        # Not every release reports safe mode by its class.
        kind = Unavailable if "in safe mode" in message else kind
    text = line(f"{what}: {name or status} {message}")
    failure = kind(text, target=target, hint=_HINTS.get(name or status))
    failure.__cause__ = requests.HTTPError(text)
    return failure


def breakdown(error: requests.RequestException, what: str, target: str) -> ModelLifecycleError:
    """The error for a call that got no answer, or only a part of one."""
    found = None if isinstance(error, requests.Timeout) else breakdown_of(error)
    text = line(f"{what}: {found.message if found else _reason(error)}")
    failure: ModelLifecycleError
    if found:
        failure = (Unavailable if found.passing else Invalid)(text, target=target, hint=found.hint)
    elif isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError):
        failure = Unavailable(text, target=target)
    else:
        failure = Invalid(text, target=target)
    failure.__cause__ = _harmless(error)
    return failure


def never_sent(error: BaseException) -> bool:
    """Tell whether a call failed before the server can have seen it."""
    return any(isinstance(one, NewConnectionError | requests.ConnectTimeout) for one in chain(error))


def line(text: str) -> str:
    """One short, printable, harmless line: the Java stack trace that some answers carry is cut off."""
    first = scrubbed(text.split("\n\tat ", maxsplit=1)[0])
    plain = " ".join("".join(char if char.isprintable() else " " for char in first).split())
    return plain if len(plain) <= 400 else f"{plain[:397]}..."


def _remote_exception(response: requests.Response) -> tuple[str | None, str]:
    try:
        remote = json.loads(response.content)["RemoteException"]
        return str(remote["exception"]), str(remote.get("message") or "")
    except (ValueError, KeyError, TypeError, AttributeError, requests.RequestException):
        return None, response.reason or ""


def _reason(error: BaseException) -> str:
    # The innermost error says what happened ("Connection refused"); those around it repeat the URL.
    last = str(list(chain(error))[-1])
    return last or type(error).__name__


def _harmless(error: BaseException) -> BaseException:
    """The error itself, or, where a secret stands in it or in what led to it, another of its kind without that."""
    texts = [str(one) for one in chain(error)]
    if all(scrubbed(text) == text for text in texts):
        return error
    return requests.RequestException(line(f"{type(error).__name__}: {texts[0]}"))
