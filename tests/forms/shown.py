"""What holds for the form of any connection type."""

from __future__ import annotations

from typing import Any

import jsonschema

STANDARD = {"host", "port", "schema", "login", "password"}
SECRETS = ("secret", "password", "token")


def check(connection: dict[str, Any]) -> None:
    """Fail where Airflow would show the form wrongly, or a secret where it can be read."""
    behaviour = connection["ui-field-behaviour"]
    assert set(behaviour["hidden-fields"]) <= STANDARD
    assert set(behaviour["relabeling"]) | set(behaviour["placeholders"]) <= STANDARD
    assert not set(behaviour["hidden-fields"]) & (set(behaviour["relabeling"]) | set(behaviour["placeholders"]))
    for name, field in connection["conn-fields"].items():
        schema = field["schema"]
        jsonschema.Draft202012Validator.check_schema(schema)
        assert field["label"], name
        assert field["description"].endswith("."), name
        # The form takes the first type that is not null, and leaves out what is null.
        assert len(schema["type"]) == 2, name
        assert schema["type"][1] == "null", name
        assert None in schema.get("enum", [None]), name
        jsonschema.validate(schema.get("default"), schema)
        for example in schema.get("examples", ()):
            jsonschema.validate(example, schema)
        assert (schema.get("format") == "password") == any(word in name for word in SECRETS), name


def by_type(connections: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The connections by their types, each of which is there once."""
    found = {one["connection-type"]: one for one in connections}
    assert len(found) == len(connections)
    return found
