from __future__ import annotations

import pytest

from model_lifecycle.forms.stores import stores
from tests.forms.shown import by_type, check

TYPES = by_type(stores())


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_form_can_be_shown_and_hides_its_secrets(kind):
    check(TYPES[kind])


def test_where_airflows_own_hdfs_provider_is_there_is_no_second_form(tmp_path, monkeypatch):
    found = tmp_path / "apache_airflow_providers_apache_hdfs-4.14.2.dist-info"
    found.mkdir()
    (found / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: apache-airflow-providers-apache-hdfs\nVersion: 4.14.2\n"
    )
    assert set(TYPES) == {"webhdfs"}
    monkeypatch.syspath_prepend(tmp_path)
    assert stores() == []
