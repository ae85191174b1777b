from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.approval import Decision, Side, question
from model_lifecycle.core.manifest import FileEntry, Manifest
from model_lifecycle.core.models import ModelVersion
from model_lifecycle.core.telling import EVALUATED_TAG

AT = datetime(2013, 2, 1, 12, tzinfo=UTC)


def side(version: int, mark: str, metrics: dict[str, float], tags: dict[str, str] | None = None, **facts: str) -> Side:
    manifest = Manifest("churn", (FileEntry("model.bin", 100 * version, mark * 64),), None, facts)
    return Side(ModelVersion("churn", version, "file:///x", manifest.digest, (), tags or {}), manifest, metrics)


NOTE = {"verdict": "PASS", "reason": "better by 0.01", "champion": "models:/churn/1", "at": "2013-02-01T00:00:00+00:00"}
EVALUATED = {EVALUATED_TAG: json.dumps(NOTE)}


def plain(markdown: str) -> str:
    return markdown.replace("\\", "")


def test_the_table_holds_what_a_person_must_know():
    tags = {"drift": "FAIL: 3 of 9 columns drifted", **EVALUATED}
    facts = {"dag_id": "retrain", "git_commit": "abc123", "training_data": "f" * 64}
    new = side(2, "a", {"auc": 0.75}, tags, **facts)
    old = side(1, "b", {"auc": 0.7}, dag_id="retrain")
    shown = plain(question(new, old, ["Without an answer it is rejected."]))
    for row in (
        "|  | models:/churn/2, the candidate | models:/churn/1, the champion | difference |",
        "| evaluated | PASS against models:/churn/1: better by 0.01 |  |",
        "| monitored | never |  |",
        "| size | 200 bytes | 100 bytes | +100.0% |",
        "| auc | 0.75 | 0.7 | +0.05 |",
        "| commit | abc123 |",
        "| trained by | retrain | retrain |",
        "| drift | FAIL: 3 of 9 columns drifted |",
        f"| training data (SHA-256) | {'f' * 12} |",
        "model.bin changed",
        "- Without an answer it is rejected.",
    ):
        assert row in shown, row


def test_a_first_version_has_nobody_beside_it():
    shown = plain(question(side(1, "a", {}), None))
    assert "no champion yet" in shown
    assert "| commit | unknown |" in shown


@given(st.text(max_size=80))
def test_text_of_strangers_makes_no_markup_no_link_and_no_new_row(text: str):
    facts = {"git_commit": f"{text}|<b>[x](javascript:alert(1))</b>\n| a | b |"}
    shown = question(side(1, "a", {}, {"drift": text}, **facts), side(2, "b", {}))
    plain_rows = question(side(1, "a", {}, {"drift": "x"}, git_commit="x"), side(2, "b", {})).count("\n")
    assert shown.count("\n") == plain_rows
    assert "<" not in shown
    assert "](" not in shown
    assert "javascript:" not in shown


def test_a_decision_is_json_and_one_sentence():
    assert json.loads(json.dumps(Decision(True, 2, "bob", AT, "fine").to_dict()))["by"] == "bob"
    assert Decision(True, 2, "bob", AT, "fine").sentence() == "approved by bob at 2013-02-01T12:00:00+00:00: fine"
    assert Decision(False, 2, None, AT).sentence().startswith("rejected by nobody before the deadline at 2013")
