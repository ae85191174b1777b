from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.counts import Counts
from model_lifecycle.core.looks import KEPT, Answer, Look, added_up, remembered

NOW = datetime(2013, 2, 1, tzinfo=UTC)
NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(max_size=9), st.builds(Answer, NUMBER, NUMBER, st.text(max_size=9)), max_size=4))
def test_a_look_read_back_is_the_look_that_was_written(answers):
    look = Look(NOW, Counts(3, 1), Counts(9), answers)
    assert Look.from_dict(json.loads(json.dumps(look.to_dict()))) == look


def test_looks_of_a_ledger_written_before_there_were_queries_have_no_answers():
    assert Look.from_dict(Look(NOW, Counts(3)).to_dict()).answers == {}


def test_only_counts_are_added_up_and_old_looks_lose_their_answers():
    looks = [Look(NOW, Counts(1), Counts(2), {"p95": Answer(0.5)})] * (KEPT + 5)
    kept = remembered(looks)
    assert len(kept) == KEPT
    assert kept[0] == added_up(looks[:6]) == Look(NOW, Counts(6), Counts(12))
    assert kept[1].answers == {"p95": Answer(0.5)}
