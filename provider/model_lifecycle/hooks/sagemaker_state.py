"""What DescribeEndpoint says, in our words; pure.

SageMaker calls an endpoint InService again after it has rolled an update back by itself. Whether a version is there is
therefore told by the configuration that serves, compared with the one that was asked for last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_lifecycle.core.errors import Conflict
from model_lifecycle.hooks.sagemaker_names import version_of
from model_lifecycle.hooks.serving import VersionState

BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
"""Statuses in which SageMaker refuses every change."""

_SERVING = ("InService", "Updating", "SystemUpdating", "RollingBack", "UpdateRollbackFailed")


@dataclass(frozen=True)
class EndpointState:
    """One endpoint at one moment.

    :param status: as SageMaker says it; empty if there is no endpoint.
    :param config: the configuration that serves, or is being created first.
    :param variants: its production variants by version, as SageMaker describes them.
    :param pending: the versions of an update under way; None if there is none.
    :param asked: the configuration that was asked for last; empty if that is not known.
    :param asked_versions: its versions.
    :param reason: why SageMaker says that something failed.
    """

    status: str = ""
    config: str = ""
    variants: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    pending: frozenset[int] | None = None
    asked: str = ""
    asked_versions: frozenset[int] = frozenset()
    reason: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way."""
        return self.status not in BUSY

    @property
    def was_rolled_back(self) -> bool:
        """Whether it settled on another configuration than the one asked for."""
        return bool(self.asked) and self.is_settled and self.status not in ("", "Failed") and self.asked != self.config

    def states(self) -> dict[int, VersionState]:
        """The state of every version the endpoint has, is getting, or did not get."""
        if self.status in ("", "Deleting"):
            return {}
        found = {version: self._state(version) for version in self.variants}
        for version in self.pending or ():
            found.setdefault(version, VersionState.LOADING)
        if self.was_rolled_back:
            for version in self.asked_versions - set(self.variants):
                found[version] = VersionState.FAILED
        return {version: state for version, state in sorted(found.items()) if state is not None}

    def failure(self, version: int) -> str | None:
        """Why a version is FAILED, or None."""
        if self.states().get(version) is not VersionState.FAILED:
            return None
        said = self.reason or "SageMaker gives no reason"
        if version in self.variants:
            return f"the endpoint is {self.status}: {said}"
        return f"the endpoint went back to {self.config}: {said}"

    def traffic(self) -> dict[int, int]:
        """Whole per cent by version, after the weights that hold now; they sum to 100, or there are none."""
        if self.status not in _SERVING:
            return {}
        return per_cent({version: float(one.get("CurrentWeight") or 0) for version, one in self.variants.items()})

    def _state(self, version: int) -> VersionState | None:
        if self.status == "Creating":
            return VersionState.LOADING
        if self.status in ("Failed", "OutOfService"):
            return VersionState.FAILED
        if self.pending is not None and version not in self.pending:
            return None  # it still answers, and is being taken away
        return VersionState.READY


def read_state(described: Mapping[str, Any], asked: str = "", asked_variants: Sequence[str] = ()) -> EndpointState:
    """Put together what DescribeEndpoint answered and what we remember of the last change.

    :param asked_variants: the names of the variants of the configuration that was asked for.
    :raises Conflict: if the endpoint has variants that are not ours.
    """
    pending = described.get("PendingDeploymentSummary")
    waiting = _ours((pending or {}).get("ProductionVariants") or [], described)
    config = described.get("EndpointConfigName") or ""
    return EndpointState(
        status=described["EndpointStatus"],
        config=config,
        variants=_ours(described.get("ProductionVariants") or [], described),
        # While only weights change, or the first deployment goes on, the pending configuration is the present one.
        pending=frozenset(waiting) if waiting and pending["EndpointConfigName"] != config else None,  # type: ignore[index]
        asked=asked,
        asked_versions=frozenset(version for name in asked_variants if (version := version_of(name))),
        reason=described.get("FailureReason") or "",
    )


def per_cent(weights: Mapping[int, float]) -> dict[int, int]:
    """Weights as whole per cent that sum to 100, the largest remainders rounded up; empty if all are 0."""
    total = sum(weights.values())
    if total <= 0:
        return {}
    exact = {version: 100 * weight / total for version, weight in weights.items()}
    found = {version: int(share) for version, share in exact.items()}
    left = sorted(exact, key=lambda version: found[version] - exact[version])
    for version in left[: 100 - sum(found.values())]:
        found[version] += 1
    return {version: share for version, share in sorted(found.items()) if share}


def _ours(variants: Sequence[Mapping[str, Any]], described: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    found = {}
    for variant in variants:
        version = version_of(variant["VariantName"])
        if version is None:
            hint = "give the model another name, or delete that endpoint"
            what = (
                f"the endpoint {described.get('EndpointName')} has the variant {variant['VariantName']}, not made here"
            )
            raise Conflict(what, hint=hint)
        found[version] = variant
    return found
