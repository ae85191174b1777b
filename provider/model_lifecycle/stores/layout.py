"""How things are named in a store: artifacts, staging folders, entries of logs, and the URIs of artifacts."""

from __future__ import annotations

import re
from secrets import token_hex

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.names import MANIFEST_NAME, RELEASES_FOLDER, STAGING_PREFIX, check_name

STAGING = re.compile(STAGING_PREFIX + r"(?P<digest>[0-9a-f]{64})-(?P<owner>[0-9a-f]{8})-[0-9a-f]{8}")
"""The folder of an unfinished publish."""
OURS = re.compile(STAGING.pattern + "|" + STAGING_PREFIX + r"(?:removed|entry)-[0-9a-f]{16}")
"""Everything that a killed process of ours can leave behind; a janitor touches nothing else."""
ENTRY = re.compile(r"(?P<generation>[0-9]{8})\.json")

_URI = re.compile(
    r"(?P<scheme>[a-z][a-z0-9]*)://(?P<hosts>[^/?#@]*)(?P<root>(?:/[^/?#]+)*)/(?P<model>[^/?#]+)/(?P<digest>[0-9a-f]{64})"
)


def place(manifest: Manifest) -> str:
    """Where an artifact lies, relative to the root."""
    return f"{manifest.model}/{manifest.digest}"


def lengths(manifest: Manifest) -> dict[str, int]:
    """Every file of a whole artifact with its length in bytes, the manifest's own included."""
    return {**{entry.path: entry.size for entry in manifest.files}, MANIFEST_NAME: len(manifest.to_json())}


def staging(manifest: Manifest, mark: str) -> str:
    """A new name for the folder of a publish by the owner with this mark."""
    return f"{manifest.model}/{STAGING_PREFIX}{manifest.digest}-{mark}-{token_hex(4)}"


def temporary(folder: str, purpose: str) -> str:
    """A new name that readers overlook: for an ``entry`` not yet appended, or for what is being ``removed``."""
    return f"{folder}/{STAGING_PREFIX}{purpose}-{token_hex(8)}"


def log_folder(log: str) -> str:
    """Where the entries of an endpoint's log lie.

    :raises Invalid: if the log's name is no endpoint.
    """
    return f"{RELEASES_FOLDER}/{Endpoint.parse(log)}"


def is_log(name: str) -> bool:
    """Whether a log can have this name."""
    try:
        Endpoint.parse(name)
    except Invalid:
        return False
    return True


def entry(log: str, generation: int) -> str:
    """Where one entry of a log lies.

    :raises Invalid: if there cannot be such a generation.
    """
    if type(generation) is not int or not 0 <= generation < 10**8:
        raise Invalid(f"{generation!r} is not a generation", target=log)
    return f"{log_folder(log)}/{generation:08d}.json"


def parse(artifact_uri: object, base: str) -> tuple[str, str]:
    """Model and digest of an artifact in the store whose artifact URIs begin with ``base``.

    The roots must be equal, and of several hosts (the NameNodes of one HDFS) at least one must be common: an artifact
    that was published before a NameNode was replaced is still found.

    :raises Invalid: if the URI is no artifact URI, or one of another store.
    """
    found = _URI.fullmatch(artifact_uri) if isinstance(artifact_uri, str) else None
    ours = _URI.fullmatch(f"{base}/model/{'0' * 64}")
    if not found or not ours or not _same_root(found, ours):
        raise Invalid(
            f"{ascii(artifact_uri)[:300]} is not an artifact of the store {base}",
            hint="its URI is <store>/<model>/<digest>",
        )
    return check_name(found["model"], "model name"), found["digest"]


def _same_root(one: re.Match[str], two: re.Match[str]) -> bool:
    common = set(one["hosts"].lower().split(",")) & set(two["hosts"].lower().split(","))
    return bool(common) and (one["scheme"], one["root"]) == (two["scheme"], two["root"])
