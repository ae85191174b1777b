"""skops files: what skops itself writes and trusts passes, and every other node is refused by name."""

from __future__ import annotations

import json

import pytest

from tests.models import quiet
from tests.trust import raw
from tests.trust.look import refusal
from tests.trust.malicious import skops as packed
from tests.trust.malicious import typed


@quiet()
def dumped(model: object, **more: object) -> bytes:
    import skops.io

    return skops.io.dumps(model, **more)


@quiet()
def untrusted_types(data: bytes) -> list[str]:
    import skops.io

    return skops.io.get_untrusted_types(data=data)


@quiet()
def test_the_gate_and_skops_agree_on_every_estimator_that_can_be_made():
    from sklearn.utils import all_estimators

    estimators = [kind for _, kind in all_estimators()]
    made, differing = 0, []
    for kind in estimators:
        try:
            data = dumped(kind())
        except TypeError:  # it needs others to be made of, or skops has no form for it
            continue
        made += 1
        trusted = not untrusted_types(data)
        if trusted != (refusal(data, "m.skops") is None):
            differing.append(kind)
    assert made > 150
    assert differing == []


@pytest.mark.parametrize("compression", [0, 8])
def test_a_fitted_pipeline_passes_however_it_is_packed(compression):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit([[0.0], [1.0]], [0, 1])
    assert refusal(dumped(model, compression=compression), "m.skops") is None


def test_bytes_in_a_model_may_be_anything_but_code():
    node = typed("builtins", "bytes", "BytesNode", file="1.bin")
    assert refusal(packed(node, **{"1.bin": bytes(range(256))})) is None
    assert (
        refusal(packed(typed("builtins", "dict", "DictNode", content={}), **{"1.bin": bytes(range(256))})) is not None
    )
    assert "ELF" in str(refusal(packed(node, **{"1.bin": b"\x7fELF" + bytes(99)})))


@pytest.mark.parametrize(
    ("node", "named"),
    [
        (typed("os", "system", "FunctionNode"), "names os.system"),
        (typed("builtins", "eval", "TypeNode"), "names builtins.eval"),
        (typed("functools", "partial", "PartialNode", content={}), "names functools.partial"),
        (typed("builtins", "str", "MethodNode", content={}), "holds a MethodNode"),
        (typed("operator", "itemgetter", "OperatorFuncNode"), "holds a OperatorFuncNode"),
        (typed("builtins", "str", "NewNode"), "holds a NewNode"),
        (typed("builtins", "list", "ListNode", content=[typed("os", "getcwd", "FunctionNode")]), "names os.getcwd"),
        ({"__loader__": "JsonNode"}, "names None.None"),
        ({"__loader__": 3, "x": 1}, "no schema"),
        ({"a": {"__loader__": ["x"]}, **typed("builtins", "dict", "DictNode")}, "holds a \\['x'\\]"),
    ],
)
def test_any_other_node_is_refused_by_name(node, named):
    import re

    assert re.search(named, str(refusal(packed(node))))


def test_a_key_of_the_model_that_is_called_like_ours_is_no_node():
    inner = {"__loader__": typed("builtins", "str", "JsonNode", content='"x"')}
    assert refusal(packed(typed("builtins", "dict", "DictNode", content=inner))) is None


@pytest.mark.parametrize("schema", [b"", b"[]", b'"x"', b"{}", b"{" * 5000, b'{"a": 1, "a": 2}', b"\xff"])
def test_what_is_no_schema_is_refused(schema):
    assert refusal(raw.zipped({"schema.json": schema})) is not None


def test_the_policy_can_name_more_types_or_no_skops_at_all():
    data = packed(typed("ours.models", "Scaler", "ObjectNode"))
    assert "globals ours.models.Scaler" in str(refusal(data))
    assert refusal(data, words={"globals": ["ours.*"]}) is None
    good = packed(typed("builtins", "dict", "DictNode", content={}))
    assert "formats skops" in str(refusal(good, words=json.dumps({"formats": ["text", "archive"], "exact": True})))
