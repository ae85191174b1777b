"""Objects of S3 that others wrote, listed as folders and read in ranges, through a connection of type ``aws``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from model_lifecycle.core.errors import Invalid, NotFound, Unavailable
from model_lifecycle.hooks.aws_calls import ATTEMPTS, AwsCalls
from model_lifecycle.stores.ranges import RangeFile, buffered

if TYPE_CHECKING:
    from airflow.sdk import Connection

TIMEOUT = 60.0


class S3Objects:
    """Paths are ``bucket/key``; a folder is whatever keys begin with and a slash follows.

    :param connection: of type ``aws``; its extra ``timeout`` bounds the silence of a call, in seconds.
    """

    def __init__(self, connection: Connection) -> None:
        self._calls = AwsCalls(connection, float(connection.extra_dejson.get("timeout") or TIMEOUT))

    def is_folder(self, path: str) -> bool:
        """Whether keys lie below the path, or an object at it.

        :raises NotFound: if neither does.
        """
        bucket, key = _split(path)
        try:
            if key and not key.endswith("/"):
                self._calls.call("s3", "head_object", Bucket=bucket, Key=key)
                return False
        except NotFound:
            pass
        below = self._calls.call("s3", "list_objects_v2", Bucket=bucket, Prefix=_prefix(key), MaxKeys=1)
        if key and not below.get("KeyCount"):
            raise NotFound(f"s3 holds neither an object nor a folder {path}", target=self._calls.target)
        return True

    def children(self, path: str) -> list[tuple[str, bool]]:
        """The names in a folder, and which of them are folders."""
        bucket, key = _split(path)
        prefix, more, found = _prefix(key), dict[str, Any](), list[tuple[str, bool]]()
        while True:
            page = self._calls.call("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter="/", **more)
            found += [(one["Prefix"][len(prefix) : -1], True) for one in page.get("CommonPrefixes", [])]
            found += [(one["Key"][len(prefix) :], False) for one in page.get("Contents", []) if one["Key"] != prefix]
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def open(self, path: str) -> BinaryIO:
        """An object as it is now; if it is replaced meanwhile, reading on is a Conflict.

        :raises NotFound: if there is no such object.
        """
        bucket, key = _split(path)
        found = self._calls.call("s3", "head_object", Bucket=bucket, Key=key)
        where = {"Bucket": bucket, "Key": key, "IfMatch": found["ETag"]}
        return buffered(RangeFile(path, int(found["ContentLength"]), lambda *part: self._range(where, *part)))

    def _range(self, where: dict[str, str], offset: int, length: int) -> bytes:
        def read() -> bytes:
            answer = self._calls.call("s3", "get_object", **where, Range=f"bytes={offset}-{offset + length - 1}")
            return self._calls.body(answer["Body"])

        again = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        data: bytes = again(read)
        return data


def _split(path: str) -> tuple[str, str]:
    bucket, _, key = path.partition("/")
    if not bucket:
        raise Invalid(f"s3 path {ascii(path)[:200]} names no bucket", hint="write s3://<conn_id>@bucket/key")
    return bucket, key


def _prefix(key: str) -> str:
    return f"{key.rstrip('/')}/" if key.strip("/") else ""
