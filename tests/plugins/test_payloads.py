"""JSON of strangers: whatever comes, a value that the schema allows or one clear refusal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.plugins.payloads import read_payload

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
SCHEMAS = st.sampled_from(["alertmanager", "mlflow_webhook"])


@given(st.binary(), SCHEMAS)
def test_no_bytes_do_anything_but_be_refused(body: bytes, schema: str):
    with pytest.raises(Invalid):
        read_payload(body, schema)


@given(ANY, SCHEMAS)
def test_whatever_is_json_and_of_another_shape_is_refused(value: object, schema: str):
    with pytest.raises(Invalid):
        read_payload(json.dumps(value).encode(), schema)


@given(st.dictionaries(st.text(), ANY))
def test_what_else_a_payload_holds_does_no_harm(more: dict[str, object]):
    value = {**json.loads(json.dumps(more).replace("NaN", "0").replace("Infinity", "0")), "version": "4", "alerts": []}
    for name in ("status", "receiver", "groupKey", "truncatedAlerts"):
        value.pop(name, None)
    assert read_payload(json.dumps(value).encode(), "alertmanager") == value


@pytest.mark.parametrize("depth", [200, 10_000, 400_000])
def test_depth_is_refused_or_ignored_and_never_kills(depth: int):
    body = b'{"version": "4", "alerts": [], "more": ' + b"[" * depth + b"]" * depth + b"}"
    try:
        assert read_payload(body, "alertmanager")["alerts"] == []
    except Invalid as error:
        assert "nested too deeply" in str(error)


def test_a_refusal_repeats_nothing_that_was_sent():
    body = json.dumps({"version": "4", "alerts": [{"labels": {"model": ["hunter2"]}}]}).encode()
    with pytest.raises(Invalid) as caught:
        read_payload(body, "alertmanager")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(number: str):
    with pytest.raises(Invalid, match=f"it holds {number}"):
        read_payload(f'{{"version": "4", "alerts": [], "x": {number}}}'.encode(), "alertmanager")
