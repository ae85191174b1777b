"""JSON that strangers send: read with bounds, and held against a schema that the package ships."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn

from model_lifecycle.core.errors import Invalid

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

LONGEST = 1 << 20
"""Bytes of a body; Alertmanager's largest group of a hundred alerts is a tenth of it."""


def read_payload(body: bytes, schema: str) -> dict[str, Any]:
    """The value of a body.

    :param schema: the name of a file in ``schemas/``, without its ending.
    :raises Invalid: if it is not UTF-8, not JSON, nested too deeply, holds NaN or an infinity, or breaks the schema.
        The message names the place and the rule, and repeats nothing that was sent.
    """
    try:
        value = json.loads(body.decode(), parse_constant=_refuse, object_pairs_hook=_once)
    except RecursionError as error:
        raise Invalid("the body is nested too deeply") from error
    except ValueError as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError | _NotPlain) else "it is not UTF-8"
        raise Invalid(f"the body is not JSON: {reason}") from error
    fault = next(iter(_validator(schema).iter_errors(value)), None)
    if fault is not None:
        raise Invalid(f"the body is not what {schema} asks for: {fault.json_path} breaks the rule {fault.validator}")
    return dict(value)


class _NotPlain(ValueError):
    """Python's parser would take it, the standard does not."""


def _refuse(constant: str) -> NoReturn:
    raise _NotPlain(f"it holds {constant}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotPlain("a name stands twice in one object")
    return found


@cache
def _validator(schema: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    text = files("model_lifecycle").joinpath("schemas", f"{schema}.json").read_text()
    return Draft202012Validator(json.loads(text))
