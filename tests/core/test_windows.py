from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.windows import merged_folder, parse_start, verdict_folder, window_id


def test_names_of_windows_sort_as_the_windows_do_in_any_time_zone() -> None:
    moment = datetime(2013, 2, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert window_id(moment) == window_id(parse_start(moment.isoformat())) == "20130131T230000Z"
    assert window_id(datetime(2013, 2, 1)) == "20130201T000000Z"
    hours = [datetime(2012, 12, 31, tzinfo=UTC) + timedelta(hours=hour) for hour in range(50)]
    assert sorted(map(window_id, hours)) == list(map(window_id, hours))


def test_documents_about_a_window_lie_side_by_side() -> None:
    assert merged_folder("flights", "20130201T000000Z") == "flights/20130201T000000Z/merged"
    assert verdict_folder("flights", "20130201T000000Z", "previous") == "flights/20130201T000000Z/verdict-previous"


@pytest.mark.parametrize(("name", "kind", "said"), [("../x", "training", "not allowed"), ("x", "ever", "known are")])
def test_names_and_kinds_are_checked(name: str, kind: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        verdict_folder(name, "20130201T000000Z", kind)


@pytest.mark.parametrize("text", ["", "noon", "2013-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is no time"):
        parse_start(text)
