"""Which artifacts may be deleted: never what serves, what a name points at, or what a way back needs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.models import ModelVersion
from model_lifecycle.core.release import Release


def needed(release: Release, ways_back: int) -> dict[int, str]:
    """The versions that an endpoint needs by its newest release, each with why.

    :param ways_back: how many good versions before what serves are kept: a rollback after a rollback needs more.
    :raises Invalid: if that is less than one.
    """
    if ways_back < 1:
        raise Invalid("at least one way back must stay", hint="--ways-back is 1 or more")
    plan, good = release.plan, release.standing.good
    found = {served.version: f"a way back of {plan.endpoint}" for served in good[-ways_back - 1 :]}
    if good:
        found[good[-1].version] = f"serves on {plan.endpoint}"
    if release.state.terminal and release.traffic is not None:
        return found
    under_way = {served.version for served in (plan.target, plan.fallback) if served} | {plan.abandons}
    under_way |= {*plan.traffic_before, *plan.traffic_back}
    return {**found, **dict.fromkeys(under_way, f"part of release {release.id}, {release.state}")}


def reasons_to_keep(
    versions: Sequence[ModelVersion], keep: int, needs: Mapping[int, str], elsewhere: Iterable[str] = ()
) -> dict[int, str]:
    """Why each version that stays does; what is not in it may be deleted.

    :param versions: all versions of one model.
    :param keep: how many of the newest stay whatever they are.
    :param needs: what endpoints need.
    :param elsewhere: artifact URIs that versions of other models have.
    :raises Invalid: if ``keep`` is negative.
    """
    if keep < 0:
        raise Invalid("a negative number of versions cannot be kept", hint="--keep is 0 or more")
    newest = {one.version for one in sorted(versions, key=lambda one: -one.version)[:keep]}
    shared = Counter(place_of(one.artifact_uri) for one in versions)
    shared.update(set(map(place_of, elsewhere)))
    found: dict[int, str] = {}
    for one in versions:
        if one.version in needs:
            found[one.version] = needs[one.version]
        elif one.aliases:
            found[one.version] = f"an alias names it: {', '.join(one.aliases)}"
        elif one.version in newest:
            found[one.version] = f"among the newest {keep}"
        elif shared[place_of(one.artifact_uri)] > 1:
            found[one.version] = "another version has the same artifact"
    return found


def place_of(artifact_uri: str) -> str:
    """Where an artifact lies, whichever NameNode is asked and however the scheme is written."""
    return urlsplit(artifact_uri).path.rstrip("/")
