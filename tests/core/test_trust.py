"""What a policy says, how it is written down, and which names it lets a file use."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.trust import (
    CODE_LOADERS,
    FORMATS,
    KNOWN_FLAVORS,
    KNOWN_LOADERS,
    SAFE_FORMATS,
    TrustPolicy,
    allow_hint,
    untrusted,
)

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}(\.[A-Za-z_][A-Za-z0-9_]{0,8}){0,3}", fullmatch=True)
POLICIES = st.builds(
    TrustPolicy,
    formats=st.frozensets(st.sampled_from(sorted(FORMATS))),
    flavors=st.frozensets(NAMES, max_size=4),
    loader_modules=st.frozensets(NAMES, max_size=4),
    code=st.booleans(),
    globals=st.frozensets(NAMES | NAMES.map(lambda name: f"{name}.*"), max_size=4),
)


def test_the_default_allows_no_format_that_can_run_code():
    policy = TrustPolicy()
    assert policy.formats == SAFE_FORMATS
    assert not policy.code
    assert not policy.formats & {"pickle", "torchscript", "keras", "tensorflow_saved_model", "unknown"}
    assert not policy.loader_modules & CODE_LOADERS


@pytest.mark.parametrize("value", [None, "", "  ", " , ", {}, "{}", TrustPolicy()])
def test_nothing_said_is_the_default(value):
    assert TrustPolicy.parse(value) == TrustPolicy()


def test_words_and_lists_are_added_to_the_default():
    policy = TrustPolicy.parse(" pickle, torchscript,code ")
    assert policy.formats == SAFE_FORMATS | {"pickle", "torchscript"}
    assert policy.code
    value = {"formats": ["pickle"], "flavors": ["spark"], "loader_modules": ["ours.loader"], "globals": ["ours.*"]}
    policy = TrustPolicy.parse(json.dumps(value))
    assert policy.formats == SAFE_FORMATS | {"pickle"}
    assert policy.flavors == KNOWN_FLAVORS | {"spark"}
    assert policy.loader_modules == KNOWN_LOADERS | {"ours.loader"}
    assert policy.globals == {"ours.*"}
    assert not policy.code


def test_an_exact_policy_is_all_there_is():
    policy = TrustPolicy.parse({"formats": ["onnx", "text"], "exact": True})
    assert policy.formats == {"onnx", "text"}
    assert policy.flavors == KNOWN_FLAVORS


@given(POLICIES)
def test_a_policy_written_down_is_read_back(policy):
    assert TrustPolicy.parse(policy.to_dict()) == policy
    assert TrustPolicy.parse(json.dumps(policy.to_dict())) == policy


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("pickel", "unknown format 'pickel'.*known are .*pickle"),
        ({"format": ["pickle"]}, "unknown key 'format'"),
        ({"formats": "pickle"}, "formats is a list"),
        ({"formats": [1]}, "no word"),
        ({"code": "yes"}, "true or false"),
        ({"exact": 1}, "true or false"),
        ({"globals": ["*"]}, "no dotted name"),
        ({"globals": ["os.sys*"]}, "no dotted name"),
        ({"globals": ["a..b"]}, "no dotted name"),
        ({"loader_modules": ["mlflow.*"]}, "no dotted name"),
        ("{", "not JSON"),
        ("{" * 100_000, "not JSON"),
        (3, "expected words"),
        (["pickle"], "expected words"),
    ],
)
def test_what_is_not_known_is_refused_by_name(value, message):
    with pytest.raises(Invalid, match=message):
        TrustPolicy.parse(value)


@pytest.mark.parametrize(
    ("module", "name", "allowed"),
    [
        ("sklearn.linear_model._base", "LinearRegression", True),
        ("sklearn.linear_model", "LinearRegression", True),
        ("sklearn.linear_model.base", "LinearRegression", True),
        ("numpy._core.multiarray", "_reconstruct", True),
        ("collections", "OrderedDict", True),
        ("torch.nn.modules.linear", "Linear", True),
        ("torch.nn.modules.linear", "init", False),
        ("sklearn.linear_model._base", "os", False),
        ("sklearn.utils", "os.system", False),
        ("sklearn", "linear_model._base.LinearRegression", False),
        ("sklearn.pipeline", "LinearRegression", False),
        ("builtins", "eval", False),
        ("builtins", "getattr", False),
        ("posix", "system", False),
        ("functools", "partial", False),
        ("cloudpickle.cloudpickle", "_make_function", False),
        ("torch.jit._pickle", "build_intlist", False),
        ("", "", False),
        ("os ", "system", False),
    ],
)
def test_a_pickle_may_name_what_only_holds_data(module, name, allowed):
    assert TrustPolicy().allows_global(module, name) is allowed


def test_a_pattern_lets_classes_through_and_functions_only_by_their_whole_name():
    policy = TrustPolicy(globals=frozenset({"ours.*", "theirs.make", "nested.Outer.Inner"}))
    assert policy.allows_global("ours.models", "Tree")
    assert policy.allows_global("ours", "_Hidden")
    assert policy.allows_global("theirs", "make")
    assert policy.allows_global("nested", "Outer.Inner")
    assert not policy.allows_global("ours.models", "load")
    assert not policy.allows_global("ours", "models.Tree")
    assert not policy.allows_global("ourselves", "Tree")
    assert not policy.allows_global("theirs", "make_more")


def test_code_by_value_is_code():
    assert TrustPolicy(code=True).allows_global("cloudpickle.cloudpickle", "_make_function")
    assert TrustPolicy.parse("torchscript").allows_global("__torch__.model", "Net")
    assert not TrustPolicy().allows_global("__torch__.model", "Net")


def test_a_skops_file_may_name_less_than_a_pickle():
    policy = TrustPolicy()
    assert policy.allows_skops_type("sklearn.svm._classes.SVC")
    assert policy.allows_skops_type("scipy.sparse._csr.csr_matrix")
    assert not policy.allows_skops_type("sklearn.tree._tree.Tree")
    assert policy.allows_global("sklearn.tree._tree", "Tree")
    assert TrustPolicy(globals=frozenset({"sklearn.tree._tree.Tree"})).allows_skops_type("sklearn.tree._tree.Tree")


def test_a_refusal_says_which_file_what_why_and_what_next():
    text = str(untrusted("a\x1b.pkl", "is a pickle", "it runs", allow_hint("formats pickle", "save it as skops")))
    assert text == (
        "a\\x1b.pkl is a pickle: it runs -> save it as skops; if you trust where it comes from, "
        "allow it in the trust policy: formats pickle"
    )
