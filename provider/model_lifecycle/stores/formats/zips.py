"""Zip archives, read strictly: one archive from the first byte to the last, each file where it is said to be.

Loaders of zip files look for the list of contents at the end and forgive what stands before, between and behind; so a
file can be a zip to one reader and something else to the next. Here nothing may lie beside what the list names.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.packed import Packing, unpack
from model_lifecycle.stores.formats.trip import Trip

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
END64, LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
MAX_LIST = 32 << 20
"""Bytes of an archive's list of contents."""
_DESCRIBED, _ENCRYPTED = 0x08, 0x2041
_LINK, _FILE, _FOLDER = 0o120000, 0o100000, 0o040000
_NAME = re.compile(r"[^\x00-\x1f\\:*?\"<>|\x7f]{1,1024}")
_STORED = 0
_PACKINGS = {8: Packing.DEFLATE, 12: Packing.BZIP2}


@dataclass(frozen=True)
class Member:
    """One file of an archive: where its header begins, and what the list of contents says of it."""

    name: str
    method: int
    flags: int
    packed: int
    size: int
    header: int


def looks(blob: Blob) -> bool:
    """Tell whether any reader of zip files would find an archive here."""
    if blob.read(0, 4) in (LOCAL, b"PK\x05\x06"):
        return True
    tail = blob.read(max(0, blob.size - 22 - 65535), 22 + 65535)
    at = tail.rfind(END)
    while at >= 0:
        if len(tail) - at >= 22 and _points_at_list(blob, tail[at : at + 22], blob.size - len(tail) + at):
            return True
        at = tail.rfind(END, 0, at)
    return False


def _points_at_list(blob: Blob, end: bytes, at: int) -> bool:
    size, offset = struct.unpack("<II", end[12:20])
    return size == 0 or CENTRAL in (blob.read(at - size, 4), blob.read(offset, 4)) or offset == 0xFFFFFFFF


class Archive:
    """A zip archive whose every byte is accounted for.

    :raises Untrusted: if it is broken, holds more than its list says, is encrypted, or a name leaves its folder.
    """

    def __init__(self, blob: Blob, where: str, trip: Trip) -> None:
        self.blob, self.where, self.trip = blob, where, trip
        try:
            listed, start = self._list()
            self.members = [member for member in listed if not member.name.endswith("/")]
            self._places = self._account(listed, start)
        except struct.error as error:
            raise self._broken("its list of contents is cut") from error

    @contextmanager
    def open(self, member: Member) -> Iterator[Blob]:
        """The bytes of one file, unpacked to a temporary file where they are many."""
        raw = self.blob.part(self._places[member.name], member.packed)
        if member.method == _STORED:
            yield raw
            return
        where = f"{self.where}!{member.name}"
        with unpack(raw, _PACKINGS[member.method], where, self.trip) as blob:
            if blob.size != member.size:
                raise self._broken(f"{member.name} unpacks to another size than it says")
            yield blob

    def read(self, member: Member, limit: int) -> bytes:
        """The bytes of one small file.

        :raises Untrusted: if it is larger than ``limit``.
        """
        if member.size > limit:
            where = f"{self.where}!{member.name}"
            raise self.trip.refuse(where, f"has more than {limit:,} bytes", "it is built to exhaust memory")
        with self.open(member) as blob:
            return blob.read(0, limit)

    def _list(self) -> tuple[list[Member], int]:
        count, size, start, end = self._end()
        if start + size != end or size > MAX_LIST:
            raise self._broken("something lies between its list of contents and its end")
        data, members, at = self.blob.read(start, size), [], 0
        for _ in range(count):
            self.trip.member(self.where)
            member, at = self._entry(data, at)
            members.append(member)
        if at != len(data):
            raise self._broken("its list of contents has another length than it says")
        names = [member.name.rstrip("/").lower() for member in members]
        if len(set(names)) != len(names):
            raise self._broken("it lists a name twice, so that readers differ in what they find")
        return members, start

    def _end(self) -> tuple[int, int, int, int]:
        at = self.blob.size - 22
        end = self.blob.read(at, 22)
        if end[:4] != END or end[20:] != b"\0\0":
            raise self._broken("something lies behind its end")
        count, total, size, offset = struct.unpack("<4xHHHHII2x", end)[2:]
        locator = self.blob.read(at - 20, 20)
        if locator[:4] != LOCATOR64:
            return self._same(count, total), size, offset, at
        record = self.blob.read(at - 76, 56)
        if record[:4] != END64 or struct.unpack("<Q", locator[8:16])[0] != at - 76:
            raise self._broken("its end is not where it says")
        count, total, size, offset = struct.unpack("<24xQQQQ", record)
        return self._same(count, total), size, offset, at - 76

    def _same(self, count: int, total: int) -> int:
        if count != total:
            raise self._broken("it is one of several disks")
        return count

    def _entry(self, data: bytes, at: int) -> tuple[Member, int]:
        fields = struct.unpack_from("<4s4xHH8xIIHHHHHII", data, at)
        signature, flags, method, packed, size, name_length, extra_length, comment, _, _, outside, header = fields
        begin = at + 46
        name = self._name(data[begin : begin + name_length], flags)
        extra = data[begin + name_length : begin + name_length + extra_length]
        size, packed, header = _wide(extra, size, packed, header)
        if signature != CENTRAL or flags & _ENCRYPTED:
            raise self._broken("its list is broken" if signature != CENTRAL else f"{name} is encrypted")
        if method not in (_STORED, *_PACKINGS) or (method == _STORED and size != packed):
            raise self._broken(f"{name} is packed in a way that cannot be read here")
        if (outside >> 16) & 0o170000 not in (0, _FILE, _FOLDER) or (name.endswith("/") and size):
            raise self._broken(f"{name} is no plain file")
        return Member(name, method, flags, packed, size, header), begin + name_length + extra_length + comment

    def _name(self, raw: bytes, flags: int) -> str:
        try:
            name = raw.decode("utf-8" if flags & 0x800 else "ascii")
        except UnicodeDecodeError as error:
            raise self._broken("a name in it is not readable") from error
        if not safe_name(name):
            raise self._broken(f"{name[:100]} is no name of a file inside it")
        return name

    def _account(self, members: Sequence[Member], end: int) -> dict[str, int]:
        """Where the bytes of each file begin, every byte before the list of contents being someone's."""
        at, places = 0, {}
        ordered = sorted(members, key=lambda member: member.header)
        follow = [member.header for member in ordered[1:]] + [end]
        for member, following in zip(ordered, follow, strict=False):  # an empty archive has an end and no files
            head = self.blob.read(member.header, 30)
            fields = struct.unpack("<4s2xHH8xIIHH", head)
            signature, flags, method, packed, size, name_length, extra_length = fields
            extra = self.blob.read(member.header + 30 + name_length, extra_length)
            size, packed, _ = _wide(extra, size, packed, 0)
            name = self.blob.read(member.header + 30, name_length)
            described = bool(flags & _DESCRIBED)
            same = (size, packed) == (member.size, member.packed) or described
            if (signature, method, flags) != (LOCAL, member.method, member.flags) or not same or member.header != at:
                raise self._broken(f"{member.name} is not where the list of contents says")
            if self._name(name, flags) != member.name:
                raise self._broken(f"{member.name} has two names")
            places[member.name] = member.header + 30 + name_length + extra_length
            rest = following - places[member.name] - member.packed
            if rest != 0 and not (described and rest in (12, 16, 20, 24)):
                raise self._broken(f"something lies behind {member.name}")
            at = following
        if at != end:
            raise self._broken("something lies before its files")
        return places

    def _broken(self, what: str) -> Untrusted:
        found = f"is a zip archive that readers may take for something else ({what})"
        hint = "unpack it and pack it again, or save the model again"
        return self.trip.refuse(self.where, found, "what is loaded may not be what was looked at", hint)


def safe_name(name: str) -> bool:
    """Tell whether a name of an archive lies inside the folder into which it is unpacked, on any system."""
    parts = name.removesuffix("/").split("/")
    return _NAME.fullmatch(name) is not None and not {"", ".", ".."} & set(parts)


def _wide(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Sizes and place where they need 64 bits: they stand in an extra field of number 1."""
    values = [size, packed, header]
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            data = extra[at + 4 : at + 4 + length]
            for place, value in enumerate(values):
                if value == 0xFFFFFFFF and len(data) >= 8:
                    values[place], data = int.from_bytes(data[:8], "little"), data[8:]
            break
        at += 4 + length
    return values[0], values[1], values[2]
