"""One HAProxy with the ports on which a connection can end up by mistake, and the certificates they show."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from tests.servers.process import Server, free_ports

TOKEN = "the-right-token"
WEAK = "the-weak-token"
PAGE = "<!doctype html><html><body>Sign in</body></html>"

_HEAD = """
global
  log stderr format raw local0
defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 2s
"""


class MisledServer(Server):
    """Ports by what is wrong with them: ``tls``, ``expired``, ``other_host``, ``mutual``, ``login``, ``html``,
    ``gateway``, ``empty``.

    :ivar ca: the file of the CA that signed all certificates.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        names = ("tls", "expired", "other_host", "mutual", "login", "html", "gateway", "empty")
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        authority = trustme.CA()
        self.ca, self.client = folder / "ca.pem", folder / "client.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        now = datetime.now(UTC)
        gone = {"not_before": now - timedelta(days=20), "not_after": now - timedelta(days=10)}
        certificates = {
            "tls": authority.issue_cert("localhost", "127.0.0.1"),
            "expired": authority.issue_cert("localhost", **gone),
            "other_host": authority.issue_cert("models.example.com"),
            "mutual": authority.issue_cert("localhost"),
        }
        for name, one in certificates.items():
            one.private_key_and_cert_chain_pem.write_to_path(str(folder / f"{name}.pem"))
        authority.issue_cert("airflow@example.com").private_key_and_cert_chain_pem.write_to_path(str(self.client))
        config = folder / "haproxy.cfg"
        config.write_text(_HEAD + "\n".join(self._frontend(name, folder) for name in names) + "\n")
        super().__init__(
            "HAProxy", ["/usr/sbin/haproxy", "-db", "-f", config], log=folder / "haproxy.log", ready=self._answers
        )

    def _frontend(self, name: str, folder: Path) -> str:
        secure = f" ssl crt {folder / name}.pem" if name in ("tls", "expired", "other_host", "mutual") else ""
        secure += f" ca-file {self.ca} verify required" if name == "mutual" else ""
        return f"frontend {name}\n  bind 127.0.0.1:{self.ports[name]}{secure}\n  " + "\n  ".join(_RULES.get(name, _OK))

    def _answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.ports["empty"]), timeout=5):
            return True


def _say(status: int, kind: str, text: str, condition: str = "") -> str:
    return f"http-request return status {status} content-type {kind} string '{text}' {condition}".rstrip()


_JSON = "application/json"
_OK = [_say(200, _JSON, "{}")]
_RULES = {
    "login": [
        _say(403, _JSON, '{"message": "not yours"}', f'if {{ req.hdr(authorization) -m str "Bearer {WEAK}" }}'),
        _say(401, _JSON, '{"message": "who are you"}', f'unless {{ req.hdr(authorization) -m str "Bearer {TOKEN}" }}'),
        *_OK,
    ],
    "html": [_say(200, "text/html", PAGE)],
    "gateway": [_say(502, "text/html", "<html>Bad Gateway</html>")],
}
