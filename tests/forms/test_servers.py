from __future__ import annotations

import pytest

from model_lifecycle.forms.servers import servers
from tests.forms.shown import by_type, check

TYPES = by_type(servers())


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_form_can_be_shown_and_hides_its_secrets(kind):
    check(TYPES[kind])


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_each_server_has_its_router_its_trust_and_its_tls(kind):
    assert {"router_conn_id", "trust", "verify", "ca", "cert", "key", "timeout"} <= TYPES[kind]["conn-fields"].keys()


def test_the_kinds_of_servers_are_those_that_the_hook_knows():
    words = TYPES["open_inference"]["conn-fields"]["server"]["schema"]["enum"]
    assert words == ["scorer", "mlserver", "kserve", None]
