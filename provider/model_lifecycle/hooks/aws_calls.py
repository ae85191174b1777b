"""AWS as Airflow's connections of type ``aws`` describe it, without the provider for Amazon; boto3 only when called.

Of such a connection are read: login and password (or the extras ``aws_access_key_id`` and ``aws_secret_access_key``),
``aws_session_token``, ``region_name``, ``profile_name``, ``role_arn`` with ``external_id`` or ``assume_role_kwargs``
(assumed through STS), ``endpoint_url``, ``service_config`` for endpoints of single services, and ``verify``. A
connection without keys leaves them to boto3's own search: environment, profile, the role of the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.breakdowns import breakdown_of
from model_lifecycle.core.errors import Invalid, ModelLifecycleError, Unavailable
from model_lifecycle.hooks.answers import MAX_ANSWER, one_line
from model_lifecycle.hooks.aws_errors import HINTS, failed, refused
from model_lifecycle.hooks.session import CONNECT_TIMEOUT, tls_verify

if TYPE_CHECKING:
    from airflow.sdk import Connection

ATTEMPTS = 3
"""How often boto3 asks at most where AWS is throttled, unreachable or failing."""


class AwsCalls:
    """Clients of AWS's services on one account and region; every call has time-outs and a bounded number of attempts.

    :param connection: of type ``aws``; nothing is sent before the first call.
    :param timeout: seconds a call may stay silent.
    :raises Invalid: if boto3 is not installed, or a part of the connection cannot be used.
    """

    def __init__(self, connection: Connection, timeout: float) -> None:
        self.connection, self.timeout = connection, timeout
        self.extra: Mapping[str, Any] = connection.extra_dejson
        self.target = f"AWS through {connection.conn_id}"
        self._secrets = [text for text in (connection.password, self.extra.get("aws_secret_access_key"),
                                           self.extra.get("aws_session_token")) if text]  # fmt: skip
        self._clients: dict[str, Any] = {}
        self._session: Any = None

    def client(self, service: str) -> Any:
        """boto3's client of a service; made once."""
        if service not in self._clients:
            self._clients[service] = self._made(service)
        return self._clients[service]

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Ask one operation, named as boto3 names its method, and return the answer.

        :raises ModelLifecycleError: the class that this module's tables give to the error.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        what = f"{service} {operation}"
        try:
            answer: dict[str, Any] = getattr(self.client(service), operation)(**parameters)
        except ClientError as error:
            raise self._refusal(what, error) from error
        except BotoCoreError as error:
            raise self._failure(what, error) from error
        return answer

    def body(self, stream: Any) -> bytes:
        """Read the body of an answer.

        :raises Invalid: if it is larger than 64 MiB.
        :raises Unavailable: if it breaks off.
        """
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        try:
            data: bytes = stream.read(MAX_ANSWER + 1)
        except (BotoCoreError, HTTPError) as error:
            raise Unavailable(f"the answer broke off: {type(error).__name__}", target=self.target) from error
        finally:
            stream.close()
        if len(data) > MAX_ANSWER:
            raise Invalid(f"the answer is larger than {MAX_ANSWER} bytes", target=self.target)
        return data

    def _made(self, service: str) -> Any:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(
            connect_timeout=min(CONNECT_TIMEOUT, self.timeout),
            read_timeout=self.timeout,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        )
        try:
            self._session = self._session or self._opened(config)
            return self._session.client(service, config=config, **self._where(service))
        except (BotoCoreError, ValueError) as error:
            raise self._failure(f"connecting to {service}", error) from error

    def _opened(self, config: Any) -> Any:
        session = self._own_session()
        role = self.extra.get("role_arn")
        if not role:
            return session
        if self.extra.get("assume_role_method") not in (None, "", "assume_role"):
            hint = "use assume_role, or a connection whose keys are those of the role"
            raise Invalid("this way to assume a role is not known here", target=self.target, hint=hint)
        return self._assumed(session, str(role), config)

    def _own_session(self) -> Any:
        _require_boto3()
        from boto3.session import Session

        extra = self.extra
        profile = extra.get("profile_name") or (extra.get("session_kwargs") or {}).get("profile_name")
        return Session(
            botocore_session=_shared(),
            aws_access_key_id=self.connection.login or extra.get("aws_access_key_id") or None,
            aws_secret_access_key=self.connection.password or extra.get("aws_secret_access_key") or None,
            aws_session_token=extra.get("aws_session_token") or None,
            region_name=extra.get("region_name") or None,
            profile_name=profile or None,
        )

    def _assumed(self, session: Any, role: str, config: Any) -> Any:
        from boto3.session import Session
        from botocore.exceptions import BotoCoreError, ClientError

        asked = {"RoleSessionName": "airflow-model-lifecycle", **(self.extra.get("assume_role_kwargs") or {})}
        if self.extra.get("external_id"):
            asked["ExternalId"] = self.extra["external_id"]
        try:
            sts = session.client("sts", config=config, **self._where("sts"))
            keys = sts.assume_role(RoleArn=role, **asked)["Credentials"]
        except ClientError as error:
            raise self._refusal("sts assume_role", error) from error
        except BotoCoreError as error:
            raise self._failure("sts assume_role", error) from error
        self._secrets += [keys["SecretAccessKey"], keys["SessionToken"]]
        own = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        return Session(*own, session.region_name, _shared())

    def _where(self, service: str) -> dict[str, Any]:
        own = (self.extra.get("service_config") or {}).get(service) or {}
        url = own.get("endpoint_url") or self.extra.get("endpoint_url") or None
        return {"endpoint_url": url, "verify": tls_verify(self.extra.get("verify"), self.target)}

    def _refusal(self, what: str, error: Any) -> ModelLifecycleError:
        kind, said = refused(error.response)
        return kind(f"{what}: {self._clean(said)}", target=self.target, hint=HINTS.get(kind))

    def _failure(self, what: str, error: Exception) -> ModelLifecycleError:
        if found := breakdown_of(error):
            why = Unavailable if found.passing else Invalid
            own = found.hint.replace("the extra ca", "the extra verify of the aws connection")
            return why(f"{what}: {found.message}", target=self.target, hint=own)
        kind, hint = failed(error)
        return kind(f"{what}: {self._clean(str(error))}", target=self.target, hint=hint)

    def _clean(self, text: str) -> str:
        return one_line(text, *self._secrets)


@cache
def _require_boto3() -> None:
    from importlib.util import find_spec

    if find_spec("boto3") is None:
        hint = "pip install 'airflow-provider-model-lifecycle[sagemaker]'"
        raise Invalid("AWS needs boto3, which is not installed here", hint=hint)


def _shared() -> Any:
    """A session of botocore that shares the descriptions of the services: SageMaker's takes a second to read."""
    from botocore.session import get_session

    session = get_session()
    session.register_component("data_loader", _loader())
    return session


@cache
def _loader() -> Any:
    from botocore.loaders import create_loader

    return create_loader()
