import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.targets import Target, version_key
from tests.core.bad_names import BAD_NAMES


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/invocations",
        "http://Models.example.com:80/v2/models/churn/versions/1/infer",
        "http://[::1]:65535/",
        "http://tf:8501/v1/models/churn/versions/3:predict",
    ],
)
def test_a_url_is_read_and_written_as_it_was(url):
    assert Target.parse(url, "churn", 1).url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        "https://host:1/path",
        "http://host/path",
        "http://host:1",
        "http://host:0/path",
        "http://host:65536/path",
        "http://user:secret@host:1/path",
        "http://host:1/path?query",
        "http://host:1/path#part",
        "http://host:1/a b",
        "http://host:1/a|b",
        "http://host:1/a;show info",
        "http://host:1/a\nset map",
        "http://host:1/path\n",
        "http://host:1/%0a",
        "http://host:1/a\\1",
        'http://host:1/a"b',
        "http://ho st:1/path",
        "http://-host:1/path",
        "http://[zz]:1/path",
        "http://[::1:1/path",
        "http://[1:2]:1/path",
        "http://host:1/" + "a" * 600,
    ],
)
def test_a_url_of_another_form_is_invalid(url):
    with pytest.raises(Invalid):
        Target.parse(url, "churn", 1)


def test_a_refused_url_is_shown_without_its_password():
    with pytest.raises(Invalid, match=r"^https://\*\*\*@models:8080/x is no URL that a router can be given") as caught:
        Target.parse("https://user:s3cr3t@models:8080/x", "churn", 1)
    assert "s3cr3t" not in str(caught.value)


@given(st.text())
def test_whatever_is_read_holds_nothing_that_needs_quoting(text):
    try:
        target = Target.parse(f"http://host:1/{text}", "churn", 1)
    except Invalid:
        return
    assert not set(target.url) & set(" \t\r\n;|\\\"'#?%&<>{}")


def test_an_ipv6_address_has_brackets_in_the_url_only():
    target = Target.parse("http://[::1]:8080/x", "churn", 1)
    assert (target.authority, target.address) == ("[::1]:8080", "::1")


def test_a_version_has_one_name():
    assert version_key("churn", 12) == "churn/12"


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "1", None, 10**12])
def test_a_version_that_is_no_positive_whole_number_is_invalid(version):
    with pytest.raises(Invalid):
        version_key("churn", version)


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=ascii)
def test_a_name_outside_the_allow_list_is_invalid(name):
    with pytest.raises(Invalid):
        version_key(name, 1)
