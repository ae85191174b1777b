"""What the scorer of this package does beyond the protocol: it is told who answers, and it counts by version."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from model_lifecycle.core.counts import Counts, single_buckets
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.answers import reading
from model_lifecycle.hooks.open_inference_rest import RestCalls, model_path
from model_lifecycle.hooks.session import url_path
from model_lifecycle.hooks.tensors import state_of


class ScorerCalls(RestCalls):
    """The calls of a scorer."""

    def change(self, verb: str, model: str, version: int) -> None:
        """Load or unload one version."""
        path = url_path("v2", "repository", "models", check_name(model, "model name"), verb)
        self.session.call("POST", path, json={"parameters": {"version": str(version)}})

    def states(self, model: str) -> dict[int, tuple[str, str | None]]:
        """State and reason of each version that the scorer has, or could not load."""
        check_name(model, "model name")
        found = {}
        for entry in self.index():
            state, version = state_of(entry), str(entry.get("version", ""))
            if entry.get("name") == model and state and version.isascii() and version.isdigit():
                found[int(version)] = (state, entry.get("reason") or None)
        return found

    def traffic(self, method: str, model: str, shares: Mapping[int, int] | None = None) -> dict[int, int]:
        """Read or set the traffic."""
        path = model_path(check_name(model, "model name")) + "/route"
        body = None if shares is None else {"traffic": {str(version): share for version, share in shares.items()}}
        value = self.session.call(method, path, json=body).json()
        with reading(f"{method} {path}", "the scorer", self.session.target):
            return {int(version): int(percent) for version, percent in value["traffic"].items() if percent}

    def counts(self, model: str) -> dict[int, Counts]:
        """What each version was asked since the scorer started."""
        check_name(model, "model name")
        text = self.session.call("GET", "/metrics", text=True).text
        with reading("GET /metrics", "the scorer", self.session.target):
            return read_counts(text, model)


def read_counts(text: str, model: str) -> dict[int, Counts]:
    """The counts of a model's versions in the exposition format of Prometheus, as the scorer writes it.

    :raises ValueError: or KeyError or OverflowError, if it is no such text.
    """
    from prometheus_client.parser import text_string_to_metric_families

    requests: defaultdict[int, int] = defaultdict(int)
    errors, refused = requests.copy(), requests.copy()
    below: defaultdict[int, dict[float, int]] = defaultdict(dict)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    for name, labels, value in [(one.name, one.labels, int(one.value)) for one in samples if _is_of(one, model)]:
        version = int(labels["version"])
        if name == "scorer_requests_total":
            requests[version] += value
        elif name == "scorer_errors_total":
            (errors if int(labels["status"]) >= 500 else refused)[version] += value
        elif name == "scorer_request_seconds_bucket":
            below[version][float(labels["le"])] = value
    return {
        version: Counts(count, errors[version], refused[version], single_buckets(below[version]))
        for version, count in requests.items()
    }


def _is_of(sample: Any, model: str) -> bool:
    return sample.labels.get("model") == model and math.isfinite(sample.value)
