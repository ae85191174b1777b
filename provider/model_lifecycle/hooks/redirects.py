"""The session of requests that our calls use; imported with the first call, because requests costs a DAG file 40 ms."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import requests


class SameHostSession(requests.Session):
    """Follows a redirect only where it cannot carry the request, or the credentials, to somebody else."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.max_redirects = 3
        # A cookie could pin us to one backend of a splitter, and its traffic would be measured wrong.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where the answer leads, if we go there."""
        target = super().get_redirect_target(resp)
        if target is None:
            return None
        here, there = urlsplit(resp.url), urlsplit(urljoin(resp.url, target))
        # 301, 302 and 303 would turn a POST into a GET.
        keeps_method = resp.request.method in ("GET", "HEAD") or resp.status_code in (307, 308)
        same_host = (here.scheme, here.netloc) == (there.scheme, there.netloc)
        return target if same_host and keeps_method else None
