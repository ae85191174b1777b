"""HTTP as an Airflow Connection describes it: what every hook that speaks REST shares.

Extras of the connection: ``scheme`` (where the host names none), ``verify`` (true, false or a CA file), ``ca`` (a CA
file too), ``cert`` and ``key`` (paths of a client certificate), ``timeout`` (seconds a call may stay silent, 60 by
default). Login and password are basic authentication; a password alone is a bearer token; the extra ``auth``, basic or
bearer, insists on one of them. Proxies come from the environment as usual;
CA bundles and .netrc files named there are ignored: only the Connection decides whom we trust and who we are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from model_lifecycle.core.errors import Invalid, ModelLifecycleError, Unavailable
from model_lifecycle.hooks.answers import MAX_ANSWER, check_json, failure, read_body, refusal
from model_lifecycle.hooks.extras import extras

if TYPE_CHECKING:
    import requests
    from airflow.sdk import Connection
    from requests.auth import HTTPBasicAuth

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 60.0

log = logging.getLogger(__name__)


def url_path(*segments: object) -> str:
    """A path of quoted segments: whatever a name holds, it cannot leave its place."""
    return "".join(f"/{quote(str(segment), safe='')}" for segment in segments)


class ConnectionSession:
    """Calls to one server, each with a connect time-out, a read time-out and a total deadline (Law 9).

    :param connection: where to and as whom; nothing is sent before the first call.
    :raises Invalid: if a part of the connection cannot be used; the message never shows a secret.
    """

    def __init__(self, connection: Connection) -> None:
        from requests.utils import get_environ_proxies

        from model_lifecycle.hooks.redirects import SameHostSession

        extra = extras(connection)
        self.conn_id = connection.conn_id
        self.url = _base_url(connection, extra)
        self.target = f"{self.conn_id} at {self.url}"
        self.timeout = read_timeout(extra.get("timeout"), self.target)
        self._secret = connection.password or ""
        self._session = SameHostSession()
        self._session.auth = _auth(connection.login, connection.password, extra.get("auth"), self.target)
        self._session.verify = tls_verify(extra.get("verify"), self.target, extra.get("ca"))
        self._session.cert = tls_certificate(extra.get("cert"), extra.get("key"), self.target)
        self._session.proxies = dict(get_environ_proxies(self.url))

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
        retry: bool = True,
        text: bool = False,
        errors: Mapping[int, type[ModelLifecycleError]] | None = None,
        limit: int = MAX_ANSWER,
    ) -> requests.Response:
        """Send one request and return the answer if it is a success; its body has been read.

        :param path: begins with a slash; build it with :func:`url_path`.
        :param content: a body that is no JSON; its type goes into ``headers``.
        :param headers: besides those that the session sends of itself.
        :param deadline: seconds for everything, retries included; the read time-out plus connecting by default.
        :param retry: repeat while the server is Unavailable and time is left; for verbs that may be repeated.
        :param text: accept an answer that is not JSON; without it such an answer is Invalid.
        :param errors: what a status means for this call, where the table of this module does not fit.
        :param limit: bytes of the answer that are read; a larger one is Invalid.
        :raises ModelLifecycleError: the class that the table gives to the server's answer.
        """
        body = content if json is None else self._body(json)
        own = {"Accept": "application/json"} if body is None else {"Content-Type": "application/json"}
        sent = {**own, **(headers or {})}
        seconds = self.timeout + CONNECT_TIMEOUT if deadline is None else deadline
        end = time.monotonic() + seconds
        if not retry:
            return self._once(method, path, params, sent, body, end, text, errors, limit)
        attempts = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_before_delay(seconds),
            reraise=True,
        )
        return attempts(self._once, method, path, params, sent, body, end, text, errors, limit)

    def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        self._session.close()

    def _body(self, value: Any) -> bytes:
        try:
            return dumps(value, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise Invalid(f"the request cannot be written as JSON: {error}", target=self.target) from error

    def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        body: bytes | None,
        end: float,
        text: bool,
        errors: Mapping[int, type[ModelLifecycleError]] | None,
        limit: int,
    ) -> requests.Response:
        import requests

        left = max(end - time.monotonic(), 0.001)
        what = f"{method} {path}"
        try:
            response = self._session.request(
                method,
                self.url + path,
                params=params,
                data=body,
                headers=headers,
                timeout=(min(CONNECT_TIMEOUT, left), min(self.timeout, left)),
                stream=True,
            )
            with response:
                read_body(response, end, limit)
        except requests.RequestException as error:
            raise self._failure(what, error) from error
        if response.status_code >= 300:
            raise refusal(what, response, self.target, secret=self._secret, errors=errors)
        if not text:
            check_json(what, response, self.target)
        return response

    def _failure(self, what: str, error: requests.RequestException) -> ModelLifecycleError:
        return failure(what, error, self.target, proxied=bool(self._session.proxies))


class _Bearer:
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _base_url(connection: Connection, extra: Mapping[str, Any]) -> str:
    host = (connection.host or "").strip()
    target = connection.conn_id
    if not host:
        raise Invalid("the connection has no host", target=target, hint="set host, such as https://models.example.com")
    if "://" not in host:
        bare_ipv6 = host.count(":") > 1 and not host.startswith("[")
        host = f"{extra.get('scheme') or 'http'}://{f'[{host}]' if bare_ipv6 else host}"
    try:
        parts = urlsplit(host)
        port = parts.port or connection.port
    except ValueError as error:
        raise Invalid("the host of the connection is not a URL", target=target) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("the host of the connection is not an http or https URL", target=target)
    if "@" in parts.netloc or parts.query or parts.fragment:
        hint = "put user and password into the fields of the connection"
        raise Invalid("the host of the connection holds more than a host and a path", target=target, hint=hint)
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def read_timeout(value: Any, target: str) -> float:
    """What the extra ``timeout`` says: the seconds that a call may stay silent.

    :raises Invalid: if it is no number above 0.
    """
    try:
        seconds = READ_TIMEOUT if value in (None, "") else float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise Invalid("the extra timeout is not a number of seconds above 0", target=target)
    return seconds


def _auth(login: str | None, password: str | None, way: Any, target: str) -> HTTPBasicAuth | _Bearer | None:
    from requests.auth import HTTPBasicAuth

    if way not in (None, "", "basic", "bearer"):
        raise Invalid("the extra auth is neither basic nor bearer", target=target, hint="remove it, or set one of them")
    if (way == "basic" and not login) or (way == "bearer" and not password):
        missing = "login" if way == "basic" else "password, which is the token"
        raise Invalid(f"the extra auth is {way}, and the connection has no {missing}", target=target)
    if any(not char.isprintable() for char in f"{login or ''}{password or ''}"):
        raise Invalid("login or password holds a control character", target=target, hint="look for a pasted line end")
    if login and way != "bearer":
        return HTTPBasicAuth(login.encode(), (password or "").encode())
    if password and not password.isascii():
        raise Invalid("the token holds a character outside ASCII", target=target)
    return _Bearer(password) if password else None


def tls_verify(value: Any, target: str, ca: Any = None) -> bool | str:
    """What the extras ``verify`` and ``ca`` say: True, False (with a warning) or the path of a CA bundle.

    :raises Invalid: if one is a path where nothing lies.
    """
    word = str(value).strip().lower()
    if value is None or word in ("", "true"):
        return _file(ca, "ca", target) if ca else True
    if word == "false":
        log.warning("TLS certificates of %s are not verified: anybody in between can read and change the calls", target)
        return False
    return _file(value, "verify", target)


def tls_certificate(cert: Any, key: Any, target: str) -> str | tuple[str, str] | None:
    """The client certificate of the extras ``cert`` and ``key``, as requests wants it.

    :raises Invalid: if one is a path where nothing lies.
    """
    if not cert:
        return None
    return (_file(cert, "cert", target), _file(key, "key", target)) if key else _file(cert, "cert", target)


def _file(value: Any, name: str, target: str) -> str:
    if not isinstance(value, str) or not Path(value).exists():
        hint = "write the path as the machine sees it on which this runs"
        raise Invalid(f"the extra {name} names no file that exists here", target=target, hint=hint)
    return value
