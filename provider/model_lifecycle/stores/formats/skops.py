"""skops files: every node of their schema names a type that is on the list, and none does more than hold one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from model_lifecycle.core.trust import allow_hint, untrusted
from model_lifecycle.core.trusted_types import NUMPY_BIT_GENERATORS
from model_lifecycle.stores.formats.jsons import parse
from model_lifecycle.stores.formats.trip import MAX_JSON, Trip
from model_lifecycle.stores.formats.zips import Archive

SCHEMA = "schema.json"
_WORDS = (
    "BytearrayNode BytesNode CachedNode ConstructorFromReduceNode DTypeNode DefaultDictNode DictNode FunctionNode "
    "JsonNode ListNode LossNode MaskedArrayNode NdArrayNode ObjectNode PartialNode RandomGeneratorNode "
    "RandomStateNode SetNode SliceNode SparseMatrixNode TreeNode TupleNode TypeNode _DictWithDeprecatedKeysNode"
)
LOADERS = frozenset(_WORDS.split())
"""Kinds of node that make what they name. Bound methods and functions of ``operator`` are left out: they act."""


def check(archive: Archive, trip: Trip) -> set[str]:
    """Hold a skops file to the list of types, and return the names of the files in it that are plain bytes.

    :raises Untrusted: if a type is not on the list, or a node is of a kind that acts.
    """
    where = f"{archive.where}!{SCHEMA}"
    trip.need("skops", archive.where, "is a skops file", "the policy does not list that format")
    (member,) = [member for member in archive.members if member.name == SCHEMA]
    schema = parse(archive.read(member, MAX_JSON), where, trip)
    if not isinstance(schema, dict) or not isinstance(schema.get("__loader__"), str):
        raise trip.refuse(where, "is no schema of skops", "nobody can say what is loaded by it")
    raw = set()
    for node in _nodes(schema):
        trip.step(where)
        _check_node(node, where, trip)
        if node["__loader__"] in ("BytesNode", "BytearrayNode") and isinstance(node.get("file"), str):
            raw.add(node["file"])
    return raw


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "__loader__" in value and not isinstance(value["__loader__"], dict):
                yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _check_node(node: dict[str, Any], where: str, trip: Trip) -> None:
    loader, names = node["__loader__"], [f"{node.get('__module__')}.{node.get('__class__')}"]
    if not isinstance(loader, str) or loader not in LOADERS:
        found = f"holds a {loader} for {names[0]}"
        raise trip.refuse(where, found, "it acts when it is loaded", "save the model without it")
    content = node.get("content")
    if isinstance(content, dict) and "module_path" in content:  # how the first protocol named a function
        names.append(f"{content['module_path']}.{content.get('function')}")
    wrong = [name for name in names if not trip.policy.allows_skops_type(name)]
    if loader == "RandomGeneratorNode":
        wrong += [name for name in [_generator(content)] if name not in NUMPY_BIT_GENERATORS]
    if wrong:
        hint = allow_hint(f"globals {wrong[0]}", "save the model without it")
        raise untrusted(where, f"names {wrong[0]}", "it is not on the list of types that only hold data", hint)


def _generator(content: Any) -> str:
    """The kind of generator that a node makes; its name is a string of JSON inside the state."""
    try:
        return f"numpy.random.{json.loads(content['bit_generator']['content']['bit_generator']['content'])}"
    except (KeyError, TypeError, ValueError, RecursionError):
        return "numpy.random"
