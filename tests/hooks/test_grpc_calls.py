"""Calls over gRPC to a real gRPC server of this process that answers as it is told."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from airflow.sdk import Connection
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from model_lifecycle.core.errors import Conflict, Corrupt, Denied, Invalid, NotFound, Unavailable
from model_lifecycle.hooks.grpc_calls import GrpcCalls, channel_to, message_class, pool_of
from tests.descriptors import FOLDER, compiled
from tests.servers.process import free_ports

METADATA = "inference.GRPCInferenceService/ServerMetadata"
NAME = "open_inference"
Do = Callable[[grpc.ServicerContext], None]


class Answering(grpc.GenericRpcHandler):
    """Answers each call with the metadata that came with it, after what a test wants done."""

    def __init__(self) -> None:
        self.do: Do = lambda context: None
        self.calls = 0

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.calls += 1
        self.do(context)
        sent = [f"{key}={value}" for key, value in context.invocation_metadata()]
        return message_class(NAME, "inference.ServerMetadataResponse")(extensions=sent).SerializeToString()


@pytest.fixture
def answering() -> Answering:
    return Answering()


@pytest.fixture
def serve(answering: Answering) -> Iterator[Callable[..., int]]:
    servers = []

    def serve(credentials: grpc.ServerCredentials | None = None) -> int:
        server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[answering])
        there = "localhost:0"
        port = server.add_secure_port(there, credentials) if credentials else server.add_insecure_port(there)
        server.start()
        servers.append(server)
        return port

    yield serve
    for server in servers:
        server.stop(None).wait()


def connection(extra: dict[str, Any] | None = None, **fields: Any) -> Connection:
    return Connection(conn_id="tried", conn_type="open_inference", extra=json.dumps(extra or {}), **fields)


@pytest.fixture
def calls(serve: Callable[..., int]) -> Iterator[Callable[..., GrpcCalls]]:
    made = []

    def calls(address: str = "", **fields: Any) -> GrpcCalls:
        made.append(GrpcCalls(connection(**fields), address or f"localhost:{serve()}", NAME))
        return made[-1]

    yield calls
    for one in made:
        one.close()


def ask(calls: GrpcCalls, **more: Any) -> list[str]:
    return list(calls.call(METADATA, calls.new("inference.ServerMetadataRequest"), **more).extensions)


def test_the_answer_is_a_message(calls):
    assert any(one.startswith("user-agent=grpc-python") for one in ask(calls()))


@pytest.mark.parametrize("proto", sorted(FOLDER.glob("*.proto")), ids=lambda path: path.name)
def test_a_descriptor_set_is_what_its_text_says(proto):
    written = FileDescriptorSet.FromString(proto.with_suffix(".binpb").read_bytes())
    assert written == FileDescriptorSet.FromString(compiled(proto))


def test_the_messages_stand_in_a_pool_of_their_own():
    from google.protobuf import descriptor_pool

    assert pool_of(NAME) is pool_of(NAME)
    assert message_class(NAME, "inference.ModelInferRequest") is message_class(NAME, "inference.ModelInferRequest")
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("inference.ModelInferRequest")
    with pytest.raises(KeyError):
        message_class(NAME, "inference.Nothing")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("INVALID_ARGUMENT", Invalid),
        ("OUT_OF_RANGE", Invalid),
        ("UNIMPLEMENTED", Invalid),
        ("NOT_FOUND", NotFound),
        ("ALREADY_EXISTS", Conflict),
        ("ABORTED", Conflict),
        ("FAILED_PRECONDITION", Conflict),
        ("PERMISSION_DENIED", Denied),
        ("UNAUTHENTICATED", Denied),
        ("DATA_LOSS", Corrupt),
        ("UNAVAILABLE", Unavailable),
        ("INTERNAL", Unavailable),
        ("UNKNOWN", Unavailable),
        ("RESOURCE_EXHAUSTED", Unavailable),
        ("DEADLINE_EXCEEDED", Unavailable),
    ],
)
def test_every_status_is_one_of_our_errors(answering, calls, status, kind):
    answering.do = lambda context: context.abort(grpc.StatusCode[status], "hunter22 is\nwrong")
    with pytest.raises(kind, match=rf"{METADATA}: {status} \*\*\* is wrong") as caught:
        ask(calls(password="hunter22"), retry=False)
    assert type(caught.value) is kind
    assert isinstance(caught.value.__cause__, grpc.RpcError)


def test_a_call_may_give_a_status_another_meaning(answering, calls):
    answering.do = lambda context: context.abort(grpc.StatusCode.INTERNAL, "the model failed")
    with pytest.raises(Invalid, match="the model failed"):
        ask(calls(), errors={"INTERNAL": Invalid})


def test_an_unavailable_server_is_asked_again(answering, calls):
    def do(context: grpc.ServicerContext) -> None:
        if answering.calls < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "warming up")

    answering.do = do
    assert ask(calls())
    assert answering.calls == 3


def test_a_server_that_stays_silent_or_is_away_is_unavailable(answering, calls):
    given_up = threading.Event()

    def do(context: grpc.ServicerContext) -> None:
        context.add_callback(given_up.set)
        given_up.wait(20)

    answering.do = do
    with pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"):
        ask(calls(extra={"timeout": 0.2}), retry=False)
    with pytest.raises(Unavailable, match="UNAVAILABLE"):
        ask(calls(f"127.0.0.1:{free_ports()[0]}"), deadline=1)


def test_a_closed_channel_is_said_so(calls):
    one = calls()
    one.close()
    with pytest.raises(Invalid, match="closed"):
        ask(one)


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"password": "token7"}, "authorization=Bearer token7"),
        ({"login": "ann", "password": "pw"}, "authorization=Basic YW5uOnB3"),
    ],
)
def test_login_and_password_travel_with_each_call(calls, fields, sent):
    assert sent in ask(calls(**fields))


def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(calls):
    with pytest.raises(Invalid, match="character") as caught:
        calls(password="geheim\n")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "host", "host:port", "http://host:1", "grpc://host", "host:1/path"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(Invalid, match="no address of a gRPC server"):
        channel_to(connection(), address)


class TestTls:
    @pytest.fixture
    def pair(self, tmp_path) -> tuple[Path, Path]:
        return certificate(tmp_path)

    @pytest.fixture
    def port(self, serve, pair) -> int:
        cert, key = pair
        return serve(grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())]))

    def test_the_ca_file_of_the_connection_is_trusted(self, calls, port, pair):
        assert ask(calls(f"grpcs://localhost:{port}", extra={"verify": str(pair[0])}))
        assert ask(calls(f"localhost:{port}", host="https://h", extra={"verify": str(pair[0])}))

    def test_a_certificate_of_nobody_we_know_is_invalid_and_not_tried_for_ever(self, calls, port):
        with pytest.raises(Invalid, match=r"extra ca"):
            ask(calls(f"grpcs://localhost:{port}"), deadline=10)

    def test_leaving_it_unverified_is_refused(self, calls, port):
        with pytest.raises(Invalid, match="cannot leave a certificate unverified"):
            calls(f"grpcs://localhost:{port}", extra={"verify": False})

    def test_a_client_certificate_is_shown(self, calls, serve, pair):
        cert, key = pair
        own = cert.read_bytes()
        port = serve(grpc.ssl_server_credentials([(key.read_bytes(), own)], own, require_client_auth=True))
        extra = {"verify": str(cert), "cert": str(cert), "key": str(key)}
        assert ask(calls(f"grpcs://localhost:{port}", extra=extra))
        with pytest.raises((Invalid, Unavailable)):
            ask(calls(f"grpcs://localhost:{port}", extra={"verify": str(cert)}), retry=False)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of localhost that signs itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8, open_ = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(pem, pkcs8, open_))
    return cert_file, key_file


def test_importing_the_module_loads_no_grpc():
    code = "import sys; import model_lifecycle.hooks.grpc_calls;"
    code += "print([name for name in ('grpc', 'google.protobuf.message') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
