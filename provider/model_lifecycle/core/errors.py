"""What can go wrong, split by what the scheduler must do about it.

::

    ModelLifecycleError
    ├── Unavailable      try again: time-outs, 429, 5xx, a standby NameNode, safe mode
    └── Rejected         give up: a retry of the same call cannot succeed
        ├── NotFound     no such model, version, alias, artifact or endpoint
        ├── Conflict     somebody else has written there first
        ├── Corrupt      bytes differ from what the manifest promised
        ├── Denied       the credentials do not allow it
        ├── Untrusted    the artifact holds something the policy forbids to run
        └── Invalid      the request itself is wrong: a bad name, a missing file, a wrong type

A sick model is a verdict, not an error. Hooks and stores translate a system's answers into these
classes in one table each and keep the original as ``__cause__``.
"""

from __future__ import annotations

from typing import Any


class ModelLifecycleError(Exception):
    """Base of every error raised on purpose; catch it to handle them all.

    :param message: what was wrong and where.
    :param target: the system, path or endpoint that was addressed.
    :param model: the registered model's name, where one was involved.
    :param version: the version, where one was involved.
    :param hint: what the reader should do next.
    """

    def __init__(
        self,
        message: str,
        *,
        target: str | None = None,
        model: str | None = None,
        version: int | str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.target = target
        self.model = model
        self.version = version
        self.hint = hint

    def __str__(self) -> str:
        where = [f"{name} {value}" for name, value in self._context().items() if value is not None]
        text = f"{self.message} [{', '.join(where)}]" if where else self.message
        return f"{text} -> {self.hint}" if self.hint else text

    def _context(self) -> dict[str, Any]:
        return {"target": self.target, "model": self.model, "version": self.version}

    def __reduce__(self) -> tuple[Any, ...]:
        # Airflow carries exceptions between processes: keyword-only arguments need their own way through pickle.
        return _rebuild, (type(self), self.message, {**self._context(), "hint": self.hint})


def _rebuild(kind: type[ModelLifecycleError], message: str, context: dict[str, Any]) -> ModelLifecycleError:
    return kind(message, **context)


class Unavailable(ModelLifecycleError):
    """The system may answer later; Airflow's retries handle it."""


class Rejected(ModelLifecycleError):
    """The same call can never succeed; operators raise it as ``AirflowFailException``."""


class NotFound(Rejected):
    """The named thing does not exist."""


class Conflict(Rejected):
    """Another writer was first, or something else already lies there."""


class Corrupt(Rejected):
    """Stored bytes are not the bytes that were promised."""


class Denied(Rejected):
    """The credentials of the connection do not allow the call."""


class Untrusted(Rejected):
    """The artifact holds something that the trust policy forbids."""


class Invalid(Rejected):
    """The request is wrong in itself."""
