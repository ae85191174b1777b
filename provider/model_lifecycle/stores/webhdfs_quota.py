"""Why a write came out short: space quotas, which WebHDFS enforces without saying so."""

from __future__ import annotations

import posixpath

from model_lifecycle.core.errors import Denied, Rejected
from model_lifecycle.stores.webhdfs_calls import Deadline, NameNodes, content


def check_space(
    nodes: NameNodes, place: str, *, size: int, stored: int, replication: int, block_size: int, deadline: Deadline
) -> None:
    """Look whether a file of ``size`` bytes fits below the space quotas of its folders.

    HDFS counts every replica, and each block that is being written as a full one.

    :param stored: the bytes of the file that count as used already.
    :raises Denied: if it does not fit; it never will until somebody makes room.
    """
    needed = replication * block_size * -(-size // block_size)
    folder = place
    while folder != "/":
        folder = posixpath.dirname(folder)
        summary = _summary(nodes, folder, deadline)
        quota, used = summary["spaceQuota"], summary["spaceConsumed"] - replication * stored
        if 0 <= quota < used + needed:
            raise Denied(
                f"the space quota of {folder} is {quota:,} bytes, {used:,} are used, and this write takes {needed:,} "
                "(replicas and whole blocks counted)",
                target=nodes.target,
                hint="remove old versions or ask for more",
            )


def _summary(nodes: NameNodes, folder: str, deadline: Deadline) -> dict[str, int]:
    try:
        answer = nodes.look("_get_content_summary", folder, deadline)
        names = ("spaceQuota", "spaceConsumed")
        return content(answer, "ContentSummary", read=lambda found: {name: int(found[name]) for name in names})
    except Rejected:
        # A parent that this user may not read, or a server that does not say: a quota there stays unknown.
        return {"spaceQuota": -1, "spaceConsumed": 0}
