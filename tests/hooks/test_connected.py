from __future__ import annotations

import json

import pytest

from model_lifecycle.core.errors import Invalid, Unavailable
from model_lifecycle.hooks.connected import Connected


class Tried(Connected):
    conn_name_attr = "tried_conn_id"
    conn_type = "tried"
    hook_name = "Tried"

    def __init__(self):
        super().__init__()
        self.tried_conn_id = "tried_own"

    def prove_connection(self):
        if self.connection.extra_dejson.get("down"):
            raise Unavailable("nothing answers", target=self.conn_id)
        return "it answers"


@pytest.fixture
def connect(monkeypatch):
    def connect(**extra):
        monkeypatch.setenv("AIRFLOW_CONN_TRIED_OWN", json.dumps({"conn_type": "tried", "extra": extra}))
        return Tried()

    return connect


def test_a_class_that_declares_itself_badly_cannot_be_made():
    with pytest.raises(TypeError, match="Half must declare conn_type, hook_name"):
        type("Half", (Connected,), {"prove_connection": lambda self: "half"})


def test_an_abstract_class_may_leave_it_to_its_children():
    assert type("Between", (Connected,), {}).declared == ("conn_type", "hook_name")


def test_the_connection_is_read_when_it_is_first_used(connect, monkeypatch):
    hook = connect(folder="/models")
    assert hook.connection.extra_dejson == {"folder": "/models"}
    monkeypatch.delenv("AIRFLOW_CONN_TRIED_OWN")
    assert hook.connection.conn_id == "tried_own"


def test_the_button_of_the_form_says_what_was_found(connect):
    assert connect().test_connection() == (True, "it answers")
    assert connect(down=True).test_connection() == (False, "nothing answers [target tried_own]")


def test_a_folder_is_an_absolute_path(connect):
    assert str(connect(maps="/etc/maps").folder("maps", "set it")) == "/etc/maps"


@pytest.mark.parametrize("value", [None, "", "maps", "./maps", 7, ["/etc/maps"]])
def test_anything_else_is_no_folder(connect, value):
    with pytest.raises(Invalid, match="the extra maps is not an absolute path .*tried_own.* -> set it"):
        connect(maps=value).folder("maps", "set it")


@pytest.mark.parametrize(("value", "number"), [(None, 3), ("", 3), (1, 1), ("20", 20), (2.5, 2.5)])
def test_a_number_is_at_least_1_and_has_a_default(connect, value, number):
    assert connect(workers=value).number("workers", 3) == number


@pytest.mark.parametrize("value", [0, -1, "many", "nan", "inf", 10**6, [1], False])
def test_anything_else_is_no_number(connect, value):
    with pytest.raises(Invalid, match="the extra workers is not a number of at least 1 .*remove it: it is 3 then"):
        connect(workers=value).number("workers", 3)
