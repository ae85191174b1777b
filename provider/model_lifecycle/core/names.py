"""Names by allow-list (Law 12): everything that becomes a path, a URL segment or a registry name passes here."""

from __future__ import annotations

import re
from urllib.parse import unquote

from model_lifecycle.core.errors import Invalid

MANIFEST_NAME = "_manifest.json"
STAGING_PREFIX = "_staging-"
RELEASES_FOLDER = "_releases"
MAX_PATH = 1024

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?")
# Inside an artifact a leading underscore is ordinary (``__init__.py``); what we reserve for ourselves is not.
_FILE_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?")
_RESERVED = ("_staging", "_temporary", RELEASES_FOLDER, MANIFEST_NAME)


def check_name(value: object, what: str) -> str:
    """Return ``value`` if it is an allowed name.

    :param value: the name as it came in, from a template, a parameter or a server's answer.
    :param what: how to call it in the error, such as ``"model name"``.
    :raises Invalid: if it is not 1 to 128 characters of ``A-Z a-z 0-9 . _ -`` that start with a letter or a digit
        and do not end with a dot, or if it holds a percent-escape at any depth.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value) or _unquoted(value) != value:
        raise Invalid(
            f"{what} {_shown(value)} is not allowed",
            hint="use 1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or a digit, not ending with a dot",
        )
    return value


def check_path(value: object, what: str = "file name") -> str:
    """Return ``value`` if it is an allowed relative path of a file inside an artifact, parts joined by ``/``.

    :raises Invalid: if a part is not allowed, is reserved for the store itself, or the path is longer than 1,024.
    """
    parts = value.split("/") if isinstance(value, str) and len(value) <= MAX_PATH else [""]
    if any(not _FILE_PART.fullmatch(part) or part.startswith(_RESERVED) for part in parts):
        raise Invalid(
            f"{what} {_shown(value)} is not allowed in an artifact",
            hint="rename it to parts of A-Z a-z 0-9 . _ - joined by '/', without a leading dot or dash; "
            "names that begin with _staging, _temporary, _releases and _manifest.json are reserved",
        )
    return str(value)


def _unquoted(value: str) -> str:
    previous = ""
    while previous != value:
        previous, value = value, unquote(value)
    return value


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 120 else f"{text[:100]}... ({len(text)} characters)"
