"""When a task of a model's life is worth another try.

``DAG(default_args=MODEL_LIFECYCLE_RETRIES)`` works on every Airflow that this provider supports.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.retry_policy import RetryDecision

try:
    from airflow.sdk.definitions.retry_policy import RetryPolicy
except ModuleNotFoundError:  # before Airflow 3.3
    RetryPolicy = None  # type: ignore[assignment, misc]

FIRST = timedelta(seconds=15)
LONGEST = timedelta(minutes=10)
RETRIES = 8


def backoff(try_number: int) -> timedelta:
    """The pause after a try: 15 seconds, twice as long each time, at most ten minutes."""
    doubled: int = 1 << min(max(0, try_number - 1), 10)
    return min(FIRST * doubled, LONGEST)


MODEL_LIFECYCLE_RETRY_POLICY: Any = None
"""``Unavailable`` is tried again, later each time; ``Rejected`` fails at once, in tasks that are plain functions too;
other errors are left to the task's own settings. None before Airflow 3.3, which has no such policies."""

if RetryPolicy is not None:

    class ModelLifecycleRetryPolicy(RetryPolicy):
        """Asks an error of this provider whether another try can help."""

        def evaluate(
            self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
        ) -> RetryDecision:
            """Decide about one error."""
            from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision

            if isinstance(exception, Rejected):
                return RetryDecision(action=RetryAction.FAIL, reason="the same call can never succeed")
            if isinstance(exception, Unavailable):
                delay = backoff(try_number)
                return RetryDecision(action=RetryAction.RETRY, retry_delay=delay, reason="it may answer later")
            return RetryDecision(action=RetryAction.DEFAULT)

        def serialize(self) -> dict[str, Any]:
            """For the DAG's serialized form; it has no parts."""
            return {"__type": f"{type(self).__module__}.{type(self).__name__}"}

        @classmethod
        def deserialize(cls, data: dict[str, Any]) -> ModelLifecycleRetryPolicy:
            """The inverse of :meth:`serialize`."""
            return cls()

    MODEL_LIFECYCLE_RETRY_POLICY = ModelLifecycleRetryPolicy()

MODEL_LIFECYCLE_RETRIES: dict[str, Any] = {
    "retries": RETRIES,
    "retry_delay": FIRST,
    "retry_exponential_backoff": True,
    "max_retry_delay": LONGEST,
}
"""Default arguments of a DAG: eight tries with pauses that grow, about half an hour in all, and the policy."""
if MODEL_LIFECYCLE_RETRY_POLICY is not None:
    MODEL_LIFECYCLE_RETRIES["retry_policy"] = MODEL_LIFECYCLE_RETRY_POLICY
