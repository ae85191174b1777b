"""A module of docs/for-authors.md that lies in the folder of plugins; tests/dags/test_in_airflow.py sees it called."""

from __future__ import annotations

# [START late]
import logging
from typing import Any


async def tell(text: str, context: dict[str, Any]) -> None:
    logging.getLogger("lateness").error("%s: %s", context["dag_run"]["dag_run_id"], text)  # or whatever reaches you


# [END late]
