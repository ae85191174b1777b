from __future__ import annotations

import pytest
from airflow.sdk import Connection

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.extras import extras


@pytest.mark.parametrize(
    ("text", "found"), [(None, {}), ("", {}), ("{}", {}), ('{"verify": false}', {"verify": False})]
)
def test_extras_are_an_object_or_nothing(text, found):
    assert extras(Connection(conn_id="srv", conn_type="http", extra=text)) == found


@pytest.mark.parametrize("text", ['{"password": "s3cr3t"', "s3cr3t", '["s3cr3t"]', '"s3cr3t"', "7"])
def test_anything_else_is_told_and_not_shown(text):
    with pytest.raises(Invalid, match="extra of the connection is no") as caught:
        extras(Connection(conn_id="srv", conn_type="http", extra=text))
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None
