"""How things are named in a store: patterns that match what we write and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.manifest import FileEntry, Manifest
from model_lifecycle.core.names import check_path
from model_lifecycle.stores import layout

MANIFEST = Manifest("flights", (FileEntry("model.bin", 7, "0" * 64),))
BASES = ["file:///models", "webhdfs://nn:9870/models", "webhdfs://nn1:9870,nn2:9870/a/b", "webhdfs://nn:9870", "s3://b"]


@given(st.integers(0, 2**32 - 1))
def test_the_names_we_write_are_recognised_and_can_never_be_an_artifact_or_a_file(mark: int) -> None:
    staging = layout.staging(MANIFEST, f"{mark:08x}")
    found = layout.STAGING.fullmatch(staging.removeprefix("flights/"))
    assert found
    assert (found["digest"], found["owner"]) == (MANIFEST.digest, f"{mark:08x}")
    for path in (staging, layout.temporary("flights", "removed"), layout.temporary("flights", "entry")):
        name = path.removeprefix("flights/")
        assert layout.OURS.fullmatch(name)
        with pytest.raises(Invalid):
            check_path(name)


def test_two_staging_folders_never_have_the_same_name() -> None:
    assert len({layout.staging(MANIFEST, "0" * 8) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "name", ["", "_staging-", "_staging-removed-", "_staging-entry-0123456789abcdeg", "_staging-x-0123456789abcdef",
             f"_staging-{'0' * 64}", f"_staging-{'0' * 64}-{'0' * 8}", f"_staging-{'0' * 64}-{'0' * 8}-{'0' * 8}\n",
             f"x_staging-{'0' * 64}-{'0' * 8}-{'0' * 8}", "0" * 64, "_temporary"],
)  # fmt: skip
def test_what_we_did_not_write_is_not_recognised(name: str) -> None:
    assert not layout.OURS.fullmatch(name)


@pytest.mark.parametrize("base", BASES)
def test_an_artifact_uri_is_read_back(base: str) -> None:
    assert layout.parse(f"{base}/flights/{MANIFEST.digest}", base) == ("flights", MANIFEST.digest)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("other", BASES)
def test_an_artifact_of_another_store_is_refused_and_both_are_named(base: str, other: str) -> None:
    if base == other:
        return
    with pytest.raises(Invalid) as caught:
        layout.parse(f"{other}/flights/{MANIFEST.digest}", base)
    assert base in str(caught.value)
    assert other in str(caught.value)


@given(st.text(max_size=30))
def test_any_other_text_is_refused(text: str) -> None:
    for base in BASES:
        for uri in (text, f"{base}/{text}", f"{base}/{text}/{MANIFEST.digest}"):
            try:
                model, _ = layout.parse(uri, base)
            except Invalid:
                continue
            assert uri == f"{base}/{model}/{MANIFEST.digest}"
