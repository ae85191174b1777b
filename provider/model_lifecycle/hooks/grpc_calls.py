"""gRPC as an Airflow Connection describes it, without generated modules that could meet those of another package.

The messages come from a descriptor set, ``descriptors/<name>.binpb`` beside this module, compiled from the ``.proto``
of the same name by ``python -m tests.descriptors``. It is loaded at first use into a pool of its own.

TLS is used where the address begins with ``grpcs://`` or the connection's host or extra ``scheme`` says https; extras
``verify`` (true or a CA file), ``cert`` and ``key`` as for HTTP. Login and password travel as basic authentication, a
password alone as a bearer token.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from model_lifecycle.core.errors import Conflict, Corrupt, Denied, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.hooks.answers import MAX_ANSWER, one_line
from model_lifecycle.hooks.session import CONNECT_TIMEOUT, read_timeout, tls_certificate, tls_verify

if TYPE_CHECKING:
    import grpc
    from airflow.sdk import Connection
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message

# One table for all that a server can say, by the name of the status; what is not in it is Unavailable.
_BY_STATUS: dict[str, type[ModelLifecycleError]] = {
    "INVALID_ARGUMENT": Invalid,
    "OUT_OF_RANGE": Invalid,
    "UNIMPLEMENTED": Invalid,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": Conflict,
    "ABORTED": Conflict,
    "FAILED_PRECONDITION": Conflict,
    "PERMISSION_DENIED": Denied,
    "UNAUTHENTICATED": Denied,
    "DATA_LOSS": Corrupt,
}
_TLS = ("certificate", "ssl", "tls", "handshake")


@cache
def pool_of(descriptor: str) -> DescriptorPool:
    """The private pool with the messages and services of ``descriptors/<descriptor>.binpb``.

    :raises Invalid: if protobuf is not installed.
    """
    _require("google.protobuf")
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool

    pool = DescriptorPool()
    data = Path(__file__).with_name("descriptors").joinpath(f"{descriptor}.binpb").read_bytes()
    for file in FileDescriptorSet.FromString(data).file:
        pool.Add(file)
    return pool


def message_class(descriptor: str, name: str) -> type[Message]:
    """The class of the message with that full name, such as ``inference.ModelInferRequest``.

    :raises KeyError: if the descriptor set holds no such message.
    """
    from google.protobuf.message_factory import GetMessageClass

    found: type[Message] = GetMessageClass(pool_of(descriptor).FindMessageTypeByName(name))
    return found


def channel_to(connection: Connection, address: str) -> grpc.Channel:
    """A channel to ``host:port``, which may begin with ``grpc://`` or ``grpcs://``; nothing is sent yet.

    :raises Invalid: if the address or a TLS extra cannot be used, or grpcio is not installed.
    """
    _require("grpc")
    import grpc

    scheme, _, there = address.strip().rpartition("://")
    if scheme not in ("", "grpc", "grpcs") or not there.rpartition(":")[2].isdecimal() or "/" in there:
        raise Invalid(f"{one_line(address)} is no address of a gRPC server", target=connection.conn_id, hint=_ADDRESS)
    options = [("grpc.max_receive_message_length", MAX_ANSWER), ("grpc.max_send_message_length", -1)]
    if scheme == "grpcs" or (not scheme and _is_https(connection)):
        return grpc.secure_channel(there, _credentials(connection), options)
    return grpc.insecure_channel(there, options)


class GrpcCalls:
    """Calls to the services of one descriptor set on one server, each with a total deadline (Law 9).

    :param connection: as whom, with which TLS and which ``timeout``; nothing is sent before the first call.
    :param address: see :func:`channel_to`.
    :param descriptor: the name of the descriptor set.
    :raises Invalid: if a part of the connection cannot be used; the message never shows a secret.
    """

    def __init__(self, connection: Connection, address: str, descriptor: str) -> None:
        self.descriptor = descriptor
        self.target = f"{connection.conn_id} at {address}"
        self.timeout = read_timeout(connection.extra_dejson.get("timeout"), self.target)
        self._secret = connection.password or ""
        self._metadata = _authorization(connection)
        self._channel = channel_to(connection, address)

    def new(self, message: str, **fields: Any) -> Any:
        """A message of the descriptor set by its full name."""
        return message_class(self.descriptor, message)(**fields)

    def call(
        self,
        method: str,
        request: Message,
        *,
        deadline: float | None = None,
        retry: bool = True,
        errors: Mapping[str, type[ModelLifecycleError]] | None = None,
    ) -> Any:
        """Ask one unary method and return its answer.

        :param method: ``package.Service/Method``.
        :param deadline: seconds for everything, retries included; the time-out plus connecting by default.
        :param retry: repeat while the server is Unavailable and time is left; for verbs that may be repeated.
        :param errors: what a status (by name) means for this call, where the table of this module does not fit.
        :raises ModelLifecycleError: the class that the table gives to the server's status.
        """
        total = self.timeout + CONNECT_TIMEOUT if deadline is None else deadline
        end = time.monotonic() + total
        if not retry:
            return self._once(method, request, end, errors)
        attempts = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_before_delay(total),
            reraise=True,
        )
        return attempts(self._once, method, request, end, errors)

    def close(self) -> None:
        """Close the channel; a later call fails."""
        self._channel.close()

    def _once(
        self, method: str, request: Message, end: float, errors: Mapping[str, type[ModelLifecycleError]] | None
    ) -> Any:
        import grpc

        service, _, name = method.rpartition("/")
        described = pool_of(self.descriptor).FindServiceByName(service).FindMethodByName(name)
        answer = message_class(self.descriptor, described.output_type.full_name)
        ask = self._channel.unary_unary(f"/{method}", type(request).SerializeToString, answer.FromString)
        left = max(min(end - time.monotonic(), self.timeout), 0.001)
        try:
            return ask(request, timeout=left, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._refusal(method, error, errors or {}) from error
        except ValueError as error:
            raise Invalid(f"{method}: the channel is closed", target=self.target) from error

    def _refusal(self, method: str, error: Any, errors: Mapping[str, type[ModelLifecycleError]]) -> ModelLifecycleError:
        status, said = error.code().name, one_line(error.details() or "", self._secret)
        kind = {**_BY_STATUS, **errors}.get(status, Unavailable)
        hint = next((hint for words, hint in _CAUSES if words in said.lower()), None)
        if status == "UNAVAILABLE" and any(word in said.lower() for word in _TLS):
            kind, hint = Invalid, "name the CA file in the extra ca, or correct the scheme"
        if status == "RESOURCE_EXHAUSTED" and "larger than max" in said:
            kind = Invalid
        return kind(f"{method}: {status} {said}", target=self.target, hint=hint)


_CAUSES = (
    ("dns resolution failed", "look for a slip in the host; else ask who runs the name server"),
    ("connection refused", "is the server running, and is this its port?"),
    ("http1", "what answers there speaks HTTP/1: is this the port for gRPC?"),
    ("http2", "what answers there does not speak gRPC: is this the right port?"),
)
_ADDRESS = "write host:port, or grpcs://host:port for TLS"


def _require(module: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        hint = "pip install 'airflow-provider-model-lifecycle[grpc]'"
        raise Invalid(f"gRPC needs {module}, which is not installed here", hint=hint)


def _is_https(connection: Connection) -> bool:
    host = connection.host or ""
    return host.startswith("https://") or ("://" not in host and connection.extra_dejson.get("scheme") == "https")


def _credentials(connection: Connection) -> grpc.ChannelCredentials:
    import grpc

    extra, target = connection.extra_dejson, str(connection.conn_id)
    verify = tls_verify(extra.get("verify"), target, extra.get("ca"))
    if verify is False:
        hint = "name the server's own certificate, or its CA's, in the extra ca"
        raise Invalid("gRPC cannot leave a certificate unverified", target=target, hint=hint)
    roots = Path(verify).read_bytes() if isinstance(verify, str) else None
    own = tls_certificate(extra.get("cert"), extra.get("key"), target)
    if own is None:
        return grpc.ssl_channel_credentials(roots)
    chain, key = own if isinstance(own, tuple) else (own, own)
    return grpc.ssl_channel_credentials(roots, Path(key).read_bytes(), Path(chain).read_bytes())


def _authorization(connection: Connection) -> tuple[tuple[str, str], ...]:
    login, password = connection.login, connection.password or ""
    if login:
        return (("authorization", f"Basic {b64encode(f'{login}:{password}'.encode()).decode()}"),)
    if any(not 31 < ord(char) < 127 for char in password):
        raise Invalid("the token holds a character that gRPC cannot send", target=connection.conn_id)
    return (("authorization", f"Bearer {password}"),) if password else ()
