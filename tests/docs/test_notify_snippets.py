"""The code of docs/notify.md and docs/lineage.md, run."""

from __future__ import annotations

from typing import Any

from model_lifecycle.operators.upload import UploadModelOperator
from tests import models
from tests.operators.life import context


def test_an_upload_is_told_of_by_mail_and_to_openlineage(tmp_path, monkeypatch, capsys) -> None:
    source, store = str(models.linear(tmp_path / "model", 1.0)), (tmp_path / "store").as_uri()
    # [START notify]
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    from model_lifecycle.notifications.model_event import ModelEventNotifier

    to = "models@example.com"
    mail = SmtpNotifier(to=to, subject="{{ model_event.title }}", html_content="{{ model_event.html }}")
    tell = ModelEventNotifier([mail], kinds=["release", "rollback", "failure"])
    upload = UploadModelOperator(
        task_id="upload",
        model_name="churn",
        source=source,
        store=store,
        on_success_callback=tell,
        on_failure_callback=tell,
    )
    # [END notify]
    uri = upload.execute(context("upload"))
    sent: list[Any] = []
    monkeypatch.setattr(SmtpNotifier, "notify", lambda self, _: sent.append((self.subject, self.html_content)))
    tell({**context("upload"), "task": upload})
    assert sent == []
    tell({**context("upload"), "task": upload, "exception": ValueError("<worse>")})
    ((subject, html),) = sent
    assert subject == "<worse>"
    assert "&lt;worse&gt;" in html
    # [START lineage]
    facets = upload.get_openlineage_facets_on_complete(None)
    print([(one.namespace, one.name) for one in facets.inputs])
    print([(one.namespace, one.name) for one in facets.outputs])
    # [END lineage]
    assert f"('file', '{uri.removeprefix('file://')}')" in capsys.readouterr().out
