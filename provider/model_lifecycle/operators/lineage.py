"""What a task read and made, for OpenLineage: artifacts and tables as data sets, versions of models, and the verdict.

Names follow OpenLineage's naming where it has one: an artifact or a table is the scheme and host of its URI and its
path; ``hdfs://<conn_id>@/path`` keeps the connection's id where the host would be, for nobody is asked here. A model is
``model`` and its name, as the asset ``model://<name>`` is. Without OpenLineage nothing of this happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.models import ModelUri
from model_lifecycle.operators.links import endpoint_of

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

READS = ("source", "data", "training_data", "profiles", "artifact_uri")
"""Arguments of operators that name what is read; ``model_uri`` and ``champion`` name versions."""
FACET = "modelLifecycle"
"""Our run facet: what was done where, and how it came out."""
_TOLD = ("release", "endpoint", "change", "state", "verdict", "reason", "version", "serving_version", "digest")
Name = tuple[str, str, str | None]
"""Namespace, name and version of a data set."""


def lineage(operator: Any, result: Any) -> OperatorLineage[Any, Any] | None:
    """What a task did, or None where OpenLineage is not installed.

    :param operator: after it ran, with its arguments rendered.
    :param result: what it returned; None if it failed.
    """
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
    except ImportError:
        return None
    made = outputs(operator, result)
    return OperatorLineage(
        inputs=[_dataset(*name) for name in inputs(operator, result) if name not in made],
        outputs=[_dataset(*name) for name in made],
        run_facets={FACET: _facet()(**about(operator, result))},
    )


def inputs(operator: Any, result: Any = None) -> list[Name]:
    """The names of what the operator's arguments, and the versions its result tells of, are read from."""
    found = [place(uri) for argument in READS for uri in _texts(getattr(operator, argument, None))]
    named = [getattr(operator, "model_uri", None), getattr(operator, "champion", None)]
    told = [result.get("candidate"), result.get("champion")] if isinstance(result, Mapping) else []
    found += [model(uri) for uri in (*named, *told) if isinstance(uri, str)]
    return _once(found)


def outputs(operator: Any, result: Any) -> list[Name]:
    """The names of what a result tells was made: an artifact, a profile, a version, or what an endpoint serves."""
    if isinstance(result, str):
        return _once([model(result) if result.startswith("models:/") else place(result)])
    if not isinstance(result, Mapping):
        return []
    found = [place(result[key]) for key in ("profile", "drift_report") if isinstance(result.get(key), str)]
    if isinstance(result.get("release"), str) and isinstance(result.get("endpoint"), str):
        serving = result.get("serving_version")
        found.append(("endpoint", result["endpoint"], None if serving is None else str(serving)))
    return _once(found)


def about(operator: Any, result: Any) -> dict[str, str]:
    """The texts of our run facet."""
    told = {key: result[key] for key in _TOLD if result.get(key) is not None} if isinstance(result, Mapping) else {}
    endpoint = endpoint_of(operator)
    addressed = {"endpoint": str(endpoint)} if endpoint else {}
    return {"operator": type(operator).__name__, **addressed, **{key: str(told[key]) for key in told}}


def place(uri: str) -> Name | None:
    """The data set of a URI or a path; None where it is neither."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme in ("", "file"):
        return ("file", parts.path, None) if parts.path.startswith("/") else None
    conn_id, at, rest = parts.netloc.partition("@")
    if not at:
        host, path = parts.netloc, parts.path
    else:
        host, path = (rest, parts.path) if rest else (conn_id, parts.path)
    name = path.strip("/") if parts.scheme == "s3" else path
    return (f"{parts.scheme}://{host}", name or "/", None) if host else None


def model(uri: str) -> Name | None:
    """The data set of a model URI, with its version where it names one."""
    try:
        found = ModelUri.parse(uri)
    except Invalid:
        return None
    name = f"{found.name}/{found.alias}" if found.alias else found.name
    return "model", name, None if found.version is None else str(found.version)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if isinstance(one, str)]


def _once(names: Iterable[Name | None]) -> list[Name]:
    return list(dict.fromkeys(name for name in names if name))


def _dataset(namespace: str, name: str, version: str | None) -> Any:
    from openlineage.client.event_v2 import Dataset
    from openlineage.client.facet_v2 import dataset_version_dataset

    facets: dict[str, Any] = {}
    if version:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=version)
    return Dataset(namespace=namespace, name=name, facets=facets)


@cache
def _facet() -> type[Any]:
    import attrs
    from openlineage.client.facet_v2 import RunFacet

    fields = {name: attrs.field(default=None) for name in ("operator", *_TOLD)}
    return attrs.make_class("ModelLifecycleRunFacet", fields, bases=(RunFacet,), kw_only=True)
