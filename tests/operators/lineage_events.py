"""The OpenLineage events of tasks, as the listener of Airflow's OpenLineage provider would send them."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.serde import Serde

PRODUCER = "https://github.com/apache/airflow"


def completed(operator: Any) -> dict[str, Any]:
    """The event COMPLETE of a task that has run, as the JSON that is sent."""
    return _event(RunState.COMPLETE, operator, operator.get_openlineage_facets_on_complete(None))


def failed(operator: Any) -> dict[str, Any]:
    """The event FAIL of a task."""
    return _event(RunState.FAIL, operator, operator.get_openlineage_facets_on_failure(None))


def _event(state: RunState, operator: Any, found: Any) -> dict[str, Any]:
    event = RunEvent(
        eventType=state,
        eventTime="2026-11-21T12:00:00Z",
        run=Run(runId=str(uuid4()), facets=found.run_facets),
        job=Job(namespace="airflow", name=f"life.{operator.task_id}", facets=found.job_facets),
        inputs=found.inputs,
        outputs=found.outputs,
        producer=PRODUCER,
    )
    return dict(json.loads(Serde.to_json(event)))
