"""What the sensors share: one question, asked by the triggerer or, without it, by the worker."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, conf
from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue

from model_lifecycle.core.errors import Rejected, Unavailable
from model_lifecycle.triggers.poll import FOUND, REFUSED, PollTrigger


class ModelSensor(BaseSensorOperator):
    """Base of the sensors; the answer is the task's XCom result.

    :param deferrable: wait in the triggerer, where a thousand waits cost no worker.
    """

    trigger_class: ClassVar[type[PollTrigger]]

    def __init__(
        self, *, deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=True), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

    @abstractmethod
    def question(self) -> dict[str, Any]:
        """The rendered arguments of the trigger's question: JSON values, no secret."""

    def execute(self, context: Context) -> Any:
        """Ask once here; if there is no answer yet, wait."""
        if not self.deferrable:
            return super().execute(context)
        first = self.poke(context)
        if first.is_done:
            return first.xcom_value
        trigger = self.trigger_class(poll_interval=float(self.poke_interval), **self.question())
        return self.defer(trigger=trigger, method_name="resume", timeout=timedelta(seconds=float(self.timeout)))

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once; what can never be answered fails the task without a retry."""
        try:
            answer = self.trigger_class.ask(**self.question())
        except Unavailable as error:
            self.log.warning("Asking again: %s", error)
            answer = None
        except Rejected as error:
            raise AirflowFailException(str(error)) from error
        return PokeReturnValue(is_done=answer is not None, xcom_value=answer)

    def resume(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the trigger's one event."""
        match event:
            case {"status": status, "answer": answer} if status == FOUND:
                return answer
            case {"status": status, "message": message} if status == REFUSED:
                raise AirflowFailException(message)
        raise AirflowFailException(f"the trigger answered with an unknown event: {event}")
