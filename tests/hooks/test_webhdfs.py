from __future__ import annotations

import json

from airflow.sdk import BaseHook

from model_lifecycle.hooks.webhdfs import WebHdfsHook


def test_the_button_asks_the_namenode_as_the_user_of_the_connection(hdfs_cluster, monkeypatch):
    host, _, port = hdfs_cluster.url.rpartition("//")[2].partition(":")
    value = {"conn_type": "webhdfs", "host": host, "port": int(port), "login": "airflow"}
    monkeypatch.setenv("AIRFLOW_CONN_HDFS_TRIED", json.dumps(value))
    hook = BaseHook.get_hook("hdfs_tried")
    assert isinstance(hook, WebHdfsHook)
    assert hook.test_connection() == (True, f"HDFS answers at {host}:{port}")


def test_a_namenode_that_is_down_is_told_of_beside_the_one_that_answers_as_something_else(monkeypatch):
    value = {"conn_type": "webhdfs", "host": "127.0.0.1:1,nn.invalid:9870"}
    monkeypatch.setenv("AIRFLOW_CONN_HDFS_TRIED", json.dumps(value))
    good, said = WebHdfsHook("hdfs_tried").test_connection()
    assert not good
    assert "127.0.0.1:1: " in said
    assert "nothing listens there" in said
    assert "nn.invalid:9870: " in said
    assert "name cannot be resolved" in said
