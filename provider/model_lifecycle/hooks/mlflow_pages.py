"""Models and versions page by page, as MLflow's own searches give them: what a person looks through.

Names are shown as they are, also those that we would not allow; what cannot be asked for is refused. A page costs at
most four calls and one for each training run that is not known yet, with ten thousand versions as with ten.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlsplit

from model_lifecycle.core.errors import Invalid, ModelLifecycleError, NotFound
from model_lifecycle.core.models import CHAMPION, ModelVersion
from model_lifecycle.core.telling import DRIFT_TAG, EVALUATED_TAG, MONITORED_TAG, REPORT_TAG, noted, text
from model_lifecycle.hooks.mlflow import API, MlflowHook
from model_lifecycle.hooks.mlflow_answers import translated, version_of

PATIENCE = 4.0
"""Seconds for one call."""
MOST = 50
"""Metrics of a run, and tags of a version."""
KEEP, RUNS = 60.0, 2000
"""Seconds that the metrics of a run are known for, and how many runs."""
OWN = "model_lifecycle."
SIZE_TAG = f"{OWN}size"
Json = dict[str, Any]
Runs = dict[str, tuple[float, dict[str, float]]]


class RegistryPages:
    """Reads of one MLflow server.

    :param runs: metrics that are known already, with the moment they were read; new ones are put in.
    """

    def __init__(self, hook: MlflowHook, runs: Runs | None = None) -> None:
        self.hook = hook
        self._runs: Runs = {} if runs is None else runs

    def models(self, query: str, token: str, limit: int) -> Json:
        """Models whose names contain the query, by name."""
        params: Json = {"max_results": limit, "order_by": "name ASC", "page_token": token or None}
        if query:
            params["filter"] = f"name ILIKE {_quoted(f'%{query}%')}"
        answer = self._call("GET", "registered-models/search", params=params)
        rows = [self._model(row) for row in answer.get("registered_models", [])]
        return {"models": rows, "next": answer.get("next_page_token") or None}

    def versions(self, name: str, token: str, limit: int) -> Json:
        """Versions of a model, the newest first, with aliases and with metrics beside those of the champion.

        :raises NotFound: if there is no such model.
        """
        params = {"filter": f"name = {_quoted(name)}", "max_results": limit, "order_by": "version_number DESC"}
        answer = self._call("GET", "model-versions/search", params={**params, "page_token": token or None})
        model = self._call("GET", "registered-models/get", params={"name": name})["registered_model"]
        aliases = _aliases(model)
        rows = [row for row in answer.get("model_versions", []) if row.get("name") == name]
        champion = next((row for row in rows if CHAMPION in aliases.get(str(row["version"]), ())), None)
        number = next((number for number, names in aliases.items() if CHAMPION in names), None)
        if champion is None and number is not None:
            found = self._call("GET", "model-versions/get", params={"name": name, "version": number})
            champion = found["model_version"]
        metrics = self._metrics({str(row["run_id"]) for row in [*rows, champion] if row and row.get("run_id")})
        best = metrics.get(str(champion.get("run_id")), {}) if champion else {}
        told = [self._version(row, aliases, metrics.get(str(row.get("run_id")), {}), best) for row in rows]
        about = {"model": text(name), "champion": int(number) if number else None}
        return {**about, "versions": told, "next": answer.get("next_page_token") or None}

    def judged(self, name: str, version: int) -> Json:
        """What the newest drift report and the newest monitor of a version found; nothing for what was never judged."""
        try:
            row = self._call("GET", "model-versions/get", params={"name": name, "version": str(version)})
        except NotFound:
            return {}  # somebody has removed it; what serves stays
        tags = version_of(row["model_version"]).tags
        return {"drift": _drift(tags), "check": noted(tags.get(MONITORED_TAG, ""), version)}

    def of_run(self, dag: str, run: str) -> list[Json]:
        """The versions that tasks of a DAG run registered, as far as they fit on one page."""
        wanted = {f"{OWN}dag_id": dag, f"{OWN}run_id": run}
        told = " AND ".join(f"tags.`{key}` = {_quoted(value)}" for key, value in wanted.items())
        answer = self._call("GET", "model-versions/search", params={"filter": told, "max_results": MOST})
        found = [version_of(row) for row in answer.get("model_versions", [])]
        return [{"model": text(one.name), "version": one.version, "url": self._page(one)} for one in found]

    def _page(self, version: ModelVersion) -> str:
        return f"{self.hook.session.url}/#/models/{_path(version.name)}/versions/{version.version}"

    def _model(self, row: Mapping[str, Any]) -> Json:
        aliases = _aliases(row)
        newest = max((int(one["version"]) for one in row.get("latest_versions", [])), default=None)
        return {
            "name": text(row["name"]),
            "aliases": {text(alias): int(number) for number, names in aliases.items() for alias in names},
            "newest": newest,
            "changed_at": _moment(row.get("last_updated_timestamp")),
            "url": f"{self.hook.session.url}/#/models/{_path(row['name'])}",
        }

    def _version(
        self, row: Mapping[str, Any], aliases: Mapping[str, list[str]], metrics: Mapping[str, float], best: Any
    ) -> Json:
        found: ModelVersion = version_of(row, aliases.get(str(row["version"]), ()))
        size = found.tags.get(SIZE_TAG, "")
        own = {k: v for k, v in found.tags.items() if k.startswith(OWN) and k not in (MONITORED_TAG, EVALUATED_TAG)}
        return {
            "version": found.version,
            "aliases": [text(alias) for alias in found.aliases],
            "digest": found.digest,
            "size": int(size) if size.isdecimal() and len(size) < 19 else None,
            "artifact": text(found.artifact_uri),
            "provenance": _texts((k.removeprefix(OWN), v) for k, v in own.items()),
            "tags": _texts((k, v) for k, v in found.tags.items() if not k.startswith(OWN)),
            "metrics": [_compared(metric, value, best) for metric, value in sorted(metrics.items())[:MOST]],
            "drift": _drift(found.tags),
            "check": noted(found.tags.get(MONITORED_TAG, ""), found.version),
            "evaluated": noted(found.tags.get(EVALUATED_TAG, ""), found.version),
            "created_at": _moment(row.get("creation_timestamp")),
            "url": self._page(found),
        }

    def _metrics(self, runs: Iterable[str]) -> dict[str, dict[str, float]]:
        now = time.monotonic()
        unknown = [run for run in runs if self._runs.get(run, (-math.inf, {}))[0] < now - KEEP]
        if len(self._runs) > RUNS:
            self._runs.clear()
        with ThreadPoolExecutor(8) as pool:
            for run, found in zip(unknown, pool.map(self._metrics_of, unknown), strict=True):
                self._runs[run] = now, found
        return {run: found for run, (_, found) in self._runs.items()}

    def _metrics_of(self, run: str) -> dict[str, float]:
        try:
            data = self._call("GET", "runs/get", params={"run_id": run})["run"].get("data", {})
        except NotFound:
            return {}  # somebody has removed the run; the version stays
        rows = [(text(one["key"]), one.get("value")) for one in data.get("metrics", [])]
        return {key: float(value) for key, value in rows if isinstance(value, int | float) and math.isfinite(value)}

    def _call(self, method: str, path: str, **more: Any) -> Json:
        try:
            answer = self.hook.session.call(method, f"{API}/{path}", deadline=PATIENCE, retry=False, **more).json()
        except ModelLifecycleError as error:
            raise translated(error) from error.__cause__
        if not isinstance(answer, dict):
            raise Invalid(f"{path}: the answer is no MLflow answer", target=self.hook.session.target)
        return answer


def _compared(metric: str, value: float, best: Mapping[str, float]) -> Json:
    other = best.get(metric)
    return {"name": metric, "value": value, "champion": other, "difference": None if other is None else value - other}


def _aliases(model: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in model.get("aliases", []):
        found.setdefault(str(pair["version"]), []).append(str(pair["alias"]))
    return found


def _drift(tags: Mapping[str, str]) -> Json | None:
    if REPORT_TAG not in tags and DRIFT_TAG not in tags:
        return None
    page = tags.get(REPORT_TAG, "")
    return {"found": text(tags.get(DRIFT_TAG, "")), "page": page if is_web_address(page) else None}


def is_web_address(address: str) -> bool:
    """Whether a link may lead there: anybody can set a tag, and ``javascript:`` is an address too."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and len(address) <= 2000 and address.isprintable()


def _texts(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {text(name): text(value) for name, value in sorted(pairs)[:MOST]}


def _moment(milliseconds: Any) -> int | None:
    return int(milliseconds) if str(milliseconds or "").isdecimal() else None


def _path(name: str) -> str:
    return quote(name, safe="")


def _quoted(value: str) -> str:
    """A text in MLflow's filter language, which knows two quotes and no escape."""
    if "\\" in value or ("'" in value and '"' in value) or not value.isprintable():
        raise Invalid("MLflow cannot be asked for a name with such characters")
    return f'"{value}"' if "'" in value else f"'{value}'"
