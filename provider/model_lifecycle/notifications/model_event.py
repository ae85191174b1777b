"""Tell people of a task's end through the notifiers that Airflow and its providers already have."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseNotifier

from model_lifecycle.notifications.texts import ModelEvent, event_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class ModelEventNotifier(BaseNotifier):
    """Hands one useful text to other notifiers: of Slack, e-mail, a webhook, or what else the team has.

    In their templates ``model_event`` has ``kind``, ``title``, ``text`` and ``html``. It is a callback for
    ``on_success_callback`` and ``on_failure_callback`` of our operators, and a member of the ``notifiers`` of
    an approval. If one notifier fails, the others are used all the same, and the failure is logged: nobody's release
    fails because a chat is down.

    :param notifiers: what sends; each with ``{{ model_event.text }}`` or the like in one of its templated fields.
    :param kinds: only events of these kinds are told; all by default.
    """

    template_fields: Sequence[str] = ()

    def __init__(self, notifiers: Sequence[BaseNotifier], *, kinds: Sequence[str] = ()) -> None:
        super().__init__()
        self.notifiers = tuple(notifiers)
        self.kinds = tuple(kinds)

    def notify(self, context: Context) -> None:
        """Make the text of the context, and send it by each notifier."""
        event = event_in(context)
        if self.kinds and event.kind not in self.kinds:
            return
        told = cast("Context", {**context, "model_event": event})
        for notifier in self.notifiers:
            try:
                copy(notifier)(told)  # a notifier renders itself for good, and this one may be used again
            except Exception as error:  # whatever it is that a notifier of others raises
                self.log.warning("%s could not tell of %s: %s", type(notifier).__name__, event.kind, error)


def event_in(context: Context) -> ModelEvent:
    """The event that the context of a callback tells of, with the task that it comes from."""
    task, ti = context.get("task"), context["ti"]
    result = getattr(task, "_result", None)
    if result is None and context.get("exception") is None:
        result = ti.xcom_pull(task_ids=ti.task_id, key="return_value")
    event = event_of(result, context.get("exception"), _question(task))
    return replace(event, lines=(*event.lines, *_origin(context)))


def _question(task: Any) -> str | None:
    return getattr(task, "subject", None) if hasattr(task, "options") else None


def _origin(context: Context) -> list[str]:
    ti = context["ti"]
    who = getattr(context.get("dag_run"), "triggering_user_name", None)
    by = f", started by {who}" if who else ""
    url = getattr(ti, "log_url", None)
    return [f"task {ti.dag_id}.{ti.task_id} in run {ti.run_id}{by}", *([str(url)] if url else [])]
