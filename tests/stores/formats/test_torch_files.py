"""Archives of torch, as the real torch writes them (its bytes are rebuilt here) and as an attacker would."""

from __future__ import annotations

import pickle

import pytest

from tests.trust import raw
from tests.trust.look import refusal
from tests.trust.malicious import call

STATE = (
    b"\x80\x02ccollections\nOrderedDict\nq\0)Rq\1X\1\0\0\0wq\2ctorch._utils\n_rebuild_tensor_v2\nq\3"
    b"((X\7\0\0\0storageq\4ctorch\nFloatStorage\nq\5X\1\0\0\x000q\6X\3\0\0\0cpuq\7K\4tq\x08QK\0K\4\x85q\tK\1\x85q\n"
    b"\x89h\0)Rq\x0btq\x0cRq\rs."
)


def checkpoint(state: bytes = STATE, **more: bytes) -> bytes:
    files = {"data.pkl": state, "byteorder": b"little", "data/0": bytes(range(128, 144)), "version": b"3\n", **more}
    return raw.zipped({f"archive/{name}": data for name, data in files.items()})


def test_a_state_of_numbers_passes_where_pickles_are_allowed():
    assert "torch checkpoint" in str(refusal(checkpoint()))
    assert refusal(checkpoint(), words="pickle") is None


def test_a_script_needs_a_word_of_its_own():
    data = raw.zipped(
        {
            "m/data.pkl": b"\x80\x02c__torch__\nNet\n)\x81.",
            "m/code/__torch__.py": b"class Net(Module):",
            "m/constants.pkl": b"\x80\x02).",
        }
    )
    assert "TorchScript" in str(refusal(data, words="pickle"))
    assert refusal(data, words="torchscript") is None


@pytest.mark.parametrize(
    "data",
    [
        checkpoint(call("true", 2)),
        checkpoint(STATE + b"more"),
        checkpoint(**{"data/more.pkl": call("true", 2)}),
        checkpoint(**{"data/1": call("true", 2)}),
        checkpoint(STATE.replace(b"torch._utils\n_rebuild_tensor_v2", b"torch._utils\n_rebuild_tensor_xx")),
        checkpoint(**{"extra/lib.so": b"\x7fELF"}),
        checkpoint(**{"elsewhere": bytes(range(256))}),
    ],
)  # fmt: skip
def test_anything_else_in_a_checkpoint_is_refused(data):
    assert refusal(data, words="pickle, torchscript") is not None


def test_the_old_form_of_a_checkpoint_is_read_pickle_by_pickle():
    head = (
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    )
    data = head + STATE + pickle.dumps(["0"], 2) + b"\4\0\0\0\0\0\0\0" + bytes(16)
    assert "formats pickle" in str(refusal(data))
    assert refusal(data, words="pickle") is None
    assert refusal(data[len(head) :], words="pickle") is not None, "elsewhere nothing gives it its numbers"
