"""Tar archives of plain files, read strictly: no links, no devices, no headers that change what a reader sees."""

from __future__ import annotations

import re
from collections.abc import Iterator

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Trip
from model_lifecycle.stores.formats.zips import safe_name

BLOCK = 512
MAX_NAME = 1 << 16
_KINDS = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a FIFO"}
_NUMBER = re.compile(rb" *([0-7]{1,12})[ \x00]*")
# Keys of a pax header that tell nothing but times and owners; one could also change a file's size, or make it a link.
_HARMLESS = re.compile(r"(\d+ (atime|ctime|mtime|uid|gid|uname|gname|comment|path)=[^\n]*\n)*")
_PATH = re.compile(r"\d+ path=([^\n]*)\n")


def looks(blob: Blob) -> bool:
    """Tell whether a reader of tar files finds an archive here: it asks for nothing but the right checksum."""
    head = blob.read(0, BLOCK)
    return len(head) == BLOCK and any(head) and _sound(head)


def members(blob: Blob, where: str, trip: Trip) -> Iterator[tuple[str, Blob]]:
    """Name and bytes of every file.

    :raises Untrusted: if there is anything but plain files and folders, a name leaves its folder, or something lies
        behind the end.
    """
    at, name, names = 0, "", set[str]()
    while any(head := blob.read(at, BLOCK)):
        trip.member(where)
        if len(head) < BLOCK or not _sound(head):
            raise _broken(where, trip, "a header is broken")
        size, kind = _number(head[124:136]), head[156:157]
        if size is None or size > blob.size - at - BLOCK:
            raise _broken(where, trip, "a file has more bytes than there are")
        content = blob.part(at + BLOCK, size)
        at += BLOCK + -(-size // BLOCK) * BLOCK
        if kind in (b"L", b"x", b"g"):
            name = _long_name(content, kind, where, trip) or name
            continue
        name = (name or _own_name(head)).removeprefix("./")
        _check_member(name, kind, size, names, where, trip)
        if kind != b"5" and name:
            yield name, content
        name = ""
    if any(any(block) for block in blob.blocks(at)):
        raise _broken(where, trip, "something lies behind its end")


def _check_member(name: str, kind: bytes, size: int, names: set[str], where: str, trip: Trip) -> None:
    if kind not in (b"0", b"\0", b"5") or (kind == b"5" and size):
        raise _broken(where, trip, f"{name} is {_KINDS.get(kind, 'of an unknown kind')}")
    if name and (not safe_name(name) or name.rstrip("/").lower() in names):
        raise _broken(where, trip, f"{name} leaves its folder, or is there twice")
    names.add(name.rstrip("/").lower())


def _sound(head: bytes) -> bool:
    promised = _number(head[148:156])
    counted = sum(head) - sum(head[148:156]) + 8 * 32
    signed = sum(byte - 256 if byte > 127 else byte for byte in head[:148] + head[156:]) + 8 * 32
    return promised in (counted, signed)


def _number(field: bytes) -> int | None:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    found = _NUMBER.fullmatch(field)
    return int(found[1], 8) if found else (0 if not field.strip(b" \0") else None)


def _own_name(head: bytes) -> str:
    prefix = head[345:500].split(b"\0")[0] if head[257:263] == b"ustar\0" else b""
    name = head[:100].split(b"\0")[0]
    return (prefix + b"/" + name if prefix else name).decode("utf-8", "backslashreplace")


def _long_name(content: Blob, kind: bytes, where: str, trip: Trip) -> str:
    if content.size > MAX_NAME:
        raise _broken(where, trip, "a name is longer than 65,536")
    text = content.read(0, MAX_NAME).decode("utf-8", "backslashreplace")
    if kind == b"L":
        return text.rstrip("\0")
    if not _HARMLESS.fullmatch(text):
        raise _broken(where, trip, "a header changes what its readers see")
    paths = _PATH.findall(text)
    if paths and kind == b"g":
        raise _broken(where, trip, "one name is given to all files")
    return paths[-1] if paths else ""


def _broken(where: str, trip: Trip, what: str) -> Untrusted:
    found = f"is a tar archive that is more than plain files ({what})"
    return trip.refuse(where, found, "unpacking it may write elsewhere", "pack plain files only")
