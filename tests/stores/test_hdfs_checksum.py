"""The checksum computed here against the one that a real HDFS keeps, and against itself however the bytes arrive."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.stores.hdfs_checksum import FileChecksum, HadoopChecksum
from tests.servers.hdfs import HdfsCluster

MIB = 1 << 20
SIZES = [0, 1, 511, 512, 513, MIB - 1, MIB, MIB + 1, MIB + 7, 2 * MIB, 2 * MIB + 1, 3 * MIB, 5 * MIB + 513]


def checksum(data: bytes, block_size: int = MIB) -> FileChecksum:
    digest = HadoopChecksum(block_size)
    digest.update(data)
    return digest.result()


def stored_checksum(cluster: HdfsCluster, path: str, data: bytes, block_size: int) -> FileChecksum:
    """What HDFS itself says of a file that plain HTTP calls have written."""
    url, who = f"{cluster.url}/webhdfs/v1{path}", {"user.name": "root"}
    asked = requests.put(
        url, params={"op": "CREATE", "blocksize": block_size, **who}, allow_redirects=False, timeout=(5, 60)
    )
    requests.put(asked.headers["Location"], data=data, timeout=(5, 60)).raise_for_status()
    answer = requests.get(url, params={"op": "GETFILECHECKSUM", **who}, timeout=(5, 60))
    return FileChecksum.of_answer(answer.json()["FileChecksum"])


@pytest.mark.parametrize("size", SIZES)
def test_hdfs_keeps_the_same_checksum(hdfs_cluster: HdfsCluster, hdfs_root: str, size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert stored_checksum(hdfs_cluster, f"{hdfs_root}/file", data, MIB) == checksum(data)


def test_the_block_size_is_part_of_the_checksum(hdfs_cluster: HdfsCluster, hdfs_root: str) -> None:
    data = random.Random(1).randbytes(3 * MIB)
    assert stored_checksum(hdfs_cluster, f"{hdfs_root}/file", data, 2 * MIB) == checksum(data, 2 * MIB)
    assert checksum(data, 2 * MIB) != checksum(data, MIB)


@given(data=st.binary(max_size=9000), cuts=st.lists(st.integers(0, 9000), max_size=9))
def test_the_portions_in_which_bytes_arrive_do_not_matter(data: bytes, cuts: list[int]) -> None:
    digest, edges = HadoopChecksum(1024), sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    for start, end in pairwise(edges):
        digest.update(memoryview(data)[start:end])
    assert digest.result() == checksum(data, 1024)


@given(data=st.binary(min_size=1, max_size=5000), position=st.integers(0, 4999), bit=st.integers(0, 7))
def test_one_flipped_bit_changes_the_checksum(data: bytes, position: int, bit: int) -> None:
    other = bytearray(data)
    other[position % len(data)] ^= 1 << bit
    assert checksum(bytes(other), 1024) != checksum(data, 1024)


@given(data=st.binary(max_size=3000), more=st.binary(max_size=3000))
def test_asking_for_the_result_changes_nothing(data: bytes, more: bytes) -> None:
    digest = HadoopChecksum(1024)
    digest.update(data)
    assert digest.result() == digest.result() == checksum(data, 1024)
    digest.update(more)
    assert digest.result() == checksum(data + more, 1024)


@pytest.mark.parametrize("block_size", [0, -512, 1000, 511])
def test_a_block_size_that_no_crc_divides_is_refused(block_size: int) -> None:
    with pytest.raises(Invalid, match="multiple of 512"):
        HadoopChecksum(block_size)
