"""The checksum that HDFS keeps of a file, computed here from the bytes that were sent.

Hadoop takes a CRC32C of every 512 bytes, the MD5 of each block's CRCs (big-endian), and the MD5 of those MD5s. The last
step digests Hadoop's whole buffer instead of what was written into it, so zeros fill it up to the next power of two,
32 bytes at least. Every release since 0.20 does so, because older answers must stay comparable.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from model_lifecycle.core.errors import Invalid

BYTES_PER_CRC = 512
_STRIDE = 2048 * BYTES_PER_CRC
# One call splits a MiB and one call packs its CRCs: a loop over pieces in Python would take three times as long.
_SPLIT = struct.Struct(f"{BYTES_PER_CRC}s" * 2048)
_PACK = struct.Struct(">2048I")


@dataclass(frozen=True)
class FileChecksum:
    """What GETFILECHECKSUM answers: the algorithm, and 28 bytes (CRC size, CRCs per block, MD5) in hexadecimal."""

    algorithm: str
    bytes: str

    @classmethod
    def of_answer(cls, found: dict[str, Any]) -> FileChecksum:
        """From the JSON of a server's answer, which fills the 28 bytes up with zeros."""
        return cls(str(found["algorithm"]), str(found["bytes"]).lower()[:56])


class HadoopChecksum:
    """Computes the checksum of a file while its bytes pass by, in any portions.

    :param block_size: the block size of the stored file in bytes, a multiple of 512.
    """

    def __init__(self, block_size: int) -> None:
        if block_size <= 0 or block_size % BYTES_PER_CRC:
            raise Invalid(f"a block size of {block_size} bytes is no multiple of {BYTES_PER_CRC}")
        self._crcs_per_block = block_size // BYTES_PER_CRC
        self._blocks = bytearray()
        self._block, self._crcs = md5(usedforsecurity=False), 0
        self._rest = b""

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take in the next bytes."""
        view = memoryview(data)
        if self._rest:
            missing = BYTES_PER_CRC - len(self._rest)
            self._rest += view[:missing]
            view = view[missing:]
            if len(self._rest) < BYTES_PER_CRC:
                return
            self._add(_packed(memoryview(self._rest)))
        whole = len(view) - len(view) % BYTES_PER_CRC
        self._rest = bytes(view[whole:])
        for crcs in _strides(view[:whole]):
            self._add(crcs)

    def result(self) -> FileChecksum:
        """The checksum of all bytes so far, which then are the whole file."""
        blocks = bytes(self._blocks)
        if self._crcs or self._rest:
            last = self._block.copy()
            last.update(_crc(self._rest) if self._rest else b"")
            blocks += last.digest()
        kind = f"{BYTES_PER_CRC}CRC32C" if blocks else "0CRC32"
        per_block = self._crcs_per_block if len(blocks) > 16 else 0
        capacity = max(32, 1 << (len(blocks) - 1).bit_length()) if blocks else 32
        total = md5(blocks.ljust(capacity, b"\0"), usedforsecurity=False).digest()
        head = struct.pack(">iq", BYTES_PER_CRC if blocks else 0, per_block)
        return FileChecksum(f"MD5-of-{per_block}MD5-of-{kind}", (head + total).hex())

    def _add(self, crcs: bytes) -> None:
        view = memoryview(crcs)
        while view:
            part = view[: 4 * (self._crcs_per_block - self._crcs)]
            self._block.update(part)
            self._crcs += len(part) // 4
            view = view[len(part) :]
            if self._crcs == self._crcs_per_block:
                self._blocks += self._block.digest()
                self._block, self._crcs = md5(usedforsecurity=False), 0


def _strides(view: memoryview) -> Iterator[bytes]:
    from google_crc32c import value

    whole = len(view) - len(view) % _STRIDE
    for start in range(0, whole, _STRIDE):
        yield _PACK.pack(*map(value, _SPLIT.unpack_from(view, start)))
    if whole < len(view):
        yield _packed(view[whole:])


def _packed(view: memoryview) -> bytes:
    return b"".join(_crc(piece) for (piece,) in struct.iter_unpack(f"{BYTES_PER_CRC}s", view))


def _crc(piece: bytes) -> bytes:
    from google_crc32c import value

    return struct.pack(">I", value(piece))
