"""``@task.model_gate``: a function that decides whether a model goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, task_decorator_factory
from airflow.providers.standard.decorators.python import _PythonDecoratedOperator
from airflow.providers.standard.operators.python import ShortCircuitOperator

from model_lifecycle.core.checks import Verdict
from model_lifecycle.core.errors import Rejected
from model_lifecycle.core.verdicts import verdict_report

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import TaskDecorator

VERDICT = "verdict"
"""The XCom key under which a gate leaves its report, whatever the verdict."""


class ModelGateOperator(ShortCircuitOperator):
    """Call a function; only PASS lets the following tasks run, every other verdict skips them (Law 6).

    The function returns a verdict, true or false, one or more measurements, or the report of another operator of this
    provider. Nothing, no data and too few samples are no PASS.

    :param on_fail: ``skip`` what follows, or ``fail`` the task without retries.
    :returns: the report as JSON; where tasks are skipped it is under the XCom key ``verdict`` only.
    """

    def __init__(self, *, on_fail: str = "skip", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if on_fail not in ("skip", "fail"):
            raise ValueError(f"on_fail is skip or fail, not {on_fail!r}")
        self.on_fail = on_fail
        self._context: Context | None = None

    def execute(self, context: Context) -> Any:
        """Run the function, and go on or not."""
        self._context = context
        return super().execute(context)

    def execute_callable(self) -> Any:
        """The report, or nothing if what follows must not run."""
        try:
            report = verdict_report(super().execute_callable(), self.task_id)
        except Rejected as error:
            raise AirflowFailException(str(error)) from error
        assert self._context is not None  # noqa: S101 - Airflow calls execute first
        self._context["ti"].xcom_push(key=VERDICT, value=report)
        self.log.info("The gate says %s", report["verdict"])
        if report["verdict"] == Verdict.PASS:
            return report
        if self.on_fail == "fail":
            raise AirflowFailException(f"{self.task_id}: the gate says {report['verdict']}")
        return None


class _DecoratedGate(_PythonDecoratedOperator, ModelGateOperator):
    template_fields = ModelGateOperator.template_fields
    custom_operator_name = "@task.model_gate"


def model_gate_task(
    python_callable: Callable[..., Any] | None = None, multiple_outputs: bool | None = None, **kwargs: Any
) -> TaskDecorator:
    """Make a gate of a function; arguments are those of :class:`ModelGateOperator`."""
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=_DecoratedGate,
        **kwargs,
    )
