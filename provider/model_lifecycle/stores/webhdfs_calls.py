"""Calls to NameNodes and DataNodes: one deadline, one error table, several NameNodes, no secret sent astray."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential
from urllib3.exceptions import HTTPError as Urllib3Error

from model_lifecycle.core.errors import Denied, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.stores.webhdfs_errors import breakdown, line, refusal

_HEADERS = {"Content-Type": "application/octet-stream"}  # HttpFS insists on it
_READ = 1 << 18
T = TypeVar("T")


class Deadline:
    """The moment at which a verb gives up, retries included."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._last: Unavailable | None = None

    @property
    def left(self) -> float:
        """Seconds still to go; less than nothing when it is over."""
        return self._end - time.monotonic()

    def limit(self, *seconds: float) -> tuple[float, ...]:
        """Time-outs, none longer than what is left.

        :raises Unavailable: if nothing is left.
        """
        left = self.left
        if left <= 0:
            last = self._last
            why = f": {last.message}" if last else ""
            raise Unavailable(
                f"not done within {self.seconds:.0f} s{why}",
                target=last.target if last else None,
                hint=last.hint if last else None,
            ) from last
        return tuple(min(one, left) for one in seconds)

    def attempts(self) -> Retrying:
        """Repeat what is Unavailable, with growing pauses, until the next pause would end after the deadline."""
        return Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=self._over,
            before_sleep=self._remember,
            reraise=True,
        )

    def _remember(self, state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        self._last = failure if isinstance(failure, Unavailable) else None

    def _over(self, state: RetryCallState) -> bool:
        return state.upcoming_sleep >= self.left


class NameNodes:
    """The NameNodes of one HDFS, and the DataNodes they send us to.

    The session, who we are, and which NameNode answered last are kept by the client of the package ``hdfs``; this class
    bounds each of its requests, and follows redirects itself. A redirect may lead anywhere, so only a host of ``urls``
    (HttpFS, Knox) gets our credentials; a DataNode gets what the NameNode wrote into its URL.

    :param timeout: seconds to connect, and seconds of silence.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        user: str | None,
        session: requests.Session | None,
        kerberos: bool,
        timeout: tuple[float, float],
    ) -> None:
        self.urls = [_checked(url) for url in urls]
        if not self.urls:
            raise Invalid("HDFS needs the address of at least one NameNode")
        self.timeout = timeout
        self.session = session or requests.Session()
        if self.session.verify is not True:
            # Otherwise REQUESTS_CA_BUNDLE of the environment would win over what the connection says.
            self.session.trust_env = False
        self._stranger = _without_credentials(self.session)
        self._client = _client(";".join(self.urls), user, self.session, kerberos)

    @property
    def target(self) -> str:
        """How errors call this system."""
        return ", ".join(urlsplit(url).netloc for url in self.urls)

    def ask(self, operation: str, path: str, deadline: Deadline, **params: object) -> requests.Response:
        """One operation on whichever NameNode is active, repeated until the deadline while none is."""
        return deadline.attempts()(self.once, operation, path, deadline, **params)

    def once(self, operation: str, path: str, deadline: Deadline, **params: object) -> requests.Response:
        """One operation, offered once to each NameNode until one takes it."""
        return self._offer(self._client, operation, path, deadline, params)

    def look(self, operation: str, path: str, deadline: Deadline, **params: object) -> requests.Response:
        """A read, repeated like :meth:`ask`, that believes in absence only if no other NameNode knows better.

        One that was active before and slept through a failover still answers reads, from before the failover.
        """
        return deadline.attempts()(self._look, operation, path, deadline, **params)

    def through(
        self, operation: str, path: str, deadline: Deadline, used: set[str], *, body: Any = None, **params: object
    ) -> requests.Response:
        """One operation that the NameNode hands on to a DataNode, tried once.

        The answer 201 to a body proves nothing about what was stored.

        :param used: the hosts of DataNodes that the try before went to, which are avoided; and now those of this try.
        """
        if used:
            params["excludedatanodes"] = ",".join(sorted(used))
        used.clear()
        answer = (self._look if body is None else self.once)(operation, path, deadline, **params)
        if not answer.is_redirect:
            if body is not None:
                raise Invalid(f"{self.target} takes no upload: it names no DataNode for {path}")
            return answer
        location = urljoin(answer.url, answer.headers["Location"])
        used.add(urlsplit(location).hostname or "")
        if body is None:
            timeouts = deadline.limit(*self.timeout)
            return self._datanode("GET", location, answer.url, timeout=timeouts, stream=operation == "_open")
        # While it sends, a socket knows only the connect time-out, and a pipeline of DataNodes may stall for longer.
        patience = deadline.limit(self.timeout[1], self.timeout[1])
        return self._datanode("PUT", location, answer.url, timeout=patience, data=body)

    def chunks(self, answer: requests.Response, deadline: Deadline) -> Iterator[bytes]:
        """The bytes of an answer as they come.

        :raises Unavailable: if they break off.
        """
        with answer:
            try:
                while chunk := answer.raw.read1(_READ, decode_content=True):
                    yield chunk
                    deadline.limit()
                return
            except (Urllib3Error, OSError) as error:
                failure = breakdown(requests.ConnectionError(error), "the stream broke off", self.target)
        raise failure

    def _look(self, operation: str, path: str, deadline: Deadline, **params: object) -> requests.Response:
        try:
            return self.once(operation, path, deadline, **params)
        except NotFound:
            if found := self._elsewhere(operation, path, deadline, params):
                return found
            raise

    def _elsewhere(
        self, operation: str, path: str, deadline: Deadline, params: dict[str, object]
    ) -> requests.Response | None:
        for url in self.urls if len(self.urls) > 1 else ():
            client = copy(self._client)
            client._urls = deque([url])
            try:
                answer = self._offer(client, operation, path, Deadline(min(deadline.left, self.timeout[0])), params)
            except ModelLifecycleError:
                continue
            with self._client._lock:
                self._client._urls.rotate(-list(self._client._urls).index(url))
            return answer
        return None

    def _offer(
        self, client: Any, operation: str, path: str, deadline: Deadline, params: dict[str, object]
    ) -> requests.Response:
        what = f"{operation.strip('_').upper().replace('_', '')} {path}"
        one, problems = copy(client), dict[str, ModelLifecycleError]()
        one._request = partial(self._request, what, deadline, problems)
        try:
            answer: requests.Response = getattr(one, operation)(path, **params)
            return answer
        except requests.RequestException as error:
            failure = list(problems.values())[-1] if problems else breakdown(error, what, self.target)
        if len(problems) > 1:
            told = "; ".join(f"{host}: {problem.message}" for host, problem in problems.items())
            cause, failure = failure.__cause__, Unavailable(line(f"no NameNode can be used: {told}"))
            failure.__cause__ = cause
        raise failure

    def _request(
        self,
        what: str,
        deadline: Deadline,
        problems: dict[str, ModelLifecycleError],
        method: str,
        url: str,
        **options: Any,
    ) -> requests.Response:
        """What the client of ``hdfs`` sends by; a ``requests.ConnectionError`` lets it turn to the next NameNode."""
        host = urlsplit(url).netloc
        timeouts = deadline.limit(*self.timeout)
        options |= {"allow_redirects": False, "headers": _HEADERS, "timeout": timeouts}
        try:
            answer = self.session.request(method, url, **options)
        except requests.RequestException as error:
            problems[host] = breakdown(error, what, host)
            raise
        if answer.ok:
            return answer
        failure = refusal(answer, what, host)
        if not isinstance(failure, Unavailable):
            raise failure
        problems[host] = failure
        raise requests.ConnectionError("this NameNode cannot be used now")

    def _datanode(self, method: str, url: str, asked: str, **options: Any) -> requests.Response:
        there, what = urlsplit(url), f"{method} to a DataNode"
        if there.scheme not in ("http", "https") or (urlsplit(asked).scheme, there.scheme) == ("https", "http"):
            raise Denied(f"{urlsplit(asked).netloc} redirects from https to {line(there.scheme)}, which is refused")
        known = there.netloc in {urlsplit(one).netloc for one in self.urls}
        session = self.session if known else self._stranger
        try:
            answer = session.request(method, url, allow_redirects=False, headers=_HEADERS, **options)
        except requests.RequestException as error:
            failure = breakdown(error, what, there.netloc)
            failure.hint = failure.hint or "the NameNode named this DataNode: it must be reachable from here"
        else:
            if answer.ok and not answer.is_redirect:
                return answer
            failure = refusal(answer, what, there.netloc)
        raise failure


def content(answer: requests.Response, *names: str, read: Callable[[Any], T]) -> T:
    """What ``read`` makes of the value that lies under these names in an answer's JSON.

    :raises Invalid: if the answer is not what WebHDFS says there, such as a login page.
    """
    try:
        value = answer.json()
        for name in names:
            value = value[name]
        return read(value)
    except (ValueError, KeyError, TypeError, AttributeError, requests.RequestException) as error:
        where = urlsplit(answer.url).netloc
        raise Invalid(f"{where} does not answer as WebHDFS does", hint="is this a NameNode's address?") from error


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise Invalid(
            f"{line(url)} is not the address of a NameNode", hint="write http://host:port or https://host:port"
        )
    return url.rstrip("/")


def _client(urls: str, user: str | None, session: requests.Session, kerberos: bool) -> Any:
    import hdfs

    # HdfsCLI greets at INFO for every client; in a task's log that would bury what matters.
    logging.getLogger("hdfs.client").setLevel(logging.WARNING)
    if kerberos:
        try:
            from hdfs.ext.kerberos import KerberosClient
        except ImportError as error:
            hint = "pip install 'airflow-provider-model-lifecycle[kerberos]'"
            raise Invalid("the connection asks for Kerberos, which is not installed", hint=hint) from error
        return KerberosClient(urls, session=session)
    if user is None and (session.auth or session.params):
        return hdfs.Client(urls, session=session)
    return hdfs.InsecureClient(urls, user=user, session=session)


def _without_credentials(session: requests.Session) -> requests.Session:
    """Another session over the same connections, TLS and proxies, that says nothing about who we are."""
    other = requests.Session()
    other.verify, other.cert, other.proxies = session.verify, session.cert, session.proxies
    other.trust_env, other.adapters = session.trust_env, session.adapters
    return other
