"""How MLflow's REST API 2.0 says things, and what they are called here; pure.

:class:`~model_lifecycle.hooks.mlflow.MlflowHook` makes the calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from model_lifecycle.core.errors import Conflict, Denied, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.core.manifest import is_digest
from model_lifecycle.core.models import ModelVersion
from model_lifecycle.hooks.registry import DIGEST_TAG

# What MLflow's database columns hold; SQLite takes more, PostgreSQL answers with an internal error.
MAX_KEY = 250
MAX_TEXT = 5000
MAX_URI = 500

# MLflow's error codes say more than its HTTP statuses: an alias that exists already and a bad name are both 400.
_BY_CODE: dict[str, type[ModelLifecycleError]] = {
    "RESOURCE_DOES_NOT_EXIST": NotFound,
    "RESOURCE_ALREADY_EXISTS": Conflict,
    "ALREADY_EXISTS": Conflict,
    "RESOURCE_CONFLICT": Conflict,
    "INVALID_PARAMETER_VALUE": Invalid,
    "INVALID_STATE": Invalid,
    "BAD_REQUEST": Invalid,
    "ENDPOINT_NOT_FOUND": Invalid,
    "NOT_IMPLEMENTED": Invalid,
    "FEATURE_DISABLED": Invalid,
    "RESOURCE_LIMIT_EXCEEDED": Invalid,
    "PERMISSION_DENIED": Denied,
    "UNAUTHENTICATED": Denied,
    "CUSTOMER_UNAUTHORIZED": Denied,
    "ABORTED": Unavailable,
    "CANCELLED": Unavailable,
    "DEADLINE_EXCEEDED": Unavailable,
    "INTERNAL_ERROR": Unavailable,
    "REQUEST_LIMIT_EXCEEDED": Unavailable,
    "RESOURCE_EXHAUSTED": Unavailable,
    "TEMPORARILY_UNAVAILABLE": Unavailable,
}
# A tracking server refuses file: sources of versions that no run of its own has made; this scheme it takes for remote.
_SOURCE_SCHEMES = {"file": "artifact-file"}
_SEARCHABLE = re.compile(r"[A-Za-z0-9._:/@ -]+")


def translated(error: ModelLifecycleError) -> ModelLifecycleError:
    """The error that MLflow's own code in the answer stands for; an answer without one is not MLflow's."""
    code = error_code(error)
    if code is None and isinstance(error, NotFound):
        hint = "check host, port and path of the connection"
        return Invalid("no MLflow server answers there", target=error.target, hint=hint)
    kind = _BY_CODE.get(code or "", type(error))
    return kind(error.message, target=error.target, hint=error.hint)


def error_code(error: ModelLifecycleError) -> str | None:
    """MLflow's own error code in the answer that caused an error, or None."""
    from requests import HTTPError

    cause = error.__cause__
    while isinstance(cause, ModelLifecycleError):
        cause = cause.__cause__
    if not isinstance(cause, HTTPError) or cause.response is None:
        return None
    try:
        body = cause.response.json()
    except ValueError:
        return None
    code = body.get("error_code") if isinstance(body, dict) else None
    return code if isinstance(code, str) else None


def source_of(artifact_uri: object) -> str:
    """An artifact URI as a version's source.

    :raises Invalid: if it is no URI with a path, holds a password, or is longer than MLflow can keep.
    """
    parts = urlsplit(artifact_uri) if isinstance(artifact_uri, str) else None
    if parts is None or not parts.scheme or not parts.path.strip("/"):
        raise Invalid(f"{ascii(artifact_uri)[:200]} is not an artifact URI", hint="give what publishing returned")
    if parts.password is not None:
        raise Invalid("the artifact URI holds a password", hint="secrets stay in connections")
    source = str(artifact_uri)
    for scheme, stored in _SOURCE_SCHEMES.items():
        source = stored + source.removeprefix(scheme) if parts.scheme == scheme else source
    if len(source) > MAX_URI:
        raise Invalid(f"the artifact URI is longer than {MAX_URI} characters", hint="use a shorter root")
    return source


def artifact_uri_of(source: str) -> str:
    """A version's source as an artifact URI; the inverse of :func:`source_of`."""
    for scheme, stored in _SOURCE_SCHEMES.items():
        if source.startswith(f"{stored}:"):
            return scheme + source.removeprefix(stored)
    return source


def same_artifact(found: ModelVersion, artifact_uri: str) -> ModelVersion:
    """Return ``found`` if its artifact has the path of ``artifact_uri``, on whatever host.

    :raises Conflict: otherwise.
    """
    if urlsplit(found.artifact_uri).path.rstrip("/") != urlsplit(artifact_uri).path.rstrip("/"):
        raise Conflict(
            f"this digest is registered with another artifact, {found.artifact_uri}",
            model=found.name,
            version=found.version,
            hint="publish to the store that holds it, or register under another model name",
        )
    return found


def tag_rows(tags: Mapping[str, str | None]) -> list[dict[str, str]]:
    """Tags as MLflow takes them, without those whose value is None.

    :raises Invalid: if a key or a value is not text, or is longer than MLflow can keep.
    """
    return [_tag(key, value) for key, value in tags.items() if value is not None]


def _tag(key: object, value: object) -> dict[str, str]:
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
        raise Invalid(f"{ascii(key)[:100]} is not a tag's key", hint=f"use text of 1 to {MAX_KEY} characters")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise Invalid(f"the value of tag {key} is not text of at most {MAX_TEXT} characters")
    return {"key": key, "value": value}


def filter_for(name: str, tags: Mapping[str, str]) -> str:
    """A filter in MLflow's language, which cannot quote everything: the rest is compared by the caller."""
    plain = {k: v for k, v in tags.items() if _SEARCHABLE.fullmatch(k) and _SEARCHABLE.fullmatch(v)}
    return " AND ".join([f"name = '{name}'", *(f"tags.`{key}` = '{value}'" for key, value in plain.items())])


def version_of(row: Mapping[str, Any], aliases: Sequence[str] | None = None) -> ModelVersion:
    """A version as MLflow shows it; ``aliases`` where the answer is one that leaves them out.

    A version that was registered without us has no digest, or something else under that tag: None.
    """
    tags = {tag["key"]: tag.get("value", "") for tag in row.get("tags", [])}
    digest = tags.get(DIGEST_TAG)
    return ModelVersion(
        row["name"],
        int(row["version"]),
        artifact_uri_of(row.get("source", "")),
        digest if is_digest(digest) else None,
        tuple(row.get("aliases", ()) if aliases is None else aliases),
        tags,
    )


def prove_search(ask: Callable[[], dict[str, Any]], target: str) -> None:
    """Prove that a search for models is answered by MLflow.

    :raises Invalid: if something else answers.
    """
    elsewhere = "is this the right server and port?"
    try:
        answer = ask()
    except Invalid as error:
        error.hint = error.hint or elsewhere
        raise
    if answer.keys() - {"registered_models", "next_page_token"}:
        raise Invalid("the answer to a search for models is none of MLflow's", target=target, hint=elsewhere)
