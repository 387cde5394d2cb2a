from __future__ import annotations

from typing import Any

import pytest

from annotation import queue
from annotation.models import Judgment, Slot
from annotation.question import pairwise
from annotation.text_lengths import lengths_shown
from tests.factory import Factory


def leased(factory: Factory) -> Slot:
    """Bob's task: "né 🙂" at the right, "a longer reply" at the left."""
    campaign = factory.campaign(question=pairwise(asks_spans=True))
    prompt = factory.prompt()
    factory.comparison(campaign, prompt, completions=factory.completions(prompt, ["né 🙂", "a longer reply"]))
    slot = queue.claim_next_slot(campaign=campaign, annotator=factory.person())
    assert slot is not None
    slot.display_order = [1, 0]
    slot.save(update_fields=["display_order"])
    return slot


def submit(factory: Factory, slot: Slot, end: int) -> Judgment:
    span: dict[str, Any] = {"completion": 1, "start": 3, "end": end, "label": "good"}
    answer = {"tiers": [[1], [0]], "spans": [span]}
    return queue.submit_judgment(
        slot_id=slot.pk, annotator=factory.person(), token=str(slot.token), answer=answer, idempotency_key="once"
    )


def test_lengths_are_characters_in_the_order_shown(factory: Factory) -> None:
    assert lengths_shown(leased(factory)) == [14, 4]


def test_a_passage_may_reach_to_the_end_of_the_reply_at_its_place(factory: Factory) -> None:
    stored = submit(factory, leased(factory), end=4).answer
    assert stored["spans"] == [{"completion": 0, "start": 3, "end": 4, "label": "good"}]


def test_a_passage_beyond_its_reply_is_refused(factory: Factory) -> None:
    with pytest.raises(queue.AnswerRefused) as refused:
        submit(factory, leased(factory), end=5)
    assert refused.value.fields["rule"] == "span_outside"
    assert not Judgment.objects.exists()
