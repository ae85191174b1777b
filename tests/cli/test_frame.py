from __future__ import annotations

import json
from argparse import Namespace

import pytest
import yaml

from model_lifecycle.cli.frame import command, shell_user, show, store_of, text
from model_lifecycle.core.errors import Invalid, NotFound

ROWS = [{"endpoint": "scorer/churn", "serves": 3, "traffic": {"3": 75, "2": 25}, "reason": "[red]no[/red]", "x": None}]


@pytest.mark.parametrize(("output", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_get_values_with_their_types(output, load, capsys):
    show(ROWS, output)
    assert load(capsys.readouterr().out) == ROWS


@pytest.mark.parametrize("output", ["table", "plain"])
def test_people_get_text_and_no_markup_acts(output, capsys):
    show(ROWS, output)
    shown = capsys.readouterr().out
    assert "3: 75, 2: 25" in shown
    assert "[red]no[/red]" in shown


def test_no_control_character_reaches_the_terminal():
    assert text("a\x1b[2Jb\nc") == "a [2Jb c"


def test_an_error_of_ours_is_one_line_and_exit_code_one(capsys):
    @command
    def status(args):
        raise NotFound("nothing\nthere", target="scorer/churn", hint="look elsewhere")

    with pytest.raises(SystemExit) as stopped:
        status(Namespace(verbose=False, output="json"))
    assert stopped.value.code == "airflow model-lifecycle status: nothing there [target scorer/churn] -> look elsewhere"
    assert capsys.readouterr().out == ""


def test_without_a_store_a_command_says_where_to_name_one():
    with pytest.raises(Invalid, match="--store"):
        store_of(Namespace(store=None))


def test_a_person_is_named_by_the_shell(monkeypatch):
    monkeypatch.setenv("LOGNAME", "alice")
    assert shell_user()["user"] == "alice"
