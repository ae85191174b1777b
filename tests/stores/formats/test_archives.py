"""What lies in an archive is looked at as if it lay beside it."""

from __future__ import annotations

import gzip

import pytest

from model_lifecycle.stores.formats import archives
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import MAX_DEPTH
from tests.trust import raw
from tests.trust.look import refusal
from tests.trust.malicious import call

WRAPS = {
    "zip": lambda data: raw.zipped({"a/b": data}),
    "deflated zip": lambda data: raw.zipped({"a/b": data}, compression=8),
    "tar": lambda data: raw.tarred(("a/b", data)),
    "gzip": gzip.compress,
}


PAIRS = [
    (outer, inner) for outer in WRAPS for inner in WRAPS if (outer, inner[-3:]) != ("tar", "zip") or inner == "gzip"
]


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_files_are_found_in_archives_in_archives(outer, inner):
    wrap = lambda data: WRAPS[outer](WRAPS[inner](data))  # noqa: E731
    assert refusal(wrap(b"text")) is None
    assert "names posix.system" in str(refusal(wrap(call("true"))))
    assert "no known format" in str(refusal(wrap(bytes(range(256)))))
    assert refusal(wrap(bytes(range(256))), words="unknown") is None
    assert "!" in str(refusal(wrap(call("true"))))


def test_a_tar_archive_that_readers_of_zip_would_take_for_the_zip_in_it_is_refused():
    assert "something else" in str(refusal(raw.tarred(("a.zip", raw.zipped({"b": b"x"})))))


def test_archives_end_somewhere():
    data = b"text"
    for _ in range(MAX_DEPTH):
        data = raw.zipped({"x": data})
    assert refusal(data) is None
    assert "archives deep" in str(refusal(raw.zipped({"x": data})))


def test_the_policy_can_leave_archives_out():
    exact = {"formats": ["text", "numpy"], "exact": True}
    array = raw.npy("'<f8'", "(1,)", b"\0" * 8)
    assert refusal(raw.zipped({"a.npy": array}), words=exact) is None
    for data in (raw.zipped({"a.txt": b"x"}), raw.tarred(("a.txt", b"x")), gzip.compress(b"x")):
        assert "formats archive" in str(refusal(data, words=exact))


def test_an_empty_archive_is_an_archive():
    assert archives.looks(Blob.of_bytes(raw.zipped({})))
    assert refusal(raw.zipped({})) is None
