"""Code is known by its name or its first bytes, and needs one word of the policy."""

from __future__ import annotations

import importlib.util

import pytest

from tests.trust.look import refusal

PYC = importlib.util.MAGIC_NUMBER + b"\0" * 12
NAMED = ["a.py", "deep/B.PY", "a.so", "liba.so.1.2", "a.dll", "a.sh", "a.jar", "x.zip!inner/a.pyc", "a.pyd", "setup.js"]
BEGUN = {
    "ELF": b"\x7fELF" + b"\0" * 99,
    "PE": b"MZ" + b"\0" * 58 + b"\x40\0\0\0" + b"PE\0\0",
    "Mach-O": b"\xcf\xfa\xed\xfe" + b"\0" * 30,
    "Java class": b"\xca\xfe\xba\xbe\0\0\0\x41",
    "compiled Python": PYC,
    "script": b"#! /bin/sh\n",
    "WebAssembly": b"\0asm\1\0\0\0",
    "bitcode": b"BC\xc0\xde",
    "native library": b"!<arch>\nx",
}


@pytest.mark.parametrize("name", NAMED)
def test_a_file_of_code_by_its_name_is_code(name):
    assert "file of code by its name" in str(refusal(b"text", name))
    assert refusal(b"text", name, "code") is None


@pytest.mark.parametrize("kind", BEGUN)
def test_code_under_any_name_is_code(kind):
    assert kind in str(refusal(BEGUN[kind], "weights.bin", "unknown, pickle"))
    assert refusal(BEGUN[kind], "weights.bin", "code") is None


@pytest.mark.parametrize(
    "data", [b"MZ begins this sentence", b"#1 of many", b"BC is a place", b"text\r\nx", b"", b"#!\n"]
)
def test_text_that_begins_alike_is_no_code(data):
    assert refusal(data, "notes.txt") is None
    assert refusal(data, "py") is None


def test_allowed_code_is_still_looked_at_as_everything_else():
    assert "pickle" in str(refusal(b"cos\nsystem\n(Vx\ntR.", "a.py", "code"))
