"""Asking an endpoint about the rows of a table, request by request."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model_lifecycle.core.errors import ModelLifecycleError, Rejected, Unavailable
from model_lifecycle.hooks.serving import ServingHook
from model_lifecycle.operators.data import as_columns, batches, scores

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


class Answers:
    """What an endpoint answered, request by request; a request that failed is counted and its rows are left out.

    :param aside: columns that are not sent.
    """

    def __init__(self, serving: ServingHook, model: str, aside: Sequence[str]) -> None:
        self.serving, self.model, self.aside = serving, model, list(aside)
        self.requests = 0
        self.errors: list[str] = []
        self.parts: list[pd.DataFrame] = []
        self.predictions: list[float] = []

    @property
    def table(self) -> pd.DataFrame:
        """The rows that were answered."""
        import pandas as pd

        return pd.concat(self.parts)

    @property
    def inputs(self) -> pd.DataFrame:
        """What was sent of them."""
        return self.table.drop(columns=self.aside)

    def ask(self, rows: pd.DataFrame) -> None:
        """Ask as any caller does."""
        self.requests += 1
        try:
            answer = self.serving.predict(self.model, as_columns(rows.drop(columns=self.aside)))
            self.predictions += scores(answer.outputs)
            self.parts.append(rows)
        except (Rejected, Unavailable) as error:
            self.errors.append(str(error))

    def again(self, version: int, size: int) -> list[float] | None:
        """What another version says about the same rows; None if it fails for one of them."""
        if not self.parts:
            return None
        found: list[float] = []
        try:
            for rows in batches(self.inputs, size, len(self.table)):
                found += scores(self.serving.predict(self.model, as_columns(rows), version).outputs)
        except ModelLifecycleError as error:
            log.warning("Version %s cannot be compared with: %s", version, error)
            return None
        return found
