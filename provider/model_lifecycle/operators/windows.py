"""Windows of time and the profiles kept of them: where these lie, and which of them precede another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.core.models import ModelUri, ModelVersion
from model_lifecycle.core.names import check_name
from model_lifecycle.core.windows import WINDOW, merged_folder, parse_start, window_id
from model_lifecycle.operators.base import ModelLifecycleOperator
from model_lifecycle.operators.register import PROFILE_NAME

if TYPE_CHECKING:
    from model_lifecycle.core.profile import Profile
    from model_lifecycle.stores.base import ModelStore

REFERENCE = "reference"
"""The folder of profiles that belong to no window."""


def window_of(given: str | datetime | None, context: Context) -> datetime:
    """When a window begins, in UTC: as given, or when the run's data interval does.

    :raises Invalid: if it is no time, or the run has no data interval.
    """
    moment: Any = given or context.get("data_interval_start")
    if isinstance(moment, str) and moment not in ("None", ""):
        return parse_start(moment)
    if not isinstance(moment, datetime):
        raise Invalid("this run has no data interval, so its window is unknown", hint="pass window_start=")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


class Windows:
    """The windows kept under one name in a model store."""

    def __init__(self, store: ModelStore, name: str) -> None:
        self.store, self.name = store, check_name(name, "name")

    def before(self, start: datetime) -> Iterator[str]:
        """The windows before another, the latest first."""
        names = self.store.document_folders(self.name)
        yield from reversed([one for one in names if WINDOW.fullmatch(one) and one < window_id(start)])

    def compared(self, kind: str, start: datetime) -> tuple[str, str]:
        """The window that another is compared with, and the URI of its merged profile.

        ``last_week`` begins seven days earlier, ``last_year`` on the same date of the year before.

        :raises NotFound: if there is no such profile, saying of which window.
        """
        if kind == "previous":
            return self._previous(start)
        window = window_id(start - timedelta(days=7) if kind == "last_week" else _year_before(start))
        try:
            return window, self.store.newest_document(merged_folder(self.name, window))
        except NotFound as error:
            message = f"{self.name} has no profile of {window}, which is {kind} of {window_id(start)}"
            raise NotFound(message, target=self.store.uri) from error

    def _previous(self, start: datetime) -> tuple[str, str]:
        for window in self.before(start):
            try:
                return window, self.store.newest_document(merged_folder(self.name, window))
            except NotFound:
                continue
        raise NotFound(f"{self.name} has no profile of a window before {window_id(start)}", target=self.store.uri)


def _year_before(start: datetime) -> datetime:
    try:
        return start.replace(year=start.year - 1)
    except ValueError:  # the 29th of February
        return start.replace(year=start.year - 1, day=28)


class ProfilingBase(ModelLifecycleOperator):
    """What the operators share that count into, or compare with, a version's own profile.

    :param model_uri: the version whose ``profile.json`` is the reference.
    :param reference: or the URI of a profile that :class:`ProfileDataOperator` made.
    :param name: under which windows are kept; the model's name by default.
    :param window_start: when the window begins, ISO 8601 or a datetime; the data interval's start by default.
    """

    template_fields: Sequence[str] = (
        *ModelLifecycleOperator.template_fields,
        "model_uri",
        "reference",
        "name",
        "window_start",
    )

    def __init__(
        self,
        *,
        model_uri: str | None = None,
        reference: str | None = None,
        name: str | None = None,
        window_start: str | datetime | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_uri = model_uri
        self.reference = reference
        self.name = name
        self.window_start = window_start

    def version(self) -> ModelVersion | None:
        """The version that was named, if one was.

        :raises Invalid: if a profile was named as well.
        """
        if self.model_uri and self.reference:
            raise Invalid("both a version and a profile are named", hint="pass model_uri= or reference=")
        return self.model_registry().get(ModelUri.parse(self.model_uri)) if self.model_uri else None

    def reference_of(self, store: ModelStore, version: ModelVersion | None) -> Profile | None:
        """The profile to count into and to compare with; None if nothing was named.

        :raises NotFound: if the version has none.
        """
        from model_lifecycle.core.profile import Profile

        if self.reference:
            return Profile.from_json(store.read_document(self.reference))
        if version is None:
            return None
        try:
            return Profile.from_json(store.read_file(version.artifact_uri, PROFILE_NAME))
        except NotFound as error:
            hint = "put profile.json beside the model before it is uploaded, or pass reference="
            raise NotFound("the version was uploaded without a profile", target=version.uri, hint=hint) from error

    def windows(self, store: ModelStore, version: ModelVersion | None) -> Windows:
        """Where the windows are kept.

        :raises Invalid: if neither a name nor a version says under which name.
        """
        name = self.name or (version.name if version else None)
        if not name:
            raise Invalid("nothing says under which name to keep the profile", hint="pass name=")
        return Windows(store, name)
