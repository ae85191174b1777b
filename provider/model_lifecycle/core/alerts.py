"""What an alert asks for: which endpoint leaves which version, and the name under which it is done once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.names import check_name

ROLLBACK = "rollback"
LONGEST_REASON = 500

_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True)
class Alert:
    """One alert as Alertmanager tells it.

    :param fingerprint: names its labels; equal in every delivery, also by another Alertmanager.
    :param since: when it began to fire; an alert that ended and comes back has another.
    """

    fingerprint: str
    since: datetime
    firing: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Alert:
        """One entry of the payload's ``alerts``, which the schema has checked.

        :raises Invalid: if it began on a day that does not exist.
        """
        try:
            since = datetime.fromisoformat(value["startsAt"]).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise Invalid("startsAt is no moment of any calendar") from error
        firing = value["status"] == "firing"
        return cls(value["fingerprint"], since, firing, value["labels"], value.get("annotations", {}))

    @property
    def name(self) -> str:
        """Its ``alertname``, shortened, for people."""
        return plain(self.labels.get("alertname", "an alert"), 128)

    @property
    def asks_for_rollback(self) -> bool:
        """Whether somebody has to act now."""
        return self.firing and self.labels.get("action") == ROLLBACK

    @property
    def run_id(self) -> str:
        """The DAG run that it starts: the same in every delivery of this firing, so that it acts once."""
        return f"alert__{self.since.isoformat()}__{self.fingerprint}"

    @property
    def model(self) -> str:
        """The registered model that it is about.

        :raises Invalid: if its label is missing or no allowed name.
        """
        return check_name(self.labels.get("model"), "the label model")

    @property
    def version(self) -> str:
        """The number of the version that it is about.

        :raises Invalid: if its label is missing or no number.
        """
        found = self.labels.get("version", "")
        if not _VERSION.fullmatch(found):
            hint = "keep the label version in the rule's expression: without it nobody knows what to leave"
            raise Invalid("the label version is no version number", hint=hint)
        return found

    def told(self) -> str:
        """Its name and its summary, in one line."""
        summary = self.annotations.get("summary") or self.annotations.get("description") or ""
        return plain(f"{self.name}: {summary}" if summary else self.name, LONGEST_REASON)

    def to_event(self) -> dict[str, str]:
        """What the asset event carries."""
        told = {"version", "severity", "action"} & self.labels.keys()
        kept = {name: plain(self.labels[name], 128) for name in sorted(told)}
        about = {"alert": self.name, "model": self.model, "since": self.since.isoformat()}
        return {**about, **kept, "reason": self.told(), "fingerprint": self.fingerprint}


def rollback_params(alert: Alert, endpoints: Mapping[str, str]) -> dict[str, str]:
    """The params of the DAG run that takes the alert's version away.

    :param endpoints: the endpoint of each model, where alerts carry no label ``endpoint``.
    :raises Invalid: if the labels do not say which version of which endpoint, or contradict each other.
    """
    named = alert.labels.get("endpoint") or endpoints.get(alert.model)
    if not named:
        hint = "give the alert a label endpoint, or the connection an entry in its extra endpoints"
        raise Invalid(f"nobody says which endpoint serves {alert.model}", model=alert.model, hint=hint)
    endpoint = Endpoint.parse(named)
    if endpoint.model != alert.model:
        raise Invalid(f"endpoint {endpoint} does not serve {alert.model}", model=alert.model)
    return {"endpoint": str(endpoint), "leaving": alert.version, "alert": alert.name, "reason": alert.told()}


def event_key(*parts: str) -> str:
    """A short name of one event, equal whenever it is delivered again."""
    return sha256("\n".join(parts).encode()).hexdigest()[:32]


def plain(text: str, longest: int) -> str:
    """One line of what a stranger wrote: no control characters, not longer than that."""
    line = _INVISIBLE.sub(" ", text).strip()
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
