from __future__ import annotations

import getpass
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from model_lifecycle.cli import changes
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.strategy import BlueGreen
from tests.cli.asking import Ask
from tests.operators.life import Life


def test_a_rollback_by_hand_is_the_operators_names_the_person_and_is_asked_for(life: Life, ask: Ask):
    for run, offset in enumerate((1.0, 2.0, 3.0)):
        life.release(offset, f"run-{run}")
    with pytest.raises(SystemExit, match="nobody to ask.*--yes"):
        ask("rollback", life.endpoint, "--reason", "callers complain")
    assert life.answer() == 14.0
    (row,) = ask("rollback", life.endpoint, "--reason", "callers complain", "--yes")
    assert (row["state"], row["serving_version"], row["reason"]) == ("ROLLED_BACK", 2, "callers complain")
    assert (life.answer(), life.aliases()["champion"]) == (13.0, 2)
    assert life.newest().last.actor["user"] == getpass.getuser()
    assert life.newest().last.actor["by"] == "airflow model-lifecycle"


def test_a_rollback_to_a_named_version_and_none_further(life: Life, ask: Ask):
    for run, offset in enumerate((1.0, 2.0, 3.0)):
        life.release(offset, f"run-{run}")
    ask("rollback", life.endpoint, "--reason", "all of them", "--to", 1, "--yes")
    assert (life.answer(), life.aliases()) == (12.0, {"champion": 1})
    with pytest.raises(SystemExit, match="no version before 1"):
        ask("rollback", life.endpoint, "--reason", "callers complain", "--yes")


@pytest.mark.parametrize(("answer", "goes"), [("y", True), ("YES ", True), ("", False), ("n", False)])
def test_only_yes_is_yes(answer, goes, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    if goes:
        changes._confirm("Go back?", lambda question: answer)
    else:
        with pytest.raises(Invalid, match="nothing was changed"):
            changes._confirm("Go back?", lambda question: answer)


def test_a_release_whose_task_is_dead_is_brought_to_its_end(life: Life, ask: Ask, monkeypatch):
    life.release(1.0, "run-1")
    with pytest.raises(TaskDeferred):
        life.deploy(life.version(2.0), "run-2", deferrable=True, strategy=BlueGreen(timedelta(hours=1)))
    monkeypatch.setattr(changes, "is_alive", lambda who: True)
    assert ask("reconcile", "--grace", 0)[0]["done"].startswith("nothing: somebody works on it")
    monkeypatch.setattr(changes, "is_alive", lambda who: False)
    (row,) = ask("reconcile", "--grace", 0)
    assert row["state"] in ("SOAKING", "SUCCEEDED", "ROLLED_BACK")
    assert row["done"].startswith("was left ")


def test_a_task_that_no_database_knows_is_not_dead():
    assert changes.is_alive({"user": "alice"})
