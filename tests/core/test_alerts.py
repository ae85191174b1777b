"""What an alert asks for, and the name under which it is done once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.alerts import LONGEST_REASON, Alert, event_key, plain, rollback_params
from model_lifecycle.core.errors import Invalid

LABELS = {"alertname": "Errors", "model": "churn", "version": "3", "action": "rollback"}
ALERT = Alert("0123456789abcdef", datetime(2026, 11, 21, 21, 42, 6, 123456, UTC), True, LABELS, {"summary": "it fails"})
ENDPOINTS = {"churn": "scorer_default/churn"}


def labelled(**labels: str) -> Alert:
    return replace(ALERT, labels={**LABELS, **labels})


@pytest.mark.parametrize(
    "moment", ["2026-11-21T21:42:06.123456Z", "2026-11-21T21:42:06.123456789Z", "2026-11-21T22:42:06.123456+01:00"]
)
def test_the_same_firing_has_one_name_however_its_moment_is_written(moment: str):
    value = {"fingerprint": ALERT.fingerprint, "status": "firing", "labels": LABELS, "startsAt": moment}
    read = Alert.read({**value, "annotations": {"summary": "it fails"}})
    assert read == ALERT
    assert read.run_id == "alert__2026-11-21T21:42:06.123456+00:00__0123456789abcdef"


def test_the_name_of_a_run_is_one_that_airflow_allows():
    assert re.fullmatch(r"[A-Za-z0-9_.~:+-]+", ALERT.run_id)
    assert ".." not in ALERT.run_id


@pytest.mark.parametrize("moment", ["2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "0000-01-01T00:00:00Z"])
def test_a_day_that_does_not_exist_is_refused(moment: str):
    with pytest.raises(Invalid, match="no moment"):
        Alert.read({"fingerprint": "0" * 16, "status": "firing", "labels": {}, "startsAt": moment})


def test_only_a_firing_alert_with_the_label_asks_for_a_rollback():
    assert ALERT.asks_for_rollback
    assert not replace(ALERT, firing=False).asks_for_rollback
    assert not labelled(action="retrain").asks_for_rollback
    assert not labelled(action="Rollback").asks_for_rollback


def test_the_params_name_endpoint_version_and_reason():
    assert rollback_params(ALERT, ENDPOINTS) == {
        "endpoint": "scorer_default/churn",
        "leaving": "3",
        "alert": "Errors",
        "reason": "Errors: it fails",
    }


def test_the_alerts_own_endpoint_wins():
    assert rollback_params(labelled(endpoint="blue/churn"), ENDPOINTS)["endpoint"] == "blue/churn"
    assert rollback_params(labelled(endpoint="blue/churn"), {})["endpoint"] == "blue/churn"


@pytest.mark.parametrize("endpoints", [{}, {"other": "scorer_default/other"}])
def test_an_endpoint_that_nobody_named_is_asked_for(endpoints):
    with pytest.raises(Invalid, match="nobody says which endpoint serves churn.*extra endpoints"):
        rollback_params(ALERT, endpoints)


@pytest.mark.parametrize("version", ["", "0", "03", "-1", "3.0", "3 ", "three", "٣", "9" * 10])
def test_a_version_is_a_number(version: str):
    with pytest.raises(Invalid, match="no version number"):
        rollback_params(labelled(version=version), ENDPOINTS)


@given(st.dictionaries(st.sampled_from(["model", "version", "endpoint", "alertname"]), st.text(), max_size=4))
def test_whatever_the_labels_say_the_params_are_allowed_or_refused(labels: dict[str, str]):
    try:
        found = rollback_params(labelled(**labels), ENDPOINTS)
    except Invalid:
        return
    assert re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", found["endpoint"], re.ASCII)
    assert re.fullmatch(r"[1-9][0-9]{0,8}", found["leaving"], re.ASCII)
    assert found["reason"].isprintable() or not any(c in found["reason"] for c in "\r\n\x1b\x00")


@given(st.text(), st.text())
def test_a_reason_is_one_line_of_bounded_length(name: str, summary: str):
    alert = replace(ALERT, labels={"alertname": name}, annotations={"summary": summary})
    assert len(alert.told()) <= LONGEST_REASON
    assert len(alert.told().splitlines()) <= 1


def test_a_description_stands_in_for_a_missing_summary():
    assert replace(ALERT, annotations={"description": "so"}).told() == "Errors: so"
    assert replace(ALERT, annotations={}).told() == "Errors"
    assert replace(ALERT, labels={}, annotations={}).told() == "an alert"


def test_an_event_carries_what_a_dag_needs_and_nothing_else():
    assert labelled(severity="page", instance="10.0.0.1", action="retrain").to_event() == {
        "alert": "Errors",
        "model": "churn",
        "since": "2026-11-21T21:42:06.123456+00:00",
        "action": "retrain",
        "severity": "page",
        "version": "3",
        "reason": "Errors: it fails",
        "fingerprint": "0123456789abcdef",
    }


def test_the_key_of_an_event_keeps_its_parts_apart():
    assert event_key("a", "b") == event_key("a", "b")
    assert len({event_key("a", "b"), event_key("ab", ""), event_key("b", "a")}) == 3


@given(st.text(), st.integers(3, 50))
def test_plain_text_is_never_longer_than_asked(text: str, longest: int):
    assert len(plain(text, longest)) <= longest
