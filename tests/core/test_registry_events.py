"""What of MLflow's events becomes an event of a model; the payloads are MLflow's own examples."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.registry_events import MODEL_ENTITIES, event_of
from model_lifecycle.plugins.payloads import read_payload
from tests.models import quiet


@quiet()
def examples() -> list[tuple[str, dict[str, Any]]]:
    """Every event that this MLflow can send, with its example."""
    from mlflow.entities.webhook import VALID_ENTITY_ACTIONS, WebhookEvent
    from mlflow.webhooks.types import get_example_payload_for_event

    found = []
    for entity, actions in VALID_ENTITY_ACTIONS.items():
        for action in actions:
            data = get_example_payload_for_event(WebhookEvent(entity, action))
            about = {"entity": entity.value, "action": action.value, "timestamp": "2026-11-21T21:42:06+00:00"}
            found.append((f"{entity.value}.{action.value}", {**about, "data": dict(data)}))
    return found


def test_every_event_of_this_mlflow_can_be_read():
    told = examples()
    assert len(told) > len(MODEL_ENTITIES)
    for name, payload in told:
        found = event_of(read_payload(json.dumps(payload).encode(), "mlflow_webhook"))
        if payload["entity"] not in MODEL_ENTITIES:
            assert found is None, name
            continue
        assert found is not None, name
        model, extra = found
        assert (model, extra["model"], extra["event"]) == ("example_model", "example_model", name)


def test_tags_and_descriptions_and_sources_stay_in_the_registry():
    data = {
        "name": "churn",
        "version": "1",
        "source": "s3://secret",
        "tags": {"a": "b"},
        "description": "d",
        "value": "v",
    }
    found = event_of({"entity": "model_version", "action": "created", "data": data})
    assert found == ("churn", {"event": "model_version.created", "model": "churn", "version": "1"})


@pytest.mark.parametrize("name", [None, "", "../churn", "a b", 3])
def test_a_name_that_is_not_allowed_is_refused(name: object):
    with pytest.raises(Invalid):
        event_of({"entity": "model_version", "action": "created", "data": {"name": name}})
