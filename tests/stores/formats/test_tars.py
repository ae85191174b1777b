"""Tar archives of plain files pass as every writer writes them; links, devices and clever headers do not."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats import tars
from model_lifecycle.stores.formats.blob import Blob
from tests.trust import raw
from tests.trust.look import trip

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def contents(data: bytes) -> dict[str, bytes]:
    found = tars.members(Blob.of_bytes(data), "x.tar", trip(x=len(data)))
    return {name: blob.read(0, blob.size) for name, blob in found}


def info(name: str, **more: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize("kind", FORMATS)
def test_plain_files_are_read(kind):
    files = {"a.txt": b"text", "d/e/" + "n" * 60 + "/" + "f" * 60: b"x" * 1000, "empty": b""}
    members = [(info("d", type=tarfile.DIRTYPE), b""), *((info(name, mtime=1.5), data) for name, data in files.items())]
    assert contents(raw.tarred(*members, format=kind)) == files


@pytest.mark.parametrize("kind", FORMATS[1:])
def test_names_of_any_length_are_read(kind):
    files = {"x" * 300 + "/ü": b"1"}
    assert contents(raw.tarred(*files.items(), format=kind)) == files


@pytest.mark.parametrize(
    ("member", "data"),
    [
        (info("l", type=tarfile.SYMTYPE, linkname="/etc/passwd"), b""),
        (info("l", type=tarfile.LNKTYPE, linkname="a"), b""),
        (info("l", type=tarfile.CHRTYPE), b""),
        (info("l", type=tarfile.FIFOTYPE), b""),
        (info("l", type=b"S"), b""),
        (info("../a"), b"x"),
        (info("/a"), b"x"),
        (info("a/../../b"), b"x"),
        (info("a.txt"), b"twice"),
        (info("A.TXT"), b"twice"),
        (info("b", pax_headers={"size": "0"}), b"x"),
        (info("b", pax_headers={"linkpath": "/etc"}), b"x"),
        (info("b", pax_headers={"GNU.sparse.name": "c"}), b"x"),
    ],
)
def test_anything_but_plain_files_is_refused(member, data):
    with pytest.raises(Untrusted, match="tar archive"):
        contents(raw.tarred(("a.txt", b"x"), (member, data), format=tarfile.PAX_FORMAT))


def test_nothing_hides_behind_the_end():
    data = raw.tarred(("a.txt", b"x"))
    assert contents(data + b"\0" * 512) == {"a.txt": b"x"}
    with pytest.raises(Untrusted, match="behind its end"):
        contents(data + b"hidden")
    with pytest.raises(Untrusted, match="broken"):
        contents(data[:1024] + b"junk" + data[1028:])


@given(st.binary(max_size=600))
def test_few_bytes_are_a_tar_archive(data):
    assert not tars.looks(Blob.of_bytes(data))


def test_a_tar_archive_is_known_by_its_checksum_alone():
    data = bytearray(raw.tarred(("a.txt", b"x")))
    assert tars.looks(Blob.of_bytes(bytes(data)))
    data[257:263] = b"\0" * 6
    head = data[:148] + b"        " + data[156:512]
    data[148:156] = b"%06o\0 " % sum(head)
    assert tars.looks(Blob.of_bytes(bytes(data)))
