"""Looks for an answer that a task was given in an earlier try."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

PAUSE = 10.0
"""Seconds before the look: a task that goes on before the scheduler has digested its worker's end is failed."""


class AnswerTrigger(BaseTrigger):
    """Ask Airflow once whether a question of Human-in-the-loop has been answered.

    :param ti_id: the task instance that asked; a new try keeps the question and its answer.
    :param pause: seconds to wait before.
    """

    def __init__(self, ti_id: str, pause: float = PAUSE) -> None:
        super().__init__()
        self.ti_id, self.pause = ti_id, pause

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What the triggerer makes it again from."""
        return "model_lifecycle.triggers.answer.AnswerTrigger", {"ti_id": self.ti_id, "pause": self.pause}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: the answer as Airflow itself hands it over, or an empty one."""
        await asyncio.sleep(self.pause)
        yield TriggerEvent(await sync_to_async(_answer)(UUID(self.ti_id)))


def _answer(ti_id: UUID) -> dict[str, Any]:
    from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail

    found = get_hitl_detail_content_detail(ti_id=ti_id)
    if not getattr(found, "response_received", False) or not found.chosen_options:
        return {}
    user = found.responded_by_user
    return {
        "chosen_options": list(found.chosen_options),
        "params_input": found.params_input or {},
        "responded_at": found.responded_at,
        "responded_by_user": {"id": user.id, "name": user.name} if user else None,
        "timedout": user is None,
    }
