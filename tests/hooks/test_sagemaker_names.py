"""Names for SageMaker: always allowed there, and never the same for two of ours."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.sagemaker_names import (
    config_name,
    endpoint_name,
    is_config_of,
    model_name,
    variant_name,
    version_of,
)

ALLOWED = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")  # as SageMaker's API describes it
CONTAINER = {"image": "i", "role": "r", "environment": {}}

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?", fullmatch=True)
ALIKE = st.text("aA-._", min_size=1, max_size=6).filter(lambda text: text[0] in "aA" and text[-1] != ".")


@pytest.mark.parametrize("name", ["churn", "churn-2", "a", "7", "x" * 30])
def test_a_name_that_sagemaker_takes_is_kept(name: str) -> None:
    assert endpoint_name(name) == name


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("Churn", "churn--"),
        ("churn_model", "churn-model--"),
        ("churn.v2", "churn-v2--"),
        ("churn--x", "churn-x--"),
        ("churn-", "churn--"),
        ("x" * 31, "x" * 12 + "--"),
        ("a-very-long-name-of-a-model-in-production", "a-very-long--"),
    ],
)
def test_every_other_name_is_cut_and_told_apart(name: str, begins: str) -> None:
    assert re.fullmatch(re.escape(begins) + r"[0-9a-f]{16}", endpoint_name(name))


@pytest.mark.parametrize("name", ["", "../x", "a b", ".x", "a%2Fb"])
def test_a_name_that_we_do_not_allow_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        endpoint_name(name)


@given(NAMES | ALIKE, st.integers(1, 10**18 - 1))
def test_every_name_is_one_that_sagemaker_takes(name: str, version: int) -> None:
    names = [endpoint_name(name), variant_name(version), model_name(name, version, CONTAINER), config_name(name, [])]
    assert [each for each in names if not ALLOWED.fullmatch(each)] == []
    assert version_of(variant_name(version)) == version
    assert is_config_of(name, config_name(name, []))


@given(st.lists(NAMES | ALIKE, min_size=2, max_size=20, unique=True))
def test_two_names_stay_two_names_also_for_who_ignores_case(names: list[str]) -> None:
    assert len({endpoint_name(name).lower() for name in names}) == len(names)
    assert len({model_name(name, 1, CONTAINER) for name in names}) == len(names)
    assert not any(is_config_of(one, config_name(two, [])) for one in names for two in names if one != two)


@given(st.lists(NAMES | ALIKE, min_size=1, max_size=5, unique=True))
def test_what_we_make_of_a_name_is_itself_never_made_of_another(names: list[str]) -> None:
    for name in names:
        made = endpoint_name(name)
        if made != name:
            assert endpoint_name(made) != made


def test_versions_and_containers_are_told_apart() -> None:
    names = {model_name("churn", version, {**CONTAINER, "image": image}) for version in (1, 11) for image in "ij"}
    assert len(names) == 4
    assert config_name("churn", [{"a": 1}]) != config_name("churn", [{"a": 2}])
    assert config_name("churn", [{"a": 1, "b": 2}]) == config_name("churn", [{"b": 2, "a": 1}])


@pytest.mark.parametrize("name", ["AllTraffic", "v", "v0", "v01", "V1", "v1-2", ""])
def test_variants_of_others_are_none_of_ours(name: str) -> None:
    assert version_of(name) is None


@pytest.mark.parametrize("version", [0, -1, 10**18, True, "1"])
def test_a_version_that_cannot_be_is_refused(version: object) -> None:
    with pytest.raises(Invalid):
        variant_name(version)  # type: ignore[arg-type]
