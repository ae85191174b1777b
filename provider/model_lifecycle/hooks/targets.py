"""Where a version answers, as a router is told: a URL of one form, and a name that a configuration takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.answers import one_line

# An allow-list (Law 12): what is in here needs no quoting in a map, a header, a regular expression or on a socket.
_URL = re.compile(
    r"http://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r":(?P<port>[0-9]{1,5})(?P<path>/[A-Za-z0-9._~/@:+=-]{0,512})"
)
_MAX_VERSION = 10**12


@dataclass(frozen=True)
class Target:
    """One version's own prediction call.

    :param host: a name, an IPv4 address, or an IPv6 address in brackets.
    """

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str, model: str, version: int) -> Target:
        """Read ``http://host:port/path``.

        :raises Invalid: if the URL is of another form, or holds a character that is not allowed.
        """
        match = _URL.fullmatch(url) if isinstance(url, str) else None
        if match is None or not 0 < int(match["port"]) < 65536 or not _is_host(match["host"]):
            hint = "routers take http://host:port/path, the path of A-Z a-z 0-9 . _ ~ / @ : + = -"
            shown = one_line(re.sub(r"//[^/]*@", "//***@", str(url)))
            raise Invalid(f"{shown} is no URL that a router can be given", model=model, version=version, hint=hint)
        return cls(match["host"], int(match["port"]), match["path"])

    @property
    def url(self) -> str:
        """What :meth:`parse` read."""
        return f"http://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """Host and port, as they stand in the URL and in the header ``Host``."""
        return f"{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """The host as a resolver takes it: without brackets."""
        return self.host.strip("[]")


def _is_host(host: str) -> bool:
    if not host.startswith("["):
        return True
    try:
        IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True


def version_key(model: str, version: int) -> str:
    """The name of a version in a router's configuration: ``<model>/<version>``.

    :raises Invalid: if the name is not allowed, or the version is no positive whole number.
    """
    check_name(model, "model name")
    if type(version) is not int or not 0 < version < _MAX_VERSION:
        raise Invalid(f"version {version!r} is no positive whole number", model=model)
    return f"{model}/{version}"
