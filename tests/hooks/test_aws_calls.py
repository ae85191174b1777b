"""Calls to AWS as a connection describes them: on moto's server, and on botocore's stubber where moto never refuses."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import Connection
from botocore.response import StreamingBody
from botocore.stub import Stubber

from model_lifecycle.core.errors import Denied, Invalid, Unavailable
from model_lifecycle.hooks import aws_calls
from model_lifecycle.hooks.aws_calls import AwsCalls
from tests.servers.moto import REGION, MotoServer
from tests.servers.process import free_ports

SECRET = "wJalrXUtnFEMI-a-secret"
ROLE = "arn:aws:iam::123456789012:role/deployer"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    with MotoServer(tmp_path_factory.mktemp("moto") / "moto.log") as server:
        yield server


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))


def calls(url: str, *, login: str | None = "AKIA1", password: str | None = SECRET, **extra: Any) -> AwsCalls:
    extra = {"region_name": REGION, "endpoint_url": url, **extra}
    connection = Connection(
        conn_id="aws_tried", conn_type="aws", login=login, password=password, extra=json.dumps(extra)
    )
    return AwsCalls(connection, 5.0)


def who(aws: AwsCalls) -> str:
    return str(aws.call("sts", "get_caller_identity")["Arn"])


def test_the_connection_says_where_and_as_whom(moto: MotoServer) -> None:
    aws = calls(moto.url)
    assert who(aws)
    assert aws.client("sts") is aws.client("sts")
    assert (aws.client("sts").meta.region_name, aws.client("sts").meta.endpoint_url) == (REGION, moto.url)
    keys = aws.client("sts")._request_signer._credentials
    assert (keys.access_key, keys.secret_key) == ("AKIA1", SECRET)


def test_keys_may_stand_in_the_extras(moto: MotoServer) -> None:
    own = {"aws_access_key_id": "AKIA2", "aws_secret_access_key": SECRET, "aws_session_token": "token"}
    keys = calls(moto.url, login=None, password=None, **own).client("s3")._request_signer._credentials
    assert (keys.access_key, keys.secret_key, keys.token) == ("AKIA2", SECRET, "token")


def test_a_service_may_have_an_endpoint_of_its_own(moto: MotoServer) -> None:
    aws = calls("http://127.0.0.1:9", service_config={"sts": {"endpoint_url": moto.url}})
    assert who(aws)
    assert aws.client("s3").meta.endpoint_url == "http://127.0.0.1:9"


def test_a_role_is_assumed(moto: MotoServer) -> None:
    aws = calls(moto.url, role_arn=ROLE, external_id="team", assume_role_kwargs={"DurationSeconds": 900})
    assert who(aws) == "arn:aws:sts::123456789012:assumed-role/deployer/airflow-model-lifecycle"
    with pytest.raises(Invalid, match="way to assume a role"):
        who(calls(moto.url, role_arn=ROLE, assume_role_method="assume_role_with_saml"))


def test_without_keys_those_of_the_machine_are_searched(moto: MotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = calls(moto.url, login=None, password=None)
    with pytest.raises(Denied, match="Unable to locate credentials.*check the keys"):
        who(aws)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA3")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert who(calls(moto.url, login=None, password=None))


def test_a_profile_that_is_not_there_and_a_missing_region_are_invalid(moto: MotoServer) -> None:
    with pytest.raises(Invalid, match="nobody"):
        who(calls(moto.url, profile_name="nobody"))
    with pytest.raises(Invalid, match="region"):
        calls("", region_name="").call("sagemaker", "list_endpoints")


def test_what_cannot_be_reached_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_calls, "ATTEMPTS", 1)
    with pytest.raises(Unavailable, match="nothing listens there"):
        who(calls(f"http://127.0.0.1:{free_ports()[0]}"))


def test_a_refusal_never_shows_a_secret(moto: MotoServer) -> None:
    aws = calls(moto.url, aws_session_token="a-token")
    with Stubber(aws.client("s3")) as stubbed:
        stubbed.add_client_error("list_buckets", "AccessDenied", f"{SECRET} and a-token\nare wrong", 403)
        with pytest.raises(Denied) as raised:
            aws.call("s3", "list_buckets")
    assert "AccessDenied *** and *** are wrong" in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_parameter_that_botocore_refuses_is_invalid(moto: MotoServer) -> None:
    with pytest.raises(Invalid, match="Unknown parameter"):
        calls(moto.url).call("s3", "list_buckets", Nonsense=1)


def test_a_body_is_read_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch, moto: MotoServer) -> None:
    aws = calls(moto.url)
    assert aws.body(StreamingBody(io.BytesIO(b"all"), 3)) == b"all"
    monkeypatch.setattr(aws_calls, "MAX_ANSWER", 2)
    with pytest.raises(Invalid, match="larger than 2 bytes"):
        aws.body(StreamingBody(io.BytesIO(b"all"), None))


def test_importing_the_hook_loads_nothing_of_amazon() -> None:
    code = "import sys, airflow.sdk; before = set(sys.modules); import model_lifecycle.hooks.sagemaker_endpoint;"
    code += "print(sorted({'boto3', 'botocore', 's3transfer'} & (set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
