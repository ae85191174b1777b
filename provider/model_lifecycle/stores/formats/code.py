"""Code by its first bytes or by its name: libraries, programs, compiled Python, scripts."""

from __future__ import annotations

import re

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Trip

_WORDS = (
    "bash bat cmd class cs dll dylib exe jar java jl js ksh lua msi node php pl ps1 py pyc pyd pyi pyo pyw pyx "
    "pyz r rb sh so ts vbs wasm whl egg zsh"
)
SUFFIXES = frozenset(_WORDS.split())
"""Endings of files that somebody runs or imports."""
_MAGIC = re.compile(
    rb"(?P<elf>\x7fELF)|(?P<windows>MZ)|(?P<mac>\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe)"
    rb"|(?P<bytecode>[\x00-\xff]{2}\r\n[\x00-\x0f]\x00\x00\x00)|(?P<wasm>\x00asm)|(?P<llvm>BC\xc0\xde)"
    rb"|(?P<script>(\xef\xbb\xbf)?#![ \t]*[/A-Za-z][\t -~])|(?P<archive>!<arch>\n)"
)
_KINDS = {
    "elf": "a native library or program (ELF)",
    "windows": "a native library or program (PE)",
    "mac": "a native library or program (Mach-O), or a Java class",
    "bytecode": "compiled Python",
    "wasm": "a WebAssembly program",
    "llvm": "LLVM bitcode",
    "script": "a script",
    "archive": "a native library (ar)",
}
_VERSIONED = re.compile(r"\.so(\.\d+)+$")


def check(blob: Blob, where: str, trip: Trip) -> bool:
    """Tell whether a file is code by its name or its first bytes; one that comes back is allowed.

    :raises Untrusted: if it is, and the policy allows none.
    """
    found = _found(blob, where)
    if found is None:
        return False
    trip.need_code(where, f"is {found}")
    return True


def _found(blob: Blob, where: str) -> str | None:
    magic = _MAGIC.match(blob.read(0, 16))
    if magic and not (magic["windows"] and not _portable(blob)):
        return _KINDS[str(magic.lastgroup) if magic.lastgroup in _KINDS else _first(magic)]
    name = where.rpartition("!")[2].rpartition("/")[2].lower()
    suffix = name.rpartition(".")[2] if "." in name else ""
    if suffix in SUFFIXES or _VERSIONED.search(name):
        return f"a file of code by its name (.{suffix})"
    return None


def _first(magic: re.Match[str] | re.Match[bytes]) -> str:
    return next(name for name in _KINDS if magic[name] is not None)


def _portable(blob: Blob) -> bool:
    """``MZ`` alone also begins English text; a program says where its real header stands."""
    at = int.from_bytes(blob.read(60, 4), "little")
    return blob.size >= 64 and blob.read(at, 2) in (b"PE", b"NE", b"LE", b"LX")
