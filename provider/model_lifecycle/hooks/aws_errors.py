"""What AWS's and botocore's errors are to us: one table by code, one by words where the code says nothing; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_lifecycle.core.errors import Conflict, Denied, Invalid, ModelLifecycleError, NotFound, Unavailable

Kind = type[ModelLifecycleError]

BY_CODE: dict[str, Kind] = {
    # 400 of SageMaker, S3 and STS, and what S3 answers to HEAD, which has no body
    "403": Denied,
    "404": NotFound,
    "409": Conflict,
    "412": Conflict,
    "AccessDenied": Denied,
    "AccessDeniedException": Denied,
    "AuthFailure": Denied,
    "BadDigest": Unavailable,
    "ConditionalRequestConflict": Conflict,
    "ConflictException": Conflict,
    "ExpiredToken": Denied,
    "ExpiredTokenException": Denied,
    "InternalDependencyException": Unavailable,
    "InternalError": Unavailable,
    "InternalFailure": Unavailable,
    "InternalServerError": Unavailable,
    "InvalidAccessKeyId": Denied,
    "InvalidClientTokenId": Denied,
    "MissingAuthenticationToken": Denied,
    "ModelError": Invalid,
    "ModelNotReadyException": Unavailable,
    "NoSuchBucket": NotFound,
    "NoSuchKey": NotFound,
    "OptInRequired": Denied,
    "PreconditionFailed": Conflict,
    "RequestLimitExceeded": Unavailable,
    "RequestTimeout": Unavailable,
    "ResourceInUse": Conflict,
    "ResourceLimitExceeded": Invalid,
    "ResourceNotFound": NotFound,
    "ServiceUnavailable": Unavailable,
    "SignatureDoesNotMatch": Denied,
    "SlowDown": Unavailable,
    "Throttling": Unavailable,
    "ThrottlingException": Unavailable,
    "TooManyRequestsException": Unavailable,
    "UnrecognizedClientException": Denied,
}
"""Other codes are told by their HTTP status."""
HINTS: dict[Kind, str] = {Denied: "check the keys and the role of the aws connection, and the role's policies"}

# SageMaker has one code for most of what it refuses, and says in words what it means.
_BY_WORDS: tuple[tuple[str, Kind], ...] = (
    ("could not find", NotFound),
    ("not found", NotFound),
    ("does not exist", NotFound),
    ("already existing", Conflict),
    ("already exists", Conflict),
    ("cannot update in-progress", Unavailable),
)
_BY_STATUS: dict[int, Kind] = {
    401: Denied,
    403: Denied,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    429: Unavailable,
}
# By the names of botocore's classes: their module is not imported here.
_BY_CLASS: tuple[tuple[frozenset[str], Kind, str | None], ...] = (
    (frozenset({"SSLError"}), Invalid, "name the CA file in the extra verify of the aws connection"),
    (
        frozenset({"ConnectTimeoutError", "ReadTimeoutError"}),
        Unavailable,
        "is endpoint_url right, and do firewalls let us through?",
    ),
    (frozenset({"HTTPClientError", "ConnectionError"}), Unavailable, None),
    (frozenset({"ResponseParserError"}), Invalid, "is endpoint_url of the aws connection that of AWS?"),
    (
        frozenset({"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "NoAuthTokenError",
                   "TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"}),
        Denied,
        HINTS[Denied],
    ),
)  # fmt: skip


def refused(response: Mapping[str, Any]) -> tuple[Kind, str]:
    """What an answer with an error means, and its words: of a model's own error those of the model.

    :param response: the ``response`` of botocore's ClientError.
    """
    error = response.get("Error", {})
    code = str(error.get("Code", ""))
    words = str(response.get("OriginalMessage") or error.get("Message") or "")
    return kind_of(code, words, response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)), f"{code} {words}"


def failed(error: Exception) -> tuple[Kind, str | None]:
    """What an error of botocore's own means, and what to do about it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    found = ((kind, hint) for classes, kind, hint in _BY_CLASS if classes & names)
    return next(found, (Invalid, None))


def kind_of(code: str, words: str, status: int) -> Kind:
    """The class of an error by its code, by its words where the code says nothing, by its HTTP status."""
    if code in BY_CODE:
        return BY_CODE[code]
    if code in ("ValidationException", "ValidationError"):
        return next((kind for part, kind in _BY_WORDS if part in words.lower()), Invalid)
    return _BY_STATUS.get(status, Unavailable if status >= 500 else Invalid)
