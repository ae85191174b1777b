"""The forms of all our connection types, one module of :mod:`model_lifecycle.forms` for each group of them."""

from __future__ import annotations

from typing import Any

from model_lifecycle.forms.clouds import clouds
from model_lifecycle.forms.registries import registries
from model_lifecycle.forms.routers import routers
from model_lifecycle.forms.servers import servers
from model_lifecycle.forms.stores import stores


def connection_types() -> list[dict[str, Any]]:
    """Every connection type, after Airflow's ``provider_info.schema.json``."""
    return [*registries(), *servers(), *routers(), *clouds(), *stores()]
