"""The hook against a real Prometheus; doubles only for what no Prometheus does."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from model_lifecycle.core.errors import Denied, Invalid, Unavailable
from model_lifecycle.core.samples import Sample
from model_lifecycle.hooks import prometheus as module
from model_lifecycle.hooks.metrics import metrics_hook
from model_lifecycle.hooks.prometheus import PrometheusHook
from tests.hooks.test_grpc_calls import certificate
from tests.operators.life import Life
from tests.servers.metric_doubles import AnsweringDouble, SilentDouble
from tests.servers.process import free_ports
from tests.servers.prometheus import Prometheus, Pushgateway

SECRET = "s3cr3t-of-the-team"
HASHED = "$2b$04$abcdefghijklmnopqrstuujrA5eeiyksMs10kWItpDqX4QfjbA8Ja"
TWO = 'label_replace(vector(1), "b", "1", "", "") or label_replace(vector(1), "b", "2", "", "")'


@pytest.fixture
def hook(prometheus_connection: str) -> PrometheusHook:
    found = metrics_hook(prometheus_connection)
    assert isinstance(found, PrometheusHook)
    return found


def connect(
    monkeypatch: pytest.MonkeyPatch, port: int, host: str = "http://127.0.0.1", **fields: Any
) -> PrometheusHook:
    extra = {"timeout": 20, **fields.pop("extra", {})}
    connection = {"conn_type": "prometheus", "host": host, "port": port, "extra": extra, **fields}
    monkeypatch.setenv("AIRFLOW_CONN_TRIED", json.dumps(connection))
    return PrometheusHook("tried")


def until(hook: PrometheusHook, expression: str) -> float:
    """The expression's number once Prometheus has scraped it."""
    deadline = time.monotonic() + 30
    while (value := hook.query(expression)) is None:
        assert time.monotonic() < deadline, expression
        time.sleep(0.2)
    return value


class TestQuery:
    @pytest.mark.parametrize(
        ("expression", "value"), [("2 * 21", 42.0), ("vector(-1.5)", -1.5), ("sum(vector(3))", 3.0)]
    )
    def test_a_scalar_and_a_vector_of_one_are_a_number(self, hook, expression, value):
        assert hook.query(expression) == value

    @pytest.mark.parametrize(
        "expression",
        ["nothing_has_this_name", "vector(NaN)", "NaN", "1 / 0", "vector(-1) / 0", "sum(up > 10)", "0 / 0"],
    )
    def test_no_series_a_nan_and_infinities_are_no_data(self, hook, expression):
        assert hook.query(expression) is None

    def test_several_series_are_refused_by_the_labels_in_which_they_differ(self, hook):
        with pytest.raises(Invalid, match=r"has 2 series, which differ in b \(1, 2\), in the expression label_replace"):
            hook.query(TWO)

    def test_a_label_that_some_series_lack_is_named_too(self, hook):
        with pytest.raises(Invalid, match=r"differ in b \(none, 1\)"):
            hook.query('vector(1) or label_replace(vector(1), "b", "1", "", "")')

    @pytest.mark.parametrize(
        ("expression", "message"),
        [
            ("sum((", r"400 .*1:6: parse error: unclosed left parenthesis, in the expression sum\(\("),
            ('up{a="b"', "400 .*1:9: parse error"),
            ("", r"400 .*no expression found in input, in the expression \(empty\)"),
            (f"vector(1) * on() ({TWO})", "422 found duplicate series for the match group .*many-to-many matching"),
            (f'label_replace({TWO}, "b", "", "", "")', "422 vector cannot contain metrics with the same labelset"),
            ("up[5m]", "gives a matrix, in the expression .* -> a range such as"),
            ("'text'", "gives a string, .* -> a text is no number"),
        ],
    )
    def test_a_wrong_expression_is_told_in_the_words_of_prometheus(self, hook, expression, message):
        with pytest.raises(Invalid, match=message):
            hook.query(expression)

    def test_an_expression_may_be_longer_than_any_url(self, hook):
        assert hook.query(f'absent(up{{job="{"x" * 500_000}"}})') == 1.0

    def test_the_moment_can_be_given(self, hook):
        moment = datetime(2026, 1, 2, 3, 4, 5, 500_000, UTC)
        assert hook.query("time()", at=moment) == moment.timestamp()
        with pytest.raises(Invalid, match="has no time zone"):
            hook.query("time()", at=datetime(2026, 1, 2))

    def test_more_series_than_anybody_reads_are_refused_without_reading_them(
        self, hook, pushgateway_server: Pushgateway, monkeypatch
    ):
        name = f"many_{uuid4().hex}"
        text = "".join(f'{name}{{number="{number}"}} 1\n' for number in range(3000))
        assert pushgateway_server.get(f"/metrics/job/{name}", "PUT", text.encode())[0] == 200
        assert until(hook, f"count({name})") == 3000
        with pytest.raises(Invalid, match=r"has 3000 series, which differ in number \(0, 1, 10, \.\.\.\)"):
            hook.query(name)
        monkeypatch.setattr(module, "MAX_ANSWER", 100_000)
        with pytest.raises(Invalid, match=f"the answer is larger than 100000 bytes, in the expression {name}"):
            hook.query(name)
        pushgateway_server.get(f"/metrics/job/{name}", "DELETE")

    def test_metrics_that_are_no_numbers_are_no_data_also_when_they_were_scraped(self, hook, pushgateway_server):
        name = f"odd_{uuid4().hex}"
        text = f'{name}{{is="nan"}} NaN\n{name}{{is="inf"}} +Inf\n{name}{{is="one"}} 1\n'
        assert pushgateway_server.get(f"/metrics/job/{name}", "PUT", text.encode())[0] == 200
        assert until(hook, f'{name}{{is="one"}}') == 1.0
        assert hook.query(f'{name}{{is="nan"}}') is None
        assert hook.query(f'{name}{{is="inf"}}') is None
        assert hook.query(f"sum({name})") is None  # one NaN makes the sum one
        with pytest.raises(Invalid, match=r"has 3 series, which differ in is \(inf, nan, one\)"):
            hook.query(name)


class TestRange:
    START = datetime(2026, 1, 2, tzinfo=UTC)

    def test_points_come_with_their_moments_and_without_those_that_are_no_numbers(self, hook):
        minute = timedelta(minutes=1)
        seconds = f"(time() - {self.START.timestamp():.0f})"
        found = hook.query_range(f"vector(60) / {seconds}", self.START, self.START + 3 * minute, minute)
        assert found == [(self.START + n * minute, 1 / n) for n in (1, 2, 3)]

    def test_a_step_may_be_a_part_of_a_second(self, hook):
        step = timedelta(milliseconds=500)
        assert len(hook.query_range("vector(1)", self.START, self.START + 4 * step, step)) == 5

    def test_nothing_is_an_empty_list_and_several_series_are_refused(self, hook):
        end, step = self.START + timedelta(hours=1), timedelta(minutes=1)
        assert hook.query_range("nothing_has_this_name", self.START, end, step) == []
        with pytest.raises(Invalid, match=r"has 2 series, which differ in b \(1, 2\)"):
            hook.query_range(TWO, self.START, end, step)

    def test_too_many_points_are_refused_by_prometheus(self, hook):
        with pytest.raises(Invalid, match="400 exceeded maximum resolution of 11,000 points"):
            hook.query_range("vector(1)", self.START, self.START + timedelta(days=1), timedelta(seconds=1))


class TestOnline:
    def test_a_prometheus_that_answers_is_online(self, hook):
        hook.is_online()
        assert hook.test_connection() == (True, f"Prometheus answers at {hook.session.url}")

    def test_nothing_there_is_unavailable(self, monkeypatch):
        monkeypatch.setattr(module, "AGAIN", 0.1)
        with pytest.raises(Unavailable, match="POST /api/v1/query: the connection failed"):
            connect(monkeypatch, free_ports()[0]).is_online()

    def test_one_that_never_answers_is_unavailable(self, monkeypatch):
        monkeypatch.setattr(module, "AGAIN", 0.1)
        with SilentDouble() as silent:
            hook = connect(monkeypatch, silent.port, extra={"timeout": 0.3})
            with pytest.raises(Unavailable, match="no answer in time"):
                hook.is_online()

    def test_one_that_has_no_time_for_a_query_is_unavailable_in_its_own_words(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "AGAIN", 0.1)
        with Prometheus(tmp_path, options=["--query.timeout=100ms"]) as server:
            with pytest.raises(Unavailable, match="503 query timed out"):
                connect(monkeypatch, server.port).query(" + ".join(["1"] * 10_000))

    def test_one_that_still_reads_its_log_is_unavailable(self, monkeypatch):
        monkeypatch.setattr(module, "AGAIN", 0.1)
        with AnsweringDouble(503, "text/plain", b"Service Unavailable") as double:
            with pytest.raises(Unavailable, match="503 Service Unavailable"):
                connect(monkeypatch, double.port).is_online()

    @pytest.mark.parametrize(
        ("status", "kind", "body", "message"),
        [
            (
                200,
                "text/html",
                b"<!DOCTYPE html><html><body>Sign in</body></html>",
                "answered with HTML: is this the right",
            ),
            (200, "text/plain", b"hello", "answered with something that is not JSON"),
            (200, "application/json", b"", "something that is no result of a query was answered"),
            (200, "application/json", b"[1]", "something that is no result of a query was answered"),
            (200, "application/json", b'{"data": {"resultType": "vector", "result": 3}}', "no result of a query"),
            (
                200,
                "application/json",
                b'{"data": {"resultType": "scalar", "result": [1, "2"]}}',
                "1 is something else here",
            ),
            (404, "text/html", b"<html>not here</html>", "404"),
        ],
    )
    def test_somebody_else_there_is_invalid(self, monkeypatch, status, kind, body, message):
        with AnsweringDouble(status, kind, body) as double:
            with pytest.raises(Invalid, match=message):
                connect(monkeypatch, double.port).is_online()

    def test_another_daemon_of_the_same_family_is_invalid(self, monkeypatch, pushgateway_server):
        with pytest.raises(Invalid, match="POST /api/v1/query: 404"):
            connect(monkeypatch, pushgateway_server.port).is_online()

    def test_the_button_says_what_is_wrong_instead_of_raising(self, monkeypatch, prometheus_server):
        extra = {"counts": {"requests": "sum by (version) (oops"}}
        done, message = connect(monkeypatch, prometheus_server.port, extra=extra).test_connection()
        assert not done
        assert "parse error" in message
        monkeypatch.setattr(module, "AGAIN", 0.1)
        gateway = f"http://127.0.0.1:{free_ports()[0]}"
        extra = {"pushgateway": gateway, "timeout": 0.5}
        done, message = connect(monkeypatch, prometheus_server.port, extra=extra).test_connection()
        assert not done
        assert "the connection failed" in message


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, Path]]:
    """A Prometheus with TLS and basic authentication, and the certificate it shows."""
    folder = tmp_path_factory.mktemp("secured")
    cert, key = certificate(folder)
    web = {"tls_server_config": {"cert_file": str(cert), "key_file": str(key)}, "basic_auth_users": {"airflow": HASHED}}
    with Prometheus(folder, web=web) as server:
        yield server, cert


class TestWhoWeAre:
    def test_login_and_certificate_are_those_of_the_connection(self, secured, monkeypatch):
        server, cert = secured
        who = {"login": "airflow", "password": SECRET, "extra": {"verify": str(cert)}}
        connect(monkeypatch, server.port, "https://localhost", **who).is_online()

    @pytest.mark.parametrize("who", [{}, {"login": "airflow", "password": "wrong-one"}, {"password": "a-token"}])
    def test_who_may_not_is_denied_and_no_secret_is_told(self, secured, monkeypatch, who):
        server, cert = secured
        hook = connect(monkeypatch, server.port, "https://localhost", extra={"verify": str(cert)}, **who)
        with pytest.raises(Denied, match="401 Unauthorized") as caught:
            hook.is_online()
        assert not who or who["password"] not in str(caught.value)

    def test_a_certificate_of_nobody_we_know_is_refused(self, secured, monkeypatch):
        server, _ = secured
        with pytest.raises(Invalid, match="TLS failed"):
            connect(monkeypatch, server.port, "https://localhost").is_online()

    def test_a_password_alone_is_a_bearer_token(self, monkeypatch):
        with AnsweringDouble(body=b'{"data": {"resultType": "scalar", "result": [1, "1"]}}') as double:
            connect(monkeypatch, double.port, password="a-token").is_online()
        assert double.headers[0]["Authorization"] == "Bearer a-token"
        assert double.headers[0]["Content-Type"] == "application/x-www-form-urlencoded"

    def test_a_secret_in_the_address_is_refused(self, monkeypatch):
        with pytest.raises(Invalid, match="holds more than a host and a path"):
            connect(monkeypatch, 9090, f"http://airflow:{SECRET}@prometheus").is_online()


def test_what_prometheus_warns_of_is_logged(monkeypatch, caplog):
    body = b'{"data": {"resultType": "scalar", "result": [1, "1"]}, "warnings": ["one of two\\nstores is away"]}'
    with AnsweringDouble(body=body) as double, caplog.at_level(logging.WARNING):
        connect(monkeypatch, double.port).is_online()
    assert "says of 1: one of two stores is away" in caplog.text


class TestCounts:
    def test_they_are_those_of_the_scorer_once_it_was_scraped(self, hook, life: Life):
        life.deploy(life.version(1.0))
        assert hook.counts("never-asked") == {}
        for _ in range(20):
            life.answer()
        expected = life.serving.counts(life.model)[1]
        until(hook, f'scorer_requests_total{{model="{life.model}",version="1"}} >= {expected.requests}')
        found = hook.counts(life.model)
        assert found[1].requests == expected.requests >= 20
        assert found[1] == expected

    def test_a_selector_keeps_other_scorers_out(self, monkeypatch, prometheus_server, hook, life: Life):
        life.deploy(life.version(1.0))
        life.answer()
        until(hook, f'scorer_requests_total{{model="{life.model}"}}')
        here = connect(monkeypatch, prometheus_server.port, extra={"selector": 'job="scorer"'})
        assert here.counts(life.model)[1].requests >= 1
        there = connect(monkeypatch, prometheus_server.port, extra={"selector": ',job="elsewhere",'})
        assert there.counts(life.model) == {}

    @pytest.mark.parametrize(
        ("expression", "message"),
        [
            ("vector(1)", "has a series whose label version is ''"),
            ('label_replace(vector(1), "version", "v7", "", "")', "whose label version is 'v7'"),
            ("1", "the expression for requests gives a scalar"),
            ("up[5m]", "the expression for requests gives a matrix"),
        ],
    )
    def test_expressions_that_do_not_sum_by_version_are_refused(
        self, monkeypatch, prometheus_server, expression, message, hook
    ):
        until(hook, "sum(up)")
        extra = {"counts": {"requests": expression}}
        with pytest.raises(Invalid, match=message):
            connect(monkeypatch, prometheus_server.port, extra=extra).counts("churn")

    def test_a_model_that_is_none_never_reaches_an_expression(self, hook):
        with pytest.raises(Invalid, match="model name .* is not allowed"):
            hook.counts('m"} or up{a="')


class TestPublish:
    def test_samples_can_be_asked_for_once_they_were_scraped(self, hook):
        endpoint = f"scorer_default/{uuid4().hex}"
        samples = [Sample("published_value", 0.25, {"version": "7"}, "What was found.")]
        hook.publish("monitor", {"endpoint": endpoint}, samples)
        expression = f'published_value{{job="monitor",endpoint="{endpoint}",version="7"}}'
        assert until(hook, expression) == 0.25

    def test_the_pushgateway_may_have_a_connection_of_its_own(self, monkeypatch):
        with AnsweringDouble() as double:
            gateway = {"conn_type": "http", "host": "127.0.0.1", "port": double.port, "login": "u", "password": SECRET}
            monkeypatch.setenv("AIRFLOW_CONN_GATEWAY", json.dumps(gateway))
            hook = connect(monkeypatch, 1, password="for-prometheus-only", extra={"pushgateway": "gateway"})
            hook.publish("monitor", {}, [Sample("a", 1.0)])
            assert double.headers[0]["Authorization"].startswith("Basic ")
            hook = connect(
                monkeypatch, 1, password="for-prometheus-only", extra={"pushgateway": f"http://127.0.0.1:{double.port}"}
            )
            hook.publish("monitor", {}, [Sample("a", 1.0)])
            assert "Authorization" not in double.headers[1]

    def test_a_connection_of_the_pushgateway_that_is_not_there_is_told(self, monkeypatch):
        with pytest.raises(Invalid, match="there is no connection gateway:9091 .* -> the extra pushgateway is a URL"):
            connect(monkeypatch, 1, extra={"pushgateway": "gateway:9091"}).publish("monitor", {}, [])

    def test_a_secret_in_the_address_of_the_pushgateway_is_refused(self, monkeypatch):
        hook = connect(monkeypatch, 1, extra={"pushgateway": f"http://u:{SECRET}@gateway:9091"})
        with pytest.raises(Invalid, match="holds more than a host and a path") as caught:
            hook.publish("monitor", {}, [])
        assert SECRET not in str(caught.value)

    def test_samples_go_to_the_textfile_collector_if_the_connection_says_so(self, monkeypatch, tmp_path: Path):
        hook = connect(monkeypatch, 1, extra={"textfile": str(tmp_path)})
        hook.publish("monitor", {"endpoint": "a/b"}, [Sample("a", 1.0)])
        (file,) = tmp_path.iterdir()
        assert 'a{endpoint="a/b"} 1.0' in file.read_text()

    def test_a_connection_without_a_place_or_with_two_is_told(self, monkeypatch, tmp_path):
        with pytest.raises(Invalid, match=r"names no place for samples .* -> set the extra pushgateway or textfile"):
            connect(monkeypatch, 1).publish("monitor", {}, [])
        extra = {"textfile": str(tmp_path), "pushgateway": "http://gateway"}
        with pytest.raises(Invalid, match="has both pushgateway and textfile"):
            connect(monkeypatch, 1, extra=extra).publish("monitor", {}, [])
