"""What AWS says, as our errors: the whole table."""

from __future__ import annotations

import botocore.exceptions
import pytest

from model_lifecycle.core.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from model_lifecycle.hooks.aws_errors import BY_CODE, failed, kind_of, refused


@pytest.mark.parametrize(
    ("code", "words", "status", "kind"),
    [
        ("ThrottlingException", "Rate exceeded", 400, Unavailable),
        ("SlowDown", "Reduce your request rate", 503, Unavailable),
        ("InternalFailure", "", 500, Unavailable),
        ("ModelNotReadyException", "", 429, Unavailable),
        ("AccessDeniedException", "not authorized to perform: sagemaker:CreateModel", 400, Denied),
        ("ExpiredTokenException", "", 400, Denied),
        ("SignatureDoesNotMatch", "", 403, Denied),
        ("ModelError", "Received client error (400)", 424, Invalid),
        ("ResourceLimitExceeded", "ml.m5.large for endpoint usage is 2 Instances", 400, Invalid),
        ("NoSuchBucket", "", 404, NotFound),
        ("PreconditionFailed", "", 412, Conflict),
        ("ConditionalRequestConflict", "", 409, Conflict),
        ("ValidationException", 'Could not find endpoint "arn:aws:...:endpoint/churn".', 400, NotFound),
        ("ValidationException", 'Could not find endpoint configuration "arn:aws:...".', 400, NotFound),
        ("ValidationException", 'Could not find model "arn:aws:...".', 400, NotFound),
        ("ValidationError", "Endpoint churn of account 123456789012 not found.", 400, NotFound),
        ("ValidationError", "Variant v9 not found for Request", 400, NotFound),
        ("ValidationException", 'Cannot create already existing model "arn:aws:...".', 400, Conflict),
        ("ValidationException", 'Cannot create already existing endpoint configuration "x".', 400, Conflict),
        ("ValidationException", 'Cannot update in-progress endpoint "arn:aws:...".', 400, Unavailable),
        ("ValidationException", "1 validation error detected: Value 'x' at 'instanceType'", 400, Invalid),
        ("NeverHeardOf", "", 503, Unavailable),
        ("NeverHeardOf", "", 429, Unavailable),
        ("NeverHeardOf", "", 404, NotFound),
        ("NeverHeardOf", "", 403, Denied),
        ("NeverHeardOf", "", 400, Invalid),
        ("403", "Forbidden", 403, Denied),
        ("404", "Not Found", 404, NotFound),
    ],
)
def test_what_an_answer_means(code: str, words: str, status: int, kind: type) -> None:
    assert kind_of(code, words, status) is kind


def test_the_table_is_in_order() -> None:
    assert list(BY_CODE) == sorted(BY_CODE)


def test_the_words_of_a_model_that_fails_are_its_own() -> None:
    response = {
        "Error": {"Code": "ModelError", "Message": "Received client error (400) from primary. See https://..."},
        "OriginalMessage": '{"message": "column y is missing"}',
        "ResponseMetadata": {"HTTPStatusCode": 424},
    }
    assert refused(response) == (Invalid, 'ModelError {"message": "column y is missing"}')
    assert refused({}) == (Invalid, " ")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (botocore.exceptions.EndpointConnectionError(endpoint_url="https://x"), Unavailable),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="https://x"), Unavailable),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="https://x"), Unavailable),
        (botocore.exceptions.ConnectionClosedError(endpoint_url="https://x"), Unavailable),
        (botocore.exceptions.ProxyConnectionError(proxy_url="http://p"), Unavailable),
        (botocore.exceptions.SSLError(endpoint_url="https://x", error="e"), Invalid),
        (botocore.exceptions.NoCredentialsError(), Denied),
        (botocore.exceptions.PartialCredentialsError(provider="p", cred_var="c"), Denied),
        (botocore.exceptions.CredentialRetrievalError(provider="p", error_msg="e"), Denied),
        (botocore.exceptions.NoRegionError(), Invalid),
        (botocore.exceptions.ProfileNotFound(profile="p"), Invalid),
        (botocore.exceptions.ParamValidationError(report="r"), Invalid),
    ],
)
def test_what_an_error_of_botocores_own_means(error: Exception, kind: type) -> None:
    assert failed(error)[0] is kind
