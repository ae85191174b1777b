"""The kinds of fields that Airflow's connection form can show, after its ``conn-fields``.

What such a field holds is kept in the connection's extra, which Airflow encrypts as a whole and shows with secrets
masked. The one secret of a connection belongs into its password; only a second one is a :func:`secret` in the extra.
"""

from __future__ import annotations

from typing import Any

Field = dict[str, Any]
Fields = dict[str, Field]

BY_HTTP = {"login": "User (basic authentication)", "password": "Password, or a token without a user"}
"""How login and password are called wherever :class:`~model_lifecycle.hooks.session.ConnectionSession` reads them."""


def connection_type(
    kind: str,
    hook: str,
    name: str,
    fields: Fields,
    *,
    hidden: tuple[str, ...] = ("schema",),
    labels: dict[str, str] | None = None,
    placeholders: dict[str, str] | None = None,
) -> dict[str, Any]:
    """One connection type, after Airflow's ``provider_info.schema.json``.

    :param hook: the class below ``model_lifecycle.hooks``.
    :param hidden: standard fields that the form leaves out.
    :param labels: what standard fields are called.
    :param placeholders: what stands in standard fields that are empty.
    """
    return {
        "connection-type": kind,
        "hook-class-name": f"model_lifecycle.hooks.{hook}",
        "hook-name": name,
        "ui-field-behaviour": {
            "hidden-fields": list(hidden),
            "relabeling": labels or {},
            "placeholders": placeholders or {},
        },
        "conn-fields": fields,
    }


def text(label: str, description: str, *examples: str) -> Field:
    """A line; the form proposes the examples, which are no defaults."""
    return _field(label, description, "string", **({"examples": list(examples)} if examples else {}))


def secret(label: str, description: str) -> Field:
    """A line that is never shown; Airflow masks it in logs too."""
    return _field(label, description, "string", format="password")


def choice(label: str, description: str, *values: str) -> Field:
    """One of a few words, or none."""
    return _field(label, description, "string", enum=[*values, None])


def flag(label: str, description: str, *, default: bool) -> Field:
    """A switch; what it shows unless it is touched is what the hook does without it."""
    return _field(label, description, "boolean", default=default)


def number(label: str, description: str, *, minimum: float = 0) -> Field:
    """A number, not below the minimum."""
    return _field(label, description, "number", minimum=minimum)


def mapping(label: str, description: str) -> Field:
    """An object of JSON, with an editor of its own."""
    return _field(label, description, "object")


def lines(label: str, description: str) -> Field:
    """A list of texts, one a line."""
    return _field(label, description, "array", items={"type": "string"})


def timeout() -> Fields:
    """How long a call may stay silent."""
    return {"timeout": number("Read time-out in seconds", "How long one call may stay silent; 60 by default.")}


def tls() -> Fields:
    """Whom we believe, and how we prove who we are, when the address is https."""
    return {
        "verify": flag("Verify TLS certificates", "Off: anybody in between can read and change calls.", default=True),
        "ca": text("CA file", "Certificates of the authorities to trust, in PEM, as the workers see the file; "
                   "else those that Python's requests trusts.", "/etc/ssl/certs/our-ca.pem"),
        "cert": text("Client certificate", "Its file in PEM, as the workers see it.", "/etc/airflow/tls/client.pem"),
        "key": text("Key of the client certificate", "Its file, if the certificate's does not hold it."),
    }  # fmt: skip


def by_http() -> Fields:
    """What every connection has whose server is called by HTTP."""
    return {"scheme": choice("Scheme", "Where the host names none; http by default.", "http", "https"), **tls(),
            **timeout()}  # fmt: skip


def served() -> Fields:
    """What every model server's connection has, besides its own."""
    return {
        "router_conn_id": text(
            "Router", "The connection, of type haproxy or envoy, of the router in front.", "haproxy_default"
        ),
        "trust": trust(),
    }


def trust() -> Field:
    """What may be deployed there."""
    words = "What a version's files may be: words such as pickle or code. Empty: nothing that can run."
    return text("Trust", words, "pickle", "pickle code")


def repository(description: str) -> Field:
    """The folder of models that workers and server share."""
    return text("Model repository", description, "/models")


def _field(label: str, description: str, kind: str, **schema: Any) -> Field:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}
