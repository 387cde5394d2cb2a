from __future__ import annotations

import pytest

from annotation.judging import TextReply, make_spec
from annotation.judging.recorded import Record, RecordedReplies, replay
from tests.annotation.judging.items import item_of


def test_records_are_read_in_the_order_in_which_they_were_shown() -> None:
    records = [
        Record(comparison="a", display_order=(1, 0), reply=TextReply(text="[[A]]")),
        Record(comparison="b", display_order=(0, 1), reply=TextReply(text="[[C]]")),
    ]
    items = {"a": item_of(display_order=(1, 0)), "b": item_of(display_order=(0, 1))}
    judged = replay(make_spec("pairwise_verdict", orders="balanced"), items, RecordedReplies(records))
    assert [judged[name].tiers for name in ("a", "b")] == [[[1], [0]], [[0, 1]]]
    assert judged["a"].flipped is None


def test_both_orders_are_replayed_where_both_were_recorded() -> None:
    records = [Record(comparison=1, display_order=order, reply=TextReply(text="A")) for order in ((0, 1), (1, 0))]
    judged = replay(make_spec("pairwise_verdict"), {1: item_of()}, RecordedReplies(records))
    assert (judged[1].flipped, judged[1].tiers) == (True, [[0, 1]])


def test_what_was_not_recorded_has_no_answer_and_a_bad_record_is_not_asked_again() -> None:
    records = [Record(comparison=1, display_order=(0, 1), reply=TextReply(text="[[A]] [[B]]"))]
    spec = make_spec("pairwise_verdict", orders="balanced")
    items = {1: item_of(display_order=(0, 1)), 2: item_of(display_order=(0, 1))}
    judged = replay(spec, items, RecordedReplies(records))
    assert [(judged[name].answer, judged[name].num_calls) for name in (1, 2)] == [(None, 1), (None, 0)]
    assert judged[1].num_unparsed == 1


def test_two_records_for_one_place_are_refused() -> None:
    record = Record(comparison=1, display_order=(0, 1), reply=TextReply(text="A"))
    with pytest.raises(ValueError, match="two replies are recorded"):
        RecordedReplies([record, record])
