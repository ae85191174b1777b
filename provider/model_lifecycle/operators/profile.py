"""Summarise tables where they lie, so that windows and partitions can be compared without their rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.windows import window_id
from model_lifecycle.hooks.data import list_data
from model_lifecycle.hooks.predictions import Only
from model_lifecycle.operators.windows import REFERENCE, ProfilingBase, window_of

if TYPE_CHECKING:
    from model_lifecycle.core.profile import Profile


class ProfileDataOperator(ProfilingBase):
    """Count tables into the cells of a version's own profile; memory stays flat however long they are.

    Map it over partitions with ``.partial(...).expand(data=[...])``: profiles of one window add up to exactly what
    one pass over all rows would give. Run again on the same data, it returns the same URI and writes nothing.

    :param data: a file, folder or pattern of Parquet, CSV or Arrow, or several, as
        :mod:`model_lifecycle.hooks.data` reads them. No files are a profile of no rows. Of a prediction log, inputs
        and answers are counted, and only the answers of the version that ``model_uri`` names.
    :param model_uri: the version whose ``profile.json`` gives the cells.
    :param reference: or the URI of a profile that gives them. Without either, the cells are found from the data: the
        result is a reference, which can be compared with and counted into.
    :param columns: only these columns; all of the reference, or of the data, by default.
    :param exclude: none of these columns.
    :param between: start and end of the answers of a prediction log that count; all by default.
    :param name: under which the profile is kept; the model's name by default.
    :param window_start: when the window begins that the data is of; the data interval's start by default.
    :returns: the profile's URI.
    """

    template_fields: Sequence[str] = (*ProfilingBase.template_fields, "data", "columns", "exclude", "between")

    def __init__(
        self,
        *,
        data: str | Sequence[str],
        columns: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        between: Sequence[str | datetime] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.data = data
        self.columns = columns
        self.exclude = exclude
        self.between = between

    def perform(self, context: Context, **resumed: Any) -> str:
        """Read, count, keep."""
        store, version = self.model_store(), self.version()
        windows = self.windows(store, version)
        reference = self.reference_of(store, version)
        window = window_id(window_of(self.window_start, context)) if reference else REFERENCE
        only = Only(version.version if version else None, self._between(context))
        made = self._counted(self._files(), reference, only)
        uri = store.keep_document(f"{windows.name}/{window}/{_part(context)}", made.to_json())
        self.log.info("%s rows in %s columns: %s", f"{made.rows:,}", len(made.columns), uri)
        return uri

    def _files(self) -> list[str]:
        given = [self.data] if isinstance(self.data, str) else list(self.data)
        return [file for one in given for file in list_data(one)]

    def _between(self, context: Context) -> tuple[datetime, datetime] | None:
        if not self.between:
            return None
        if len(self.between) != 2 or not all(self.between):
            raise Invalid("between has a start and an end", hint="pass two moments")
        start, end = (window_of(one, context) for one in self.between)
        return start, end

    def _counted(self, files: list[str], reference: Profile | None, only: Only) -> Profile:
        from model_lifecycle.core.profile import Profile
        from model_lifecycle.hooks.profiles import profile_data, profile_reference

        if reference is None:
            made = profile_reference(files, self._wanted)
            self._check(made)
            return made
        chosen = Profile(reference.rows, {name: one for name, one in reference.columns.items() if self._wanted(name)})
        self._check(chosen)
        return profile_data(files, chosen, only)

    def _wanted(self, name: str) -> bool:
        return name not in self.exclude and (self.columns is None or name in self.columns)

    def _check(self, found: Profile) -> None:
        missing = sorted(set(self.columns or ()) - set(self.exclude) - set(found.columns))
        if missing or not found.columns:
            what = f"columns {', '.join(missing)[:300]} are" if missing else "a column is"
            raise Invalid(f"no {what} there to profile", hint="look at columns= and exclude=")


def _part(context: Context) -> str:
    """The name of this task's part of a window; equal in all tries, and another for each mapped task."""
    ti = context["ti"]
    index = ti.map_index if ti.map_index is not None else -1
    task = re.sub(r"[^A-Za-z0-9]+", "-", ti.task_id).strip("-")[:100] or "task"
    return task if index < 0 else f"{task}-{index}"
