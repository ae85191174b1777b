"""The connection of type ``model_alerts``: who may tell us of alerts, and which endpoint serves which model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.sdk import Connection

from model_lifecycle.core.errors import Invalid, Unavailable
from model_lifecycle.core.senders import SHORTEST
from model_lifecycle.hooks.connected import Connected


class AlertsHook(Connected):
    """Reads the secrets anew for every delivery, so that a rotation needs no restart.

    The password holds Alertmanager's shared secrets, the extra ``mlflow_secret`` those of MLflow's webhooks; several
    are separated by spaces, and each of them is valid.

    :param alerts_conn_id: the connection's id.
    """

    conn_name_attr = "alerts_conn_id"
    default_conn_name = "alerts_default"
    conn_type = "model_alerts"
    hook_name = "Model alerts"

    def __init__(self, alerts_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.alerts_conn_id = alerts_conn_id

    def get_conn(self) -> Connection:
        """The connection itself.

        :raises Unavailable: if there is none: whoever tells us tries again, until somebody has made it.
        """
        try:
            return self.get_connection(self.alerts_conn_id)
        except AirflowNotFoundException as error:
            raise self._not_ready("there is no such connection") from error

    def prove_connection(self) -> str:
        """Tell who may send alerts; nobody is asked, for the others call us.

        :raises Invalid: if nobody may, or a secret is too short.
        """
        found = self.get_conn()
        kinds = {"password": found.password, "extra mlflow_secret": found.extra_dejson.get("mlflow_secret")}
        try:
            count = [f"{len(self._secrets(value, where))} in the {where}" for where, value in kinds.items() if value]
            endpoints = self.endpoints()
        except Unavailable as error:
            raise Invalid(error.message, target=error.target, hint=error.hint) from error
        if not count:
            hint = "set the password, the extra mlflow_secret, or both"
            raise Invalid("nobody may send alerts: there is no secret", target=self.alerts_conn_id, hint=hint)
        return f"secrets: {', '.join(count)}; endpoints of {len(endpoints)} models"

    def shared_secrets(self) -> tuple[str, ...]:
        """What Alertmanager may present.

        :raises Unavailable: if there is none, or one is too short to be a secret.
        """
        return self._secrets(self.get_conn().password, "password")

    def mlflow_secrets(self) -> tuple[str, ...]:
        """What MLflow may sign with.

        :raises Unavailable: as :meth:`shared_secrets`.
        """
        return self._secrets(self.get_conn().extra_dejson.get("mlflow_secret"), "extra mlflow_secret")

    def endpoints(self) -> Mapping[str, str]:
        """The endpoint of each model whose alerts carry no label ``endpoint``.

        :raises Unavailable: if the extra is no object of texts.
        """
        found = self.get_conn().extra_dejson.get("endpoints") or {}
        if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
            raise self._not_ready("its extra endpoints is no object of texts")
        return found

    def _secrets(self, value: Any, where: str) -> tuple[str, ...]:
        found = tuple(value.split()) if isinstance(value, str) else ()
        if not found:
            raise self._not_ready(f"its {where} is empty")
        if min(map(len, found)) < SHORTEST:
            raise self._not_ready(f"its {where} holds a secret of fewer than {SHORTEST} characters")
        return found

    def _not_ready(self, why: str) -> Unavailable:
        message = f"connection {self.alerts_conn_id} cannot be used: {why}"
        return Unavailable(message, target=self.alerts_conn_id, hint="see docs/alerts.md")
