"""The gate before pickles, with the real machines as the judges of what they would have done."""

from __future__ import annotations

import io
import pickle
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats import pickles
from model_lifecycle.stores.formats.blob import Blob
from tests.trust import malicious
from tests.trust.look import refusal, trip

PIECES = [
    b"cos\nsystem\n", b"ios\nsystem\n", b"Vos\n", b"Vsystem\n", b"S'os'\n", b"U\x02os", b"\x8c\x02os",
    b"\x8c\x06system", b"\x93", b"(", b"t", b"\x85", b"R", b"o", b"\x81", b"b",
    b"N", b"}", b"]", b"0", b"1", b"2", b"a", b"e", b"s", b"u",
    b"p0\n", b"g0\n", b"q\0", b"h\0", b"\x94", b"p 01\n", b"g1\n", b"I1\n", b"I\0\n", b"I0x1\n", b"F.5\n", b"L1L\n",
    b"\x80\x02", b"\x95\1\0\0\0\0\0\0\0", b".", b"Pid\n", b"Q", b"\n", b"os", b"\xff",
]  # fmt: skip


class Seen(Exception):
    """Something was imported."""


class Import:
    """What stands for anything that a machine imports; calling it is what must not go unseen."""

    def __new__(cls, *_: object, **__: object):
        raise Seen


def imports(data: bytes) -> bool:
    """Whether a real machine calls what it imports, or imports from the standard library."""
    return any(_seen(machine, data) for machine in (pickle.Unpickler, pickle._Unpickler))  # type: ignore[attr-defined]


def _seen(machine: type, data: bytes) -> bool:
    class Watching(machine):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> type:
            if module.partition(".")[0] in sys.stdlib_module_names:
                raise Seen
            return Import

        def persistent_load(self, key: object) -> object:
            if isinstance(key, str):
                raise TypeError("torch takes tuples only")
            return key

    stream = io.BytesIO(data)
    try:
        while True:
            Watching(stream).load()
    except Seen:
        return True
    except Exception:  # however it fails, it has not imported until then
        return False


@settings(max_examples=3000)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join))
@example(b"(S'true'\nios\nsystemX")
@example(b"Vos\np100000000000000000000001\n0g100000000000000000000001\nVsystem\n\x93")
def test_whatever_a_real_machine_would_import_is_refused(data):
    if imports(data):
        assert refusal(data, "notes.txt", "unknown") is not None


@pytest.mark.parametrize("words", ["", "pickle"])
def test_a_broken_pickle_is_no_pickle_until_it_imports(words):
    assert not pickles.check(Blob.of_bytes(b"\x80\x02\0\0\0\0\0\0{"), "x", trip(words))
    assert not pickles.check(Blob.of_bytes(b""), "x", trip(words))
    assert not pickles.check(Blob.of_bytes(b"\x82\0\0\0\0\0\0\0{"), "x", trip(words))
    assert not pickles.check(Blob.of_bytes(b"PK\x03\x04\ncx\ny\n)R."), "x", trip(words))
    assert not pickles.check(Blob.of_bytes(b"cat\ndog\n"), "x", trip(words))


def test_plain_data_is_a_pickle_all_the_same():
    data = pickle.dumps({"a": [1, 2]})
    assert "formats pickle" in str(refusal(data))
    assert refusal(data, words="pickle") is None


def test_an_allowed_pickle_is_read_to_its_last_byte():
    data = pickle.dumps([1])
    assert refusal(data + data, words="pickle") is None
    assert "more bytes behind" in str(refusal(data + b"\xff", words="pickle"))
    assert "no whole pickle" in str(refusal(pickle.dumps(malicious.Call(complex, 1))[:-1], words="pickle"))
    assert "beside it" in str(refusal(b"\x80\x02Vid\nQ.", words="pickle"))


def test_a_hint_never_offers_to_allow_the_standard_library():
    assert "globals" not in str(refusal(malicious.call("true"), words="pickle"))
    assert "globals ours.Model" in str(refusal(b"cours\nModel\n)R.", words="pickle"))
    assert refusal(b"cours\nModel\n)R.", words={"formats": ["pickle"], "globals": ["ours.Model"]}) is None


@pytest.mark.parametrize("protocol", range(6))
def test_models_of_scikit_learn_pass_where_pickles_are_allowed(protocol):
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    rows, labels = [[float(n), n % 3] for n in range(30)], [n % 2 for n in range(30)]
    for model in (RandomForestClassifier(3), HistGradientBoostingClassifier(max_iter=2), LogisticRegression()):
        data = pickle.dumps(model.fit(rows, labels), protocol)
        assert refusal(data, words="pickle") is None
        assert "formats pickle" in str(refusal(data))


def test_objects_beside_a_pickle_are_for_torch_only():
    blob = Blob.of_bytes(b"\x80\x02Vid\nQ.")
    pickles.approve(blob, "x", trip("pickle"), torch=True)
    with pytest.raises(Untrusted):
        pickles.approve(blob, "x", trip("pickle"))
