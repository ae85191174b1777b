"""What a finished release means to the task that asked for it."""

from __future__ import annotations

from model_lifecycle.core.errors import Rejected
from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import Release, State


def outcome(release: Release) -> dict[str, object]:
    """The result of a finished release.

    :raises Rejected: if it did not do what it set out to do; the message says what serves now.
    """
    wanted = State.ROLLED_BACK if release.plan.change is Change.ROLLBACK else State.SUCCEEDED
    if release.state is wanted:
        return release.to_dict()
    serving = release.standing.serving
    raise Rejected(
        f"release {release.id} ended {release.state}: {release.reason}",
        target=release.plan.endpoint,
        version=release.plan.target.version,
        hint=f"version {serving.version} should serve" if serving else "nothing should serve on this endpoint",
    )
