"""Holds events of OpenLineage against its JSON schemas, and our own facet against ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

SPEC = Path(__file__).parent / "spec"
EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
OURS = "modelLifecycle"


def faults(event: dict[str, Any]) -> list[str]:
    """What the schemas do not allow in an event and in each of its facets; a schema that is not here is a fault."""
    found = _against(EVENT, event)
    for name, facet in facets(event):
        asked = [facet["_schemaURL"], *([OURS] if name == OURS else [])]
        found += [f"{name}: {fault}" for reference in asked for fault in _against(reference, facet)]
    return found


def facets(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every facet of an event with its name: of the run, of the job, and of every data set."""
    carriers = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    for kind in ("facets", "inputFacets", "outputFacets"):
        for carrier in carriers:
            yield from (carrier.get(kind) or {}).items()


def _against(reference: str, value: Any) -> list[str]:
    if reference.partition("#")[0] not in _registry():
        return [f"there is no schema {reference}"]
    asked = Draft202012Validator({"$ref": reference}, registry=_registry(), format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message[:300]}" for error in asked.iter_errors(value)]


@cache
def _registry() -> Registry[Any]:
    ours = files("model_lifecycle") / "schemas" / "lineage_facet.json"
    found = {OURS: json.loads(ours.read_text())}
    found |= {one["$id"]: one for one in (json.loads(file.read_text()) for file in sorted(SPEC.glob("*.json")))}
    return Registry().with_resources((uri, Resource.from_contents(schema)) for uri, schema in found.items())
