"""The calls of TensorFlow Serving: our messages against the official ones, and what statuses and addresses mean."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.grpc_calls import message_class, pool_of
from model_lifecycle.hooks.serving import VersionState
from model_lifecycle.hooks.tensorflow_calls import (
    AVAILABLE,
    DESCRIPTOR,
    END,
    LOADING,
    START,
    UNLOADING,
    Status,
    address_of,
    state_of,
)
from tests.servers.environments import environment
from tests.servers.tensorflow_server import HERE, QUIET
from tests.servers.tensorflow_wire import fields, official

FILE = pool_of(DESCRIPTOR).FindFileByName("tensorflow_serving.proto")
VALUES = {"string": "ä", "bytes": b"\x00\xff", "bool": True, "float": 0.5}


def filled(descriptor: Any) -> Any:
    """A message with something in every field; of a choice the last one stays."""
    message = message_class(DESCRIPTOR, descriptor.full_name)()
    for field in descriptor.fields:
        if field.message_type is None:
            kind = {9: "string", 12: "bytes", 8: "bool", 1: "float", 2: "float"}.get(field.type)
            value: Any = VALUES[kind] if kind else 7 + field.number
            if field.is_repeated:
                getattr(message, field.name).extend([value, value])
            else:
                setattr(message, field.name, value)
        elif field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"]
            target = getattr(message, field.name)
            if inner.message_type is None:
                target["key"] = 9
            else:
                target["key"].CopyFrom(filled(inner.message_type))
        elif field.is_repeated:
            getattr(message, field.name).add().CopyFrom(filled(field.message_type))
        else:
            getattr(message, field.name).CopyFrom(filled(field.message_type))
    return message


def nested(descriptors: Any) -> list[Any]:
    found = [one for one in descriptors if not one.GetOptions().map_entry]
    return [*found, *(inner for one in found for inner in nested(one.nested_types))]


MESSAGES = [one.full_name for one in nested(FILE.message_types_by_name.values())]


@pytest.fixture(scope="module")
def officially() -> Any:
    """What the official classes read in our bytes, and write themselves."""
    ours = {name: filled(pool_of(DESCRIPTOR).FindMessageTypeByName(name)).SerializeToString() for name in MESSAGES}
    command = [str(environment("tensorflow") / "python"), "-P", str(HERE / "tensorflow_wire.py")]
    sent = json.dumps({name: b64encode(data).decode() for name, data in ours.items()})
    done = subprocess.run(command, input=sent, capture_output=True, text=True, env=QUIET, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", MESSAGES)
def test_the_official_classes_read_what_we_write_and_we_read_what_they_write(officially: Any, name: str) -> None:
    ours = filled(pool_of(DESCRIPTOR).FindMessageTypeByName(name))
    assert officially[name]["fields"] == json.loads(json.dumps(fields(ours)))
    assert type(ours).FromString(b64decode(officially[name]["bytes"])) == ours


def test_the_calls_have_their_official_names_and_messages(officially: Any) -> None:
    for service in FILE.services_by_name.values():
        for method in service.methods:
            wanted = [official(method.input_type.full_name), official(method.output_type.full_name)]
            assert officially["services"][service.full_name][method.name] == wanted


@pytest.mark.parametrize(
    ("status", "listed", "means"),
    [
        (Status(AVAILABLE), True, VersionState.READY),
        (Status(AVAILABLE), False, VersionState.READY),
        (Status(START), True, VersionState.LOADING),
        (Status(LOADING), False, VersionState.LOADING),
        (Status(END, "cut"), True, VersionState.FAILED),
        (Status(END, "cut"), False, None),  # it failed once, and was taken off the list: the server never forgets
        (Status(END), False, None),
        (Status(END), True, VersionState.LOADING),  # listed again, and not taken up yet
        (Status(UNLOADING), False, None),
        (Status(UNLOADING), True, VersionState.LOADING),
        (Status(), True, VersionState.LOADING),
        (Status(), False, None),
    ],
)
def test_what_a_status_means(status: Status, listed: bool, means: VersionState | None) -> None:
    assert state_of(status, listed) is means


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("models", None, "models:8500"),
        ("models", 9000, "models:9000"),
        ("models:9001", 9000, "models:9001"),
        ("http://models", None, "grpc://models:8500"),
        ("https://models/", 443, "grpcs://models:443"),
        ("grpcs://models", None, "grpcs://models:8500"),
        ("::1", None, "[::1]:8500"),
        ("[::1]:9001", None, "[::1]:9001"),
    ],
)
def test_the_address_of_a_connection(host: str, port: int | None, address: str) -> None:
    assert address_of(Connection(conn_id="c", conn_type="tensorflow_serving", host=host, port=port)) == address


def test_a_connection_without_host_is_refused() -> None:
    with pytest.raises(Invalid, match="has no host"):
        address_of(Connection(conn_id="c", conn_type="tensorflow_serving"))


def test_the_descriptor_is_small() -> None:
    data = Path(HERE.parents[1] / "provider/model_lifecycle/hooks/descriptors/tensorflow_serving.binpb").read_bytes()
    assert len(data) < 8_000
