"""Filing of drift reports with the version they are about, and the button that leads to them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from model_lifecycle.core.errors import ModelLifecycleError
from model_lifecycle.core.telling import DRIFT_TAG, REPORT_TAG

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from model_lifecycle.core.checks import Measurement
    from model_lifecycle.core.drift import ColumnDrift
    from model_lifecycle.core.models import ModelVersion
    from model_lifecycle.core.profile import Profile
    from model_lifecycle.hooks.registry import ModelRegistryHook

DRIFT_REPORT_URL = "drift_report_url"
"""The XCom key under which an operator leaves the address of its report."""

LONGEST_REASON = 500
FOLDER = "drift_reports"

log = logging.getLogger(__name__)


class DriftReportLink(BaseOperatorLink):
    """From a task to the drift report that it filed; no report, no button.

    An operator that lists it in ``operator_extra_links`` calls :func:`publish_report_link`.
    """

    @property
    def name(self) -> str:
        """The button's text."""
        return "Drift report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that the task pushed, or an empty string."""
        from airflow.sdk.execution_time.xcom import XCom

        url = XCom.get_value(ti_key=ti_key, key=DRIFT_REPORT_URL)
        return url if isinstance(url, str) else ""


def publish_report_link(context: Context, filed: Mapping[str, Any]) -> None:
    """Leave the address of a filed report for :class:`DriftReportLink`."""
    if filed.get("page"):
        context["ti"].xcom_push(key=DRIFT_REPORT_URL, value=filed["page"])


def file_report(
    context: Context,
    registry: ModelRegistryHook,
    version: ModelVersion,
    drifts: Sequence[ColumnDrift],
    measurements: Sequence[Measurement],
    *,
    sides: tuple[Profile, Profile] | None,
    **about: str | float | None,
) -> dict[str, Any]:
    """Make the report of a task, file it with the version, and leave its address for the button.

    :param sides: the reference and the current profile that were compared; None if nothing was.
    :param about: endpoint, window, compared_with and what else a reader should know.
    :returns: what :func:`log_report` does.
    """
    from model_lifecycle.core.drift_report import drift_report
    from model_lifecycle.core.profile import Profile

    ti, made_at = context["ti"], f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    told = {"model": version.name, "version": version.version, **about, "made_at": made_at}
    told["made_by"] = f"{ti.dag_id}.{ti.task_id}, {ti.run_id}"
    reference, current = sides or (Profile(), Profile())
    filed = log_report(registry, version, drift_report(reference, current, drifts, measurements, units=None, **told))
    publish_report_link(context, filed)
    return filed


def log_report(registry: ModelRegistryHook, version: ModelVersion, report: Mapping[str, Any]) -> dict[str, Any]:
    """File a report with its version, as JSON and as a page, and tag the version with the newest one's address.

    A report about the same endpoint, window and reference replaces the one before. A verdict is never lost because its
    picture could not be filed: any error of the registry is a warning, and ``problem`` in the answer.

    :returns: ``page`` and ``json``, the addresses or None; ``bytes`` of the page; ``problem`` or None.
    """
    from model_lifecycle.core.report_page import page

    html = page(report).encode()
    data = json.dumps(report, allow_nan=False, separators=(",", ":")).encode()
    folder = folder_of(report["about"])
    try:
        as_json = registry.attach_file(
            version.name, version.version, f"{folder}/drift_report.json", data, "application/json"
        )
        as_page = registry.attach_file(version.name, version.version, f"{folder}/drift_report.html", html, "text/html")
        registry.set_tags(version.name, version.version, {REPORT_TAG: as_page, DRIFT_TAG: _found(report)})
    except ModelLifecycleError as error:
        log.warning("The drift report of %s was not filed: %s", version.uri, error)
        return {"page": None, "json": None, "bytes": len(html), "problem": str(error)}
    return {"page": as_page, "json": as_json, "bytes": len(html), "problem": None}


def note_verdict(registry: ModelRegistryHook, version: ModelVersion, tag: str, result: Mapping[str, Any]) -> None:
    """Tag a version with what was just found of it; that the registry is away changes no verdict.

    :param tag: of :mod:`model_lifecycle.core.telling`; its JSON holds verdict, reason, moment, endpoint or champion.
    """
    told = {name: result[name] for name in ("endpoint", "champion", "verdict") if name in result}
    told |= {"reason": str(result["reason"])[:LONGEST_REASON], "at": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        registry.set_tags(version.name, version.version, {tag: json.dumps(told)})
    except ModelLifecycleError as error:
        log.warning("The verdict about %s was not noted with it: %s", version.uri, error)


def folder_of(about: Mapping[str, Any]) -> str:
    """Where a report lies: one folder for each endpoint, window and reference, named by them as far as names allow."""
    window, against = str(about.get("window", "newest")), str(about.get("compared_with", "reference"))
    endpoint = "/".join(map(_name, str(about.get("endpoint", "data")).split("/", 1)))
    return f"{FOLDER}/{endpoint}/{_name(window)}-vs-{_name(against)}"


def _name(text: str) -> str:
    """A name by allow-list, with a digest where something had to be changed."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:40].strip("-._") or "x"
    return plain if plain == text else f"{plain}-{sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()[:6]}"


def _found(report: Mapping[str, Any]) -> str:
    window = report["about"].get("window")
    when = f" in {ascii(window)[1:-1][:200]}" if window else ""
    return f"{report['verdict']}: {report['drifted']} of {len(report['columns'])} columns drifted{when}"
