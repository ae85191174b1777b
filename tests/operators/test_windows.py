from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.operators.windows import Windows, window_of
from model_lifecycle.stores.local import local_store
from tests.operators.life import context


@pytest.mark.parametrize("given", ["2013-02-01", "2013-02-01T00:00:00+00:00", datetime(2013, 2, 1), None, ""])
def test_a_window_begins_as_given_or_with_the_data_interval(given: str | datetime | None) -> None:
    assert window_of(given, context()) == datetime(2013, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("given", ["None", "noon", "2013-13-01"])
def test_what_is_no_time_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match="is no time|no data interval"):
        window_of(given, context())


def test_only_windows_before_are_found_and_the_latest_first(tmp_path: Path) -> None:
    windows = Windows(local_store(tmp_path), "flights")
    for name in ("20130201T000000Z", "20130301T000000Z", "20130401T000000Z", "reference", "notes"):
        windows.store.keep_document(f"flights/{name}/merged", b"{}")
    assert list(windows.before(datetime(2013, 4, 1))) == ["20130301T000000Z", "20130201T000000Z"]
