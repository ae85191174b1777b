from __future__ import annotations

from model_lifecycle.forms import fields


def test_a_choice_may_be_left_empty():
    assert fields.choice("Kind", "Of it.", "a", "b")["schema"] == {"type": ["string", "null"], "enum": ["a", "b", None]}


def test_a_secret_is_a_password():
    assert fields.secret("Secret", "Of it.")["schema"] == {"type": ["string", "null"], "format": "password"}


def test_a_switch_that_nobody_touches_means_what_it_shows():
    from model_lifecycle.hooks.session import tls_verify

    assert fields.tls()["verify"]["schema"]["default"] is tls_verify(None, "srv") is True


def test_examples_are_proposed_and_are_no_defaults():
    schema = fields.text("Folder", "Of it.", "/models")["schema"]
    assert schema == {"type": ["string", "null"], "examples": ["/models"]}


def test_a_type_is_what_airflow_reads():
    made = fields.connection_type("kind", "room.Hook", "Kind", {}, labels={"host": "There"})
    assert made["hook-class-name"] == "model_lifecycle.hooks.room.Hook"
    assert made["ui-field-behaviour"] == {
        "hidden-fields": ["schema"],
        "relabeling": {"host": "There"},
        "placeholders": {},
    }
