"""Prometheus as the metric system, over its documented HTTP API v1.

Everything that speaks this API will do: Prometheus itself, Thanos, Mimir, Cortex, VictoriaMetrics. What was run is
Prometheus 2.42.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.sdk import BaseHook, Connection
from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from model_lifecycle.core.counts import Counts
from model_lifecycle.core.errors import Invalid, ModelLifecycleError, Unavailable
from model_lifecycle.core.samples import Sample
from model_lifecycle.hooks import publishing
from model_lifecycle.hooks.answers import one_line
from model_lifecycle.hooks.connected import Connected
from model_lifecycle.hooks.metrics import MetricSystemHook
from model_lifecycle.hooks.prometheus_answers import Result, number, points, read_result
from model_lifecycle.hooks.prometheus_counts import CountQueries
from model_lifecycle.hooks.session import ConnectionSession

MAX_ANSWER = 4 * 2**20
"""Bytes of an answer that are read: some 30,000 series, where one number was asked for."""
AGAIN = 5.0
"""Seconds in which a call that failed is tried again; whoever waits for longer asks again himself."""
# A wrong expression is 400, one that cannot be evaluated 422; 404 and 405 mean that this is no Prometheus.
_ERRORS: dict[int, type[ModelLifecycleError]] = {404: Invalid, 405: Invalid}
_T = TypeVar("_T")
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

log = logging.getLogger(__name__)


class PrometheusHook(Connected, MetricSystemHook):
    """One Prometheus behind one connection of type ``prometheus``.

    :param metrics_conn_id: host, port, login and password, or a password alone as a bearer token. Extras besides those
        of :mod:`model_lifecycle.hooks.session`: ``pushgateway``, a URL, or the id of a connection with credentials of
        its own; ``textfile``, the folder of node_exporter's textfile collector as the workers see it; ``grafana``, the
        address of a Grafana that has the dashboards of this package; ``selector``,
        label matchers for the scorer's counts; ``counts``, expressions for the counts of other servers.
    """

    conn_name_attr: ClassVar[str] = "metrics_conn_id"
    default_conn_name = "prometheus_default"
    conn_type = "prometheus"
    hook_name = "Prometheus"
    folders = ("textfile",)

    def __init__(self, metrics_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metrics_conn_id = metrics_conn_id

    @cached_property
    def session(self) -> ConnectionSession:
        """Calls to the server that the connection names."""
        return ConnectionSession(self.connection)

    def get_conn(self) -> ConnectionSession:
        """The session, as other hooks call it."""
        return self.session

    def prove_connection(self) -> str:
        """Prove that Prometheus answers, and that what the extras say can be used; who waits is told at once."""
        self._post("/api/v1/query", urlencode({"query": "1"}).encode())
        self.is_online()
        for expression in self._queries.expressions("model").values():
            self._instant(expression, None)
        if isinstance(place := self._place(), ConnectionSession):
            place.call("GET", "/-/ready", text=True, retry=False)
        return f"Prometheus answers at {self.session.url}"

    def query(self, expression: str, at: datetime | None = None) -> float | None:
        """The one number of an expression; see the contract."""
        result = self._instant(expression, None if at is None else _seconds(at))
        return self._about(expression, lambda: number(result))

    def query_range(
        self, expression: str, start: datetime, end: datetime, step: timedelta
    ) -> list[tuple[datetime, float]]:
        """The numbers of one series; see the contract. Prometheus gives at most 11,000 of them."""
        form = {"start": _seconds(start), "end": _seconds(end), "step": repr(step.total_seconds())}
        result = self._ask("/api/v1/query_range", expression, form)
        return self._about(expression, lambda: points(result))

    def is_online(self) -> None:
        """Ask for the number 1; see the contract.

        It goes the way of every query, so it proves more than a page about health: that this is a Prometheus, has
        started, lets us in, and evaluates.
        """
        if self.query("1") != 1.0:
            raise Invalid("1 is something else here", target=self.session.target, hint="is this a Prometheus?")

    def counts(self, model: str) -> dict[int, Counts]:
        """What each version was asked, summed over instances; see the contract.

        The numbers are those of the last scrape. All are of the same moment.
        """
        results: dict[str, Result] = {}
        moment: str | None = None
        for kind, expression in self._queries.expressions(model).items():
            results[kind] = found = self._instant(expression, moment)
            if not results["requests"].series:
                return {}
            if found.kind != "vector":
                raise Invalid(f"the expression for {kind} gives a {one_line(found.kind)}", target=self.session.target)
            if moment is None:
                moment = repr(found.series[0].points[0][0]) if found.series[0].points else None
        return self._queries.counts(results, self.session.target)

    def publish(self, job: str, grouping: Mapping[str, str], samples: Iterable[Sample]) -> None:
        """Push, or write for the textfile collector, as the connection says; see the contract.

        A Pushgateway keeps a group until it is replaced or deleted: let the grouping name the endpoint and not the
        version, and let each task have a job of its own.
        """
        place = self._place()
        if isinstance(place, ConnectionSession):
            publishing.push(place, job, grouping, samples)
        elif place is not None:
            publishing.write(place, job, grouping, samples)
        else:
            hint = "set the extra pushgateway or textfile"
            raise Invalid("the connection names no place for samples", target=self.session.target, hint=hint)

    def board_url(self, board: str, **variables: str) -> str | None:
        """The dashboard in the Grafana that the extra ``grafana`` names; see the contract."""
        grafana = str(self.connection.extra_dejson.get("grafana") or "").rstrip("/")
        shown = urlencode({f"var-{name}": value for name, value in variables.items()})
        return f"{grafana}/d/{board}?{shown}" if grafana else None

    @cached_property
    def _queries(self) -> CountQueries:
        return CountQueries(self.connection.extra_dejson, self.session.target)

    def _place(self) -> ConnectionSession | Path | None:
        extra = self.connection.extra_dejson
        gateway, folder = str(extra.get("pushgateway") or ""), str(extra.get("textfile") or "")
        if gateway and folder:
            raise Invalid("the connection has both pushgateway and textfile", target=self.session.target)
        if not gateway:
            return Path(folder) if folder else None
        if "://" not in gateway:
            return ConnectionSession(_connection(gateway))
        # Our login is for Prometheus, and goes nowhere else.
        shared = {name: extra[name] for name in ("verify", "ca", "timeout") if name in extra}
        return ConnectionSession(
            Connection(
                conn_id=f"{self.metrics_conn_id}.pushgateway", conn_type="http", host=gateway, extra=json.dumps(shared)
            )
        )

    def _instant(self, expression: str, moment: str | None) -> Result:
        return self._ask("/api/v1/query", expression, {} if moment is None else {"time": moment})

    def _ask(self, path: str, expression: str, form: Mapping[str, str]) -> Result:
        # Prometheus shall give up before we do, and say so.
        whole = {"query": expression, "timeout": f"{self.session.timeout * 900:.0f}ms", **form}
        attempts = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            stop=stop_before_delay(AGAIN),
            reraise=True,
        )
        body = urlencode(whole).encode()
        answer = self._about(expression, lambda: attempts(self._post, path, body))
        result = read_result(answer, self.session.target)
        for warning in result.warnings:
            log.warning("%s says of %s: %s", self.session.target, _short(expression), warning)
        return result

    def _post(self, path: str, body: bytes) -> Any:
        call = self.session.call
        answer = call("POST", path, content=body, headers=_FORM, retry=False, errors=_ERRORS, limit=MAX_ANSWER)
        return json.loads(answer.content or b"null")

    def _about(self, expression: str, act: Callable[[], _T]) -> _T:
        """Do something with an expression; an error says with which."""
        try:
            return act()
        except Invalid as error:
            message = f"{error.message}, in the expression {_short(expression)}"
            raise Invalid(message, target=self.session.target, hint=error.hint) from error


def _connection(conn_id: str) -> Connection:
    try:
        found: Connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        hint = "the extra pushgateway is a URL, or the id of a connection"
        raise Invalid(f"there is no connection {conn_id}", target=conn_id, hint=hint) from error
    return found


def _short(expression: str) -> str:
    return one_line(expression) or "(empty)"


def _seconds(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise Invalid(f"the moment {moment.isoformat()} has no time zone")
    return repr(moment.timestamp())
