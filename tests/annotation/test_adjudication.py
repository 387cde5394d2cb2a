from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotation import adjudication, consensus
from annotation.models import Annotator, Campaign, Consensus, ConsensusRun, Judgment, Slot
from annotation.question import pairwise
from core import jobs
from tests.factory import Factory

FIRST, SECOND = {"tiers": [[0], [1]]}, {"tiers": [[1], [0]]}


def decided(campaign: Campaign, annotator: Annotator, answer: dict[str, Any]) -> Judgment:
    [waiting] = adjudication.waiting(campaign)
    comparison = campaign.comparisons.get(pk=waiting.item.comparison)
    slot = adjudication.take(comparison=comparison, annotator=annotator)
    return adjudication.decide(
        slot=slot, annotator=annotator, token=str(slot.token), answer=answer, idempotency_key="once"
    )


def test_what_annotators_disagree_about_waits_and_nothing_else(factory: Factory) -> None:
    campaign = factory.judged_campaign(num_comparisons=4, judges=2)

    [row] = adjudication.waiting(campaign)

    assert row.item.comparison == campaign.comparisons.latest("pk").pk
    assert row.item.votes == {"second": 1, "tied": 0, "first": 1}
    assert (row.item.disagreement, row.taken_by) == (1.0, "")


def test_a_decision_ends_the_waiting_and_is_kept_as_a_judgment_of_its_own(factory: Factory) -> None:
    campaign = factory.judged_campaign()

    judgment = decided(campaign, factory.person(factory.alice()), {**SECOND, "rationale": "It answers."})

    assert (judgment.purpose, judgment.answer) == ("adjudication", {**SECOND, "rationale": "It answers."})
    assert adjudication.waiting(campaign) == []
    assert adjudication.decided(campaign) == [judgment]


def test_two_adjudicators_do_not_decide_the_same_one(factory: Factory) -> None:
    campaign = factory.judged_campaign()
    comparison = campaign.comparisons.latest("pk")
    alice, eve = factory.person(factory.alice()), factory.person(factory.user("eve", role="manager"))
    adjudication.take(comparison=comparison, annotator=alice)

    with pytest.raises(adjudication.AdjudicationRefused, match="alice decides it at the moment"):
        adjudication.take(comparison=comparison, annotator=eve)
    [row] = adjudication.waiting(campaign)
    assert row.taken_by == "alice"


def test_an_expired_lease_goes_to_the_next_and_the_first_one_can_no_longer_decide(factory: Factory) -> None:
    comparison = factory.judged_campaign().comparisons.latest("pk")
    alice, eve = factory.person(factory.alice()), factory.person(factory.user("eve", role="manager"))
    first = adjudication.take(comparison=comparison, annotator=alice)
    token = str(first.token)

    later = timezone.now() + adjudication.LEASE + timedelta(minutes=1)
    adjudication.take(comparison=comparison, annotator=eve, now=later)

    assert not Slot.objects.filter(pk=first.pk).exists()
    assert Slot.objects.get(comparison=comparison, purpose="adjudication").annotator == eve
    with pytest.raises(Slot.DoesNotExist):
        adjudication.decide(slot=first, annotator=alice, token=token, answer=FIRST, idempotency_key="k")


def test_a_decision_sent_twice_is_stored_once_and_a_decided_one_cannot_be_taken(factory: Factory) -> None:
    campaign = factory.judged_campaign()
    alice, comparison = factory.person(factory.alice()), campaign.comparisons.latest("pk")
    slot = adjudication.take(comparison=comparison, annotator=alice)
    sent: dict[str, Any] = {"annotator": alice, "token": str(slot.token), "answer": FIRST, "idempotency_key": "once"}

    assert adjudication.decide(slot=slot, **sent) == adjudication.decide(slot=slot, **sent)
    with pytest.raises(adjudication.AdjudicationRefused, match="has decided it"):
        adjudication.take(comparison=comparison, annotator=alice)


def test_a_reopened_comparison_waits_again_and_can_be_decided_otherwise(factory: Factory) -> None:
    campaign = factory.judged_campaign()
    alice = factory.person(factory.alice())
    first = decided(campaign, alice, FIRST)

    assert adjudication.reopen(comparison=first.comparison)
    slot = adjudication.take(comparison=first.comparison, annotator=alice)
    second = adjudication.decide(
        slot=slot, annotator=alice, token=str(slot.token), answer=SECOND, idempotency_key="again"
    )

    first.refresh_from_db()
    assert (first.is_current, second.is_current) == (False, True)


def test_an_incomplete_decision_is_refused_with_the_rule(factory: Factory) -> None:
    campaign = factory.judged_campaign()

    with pytest.raises(adjudication.DecisionRefused):
        decided(campaign, factory.person(factory.alice()), {})


def test_an_adjudicated_answer_overrides_the_consensus_and_is_marked(factory: Factory) -> None:
    campaign = factory.judged_campaign(num_comparisons=4, judges=2)
    judgment = decided(campaign, factory.person(factory.alice()), SECOND)
    run = consensus.start_consensus_run(campaign=campaign, method="majority")

    consensus.aggregate(_claimed(run))

    rows = {row.comparison_id: row for row in Consensus.objects.filter(run=run)}
    marked = rows.pop(judgment.comparison_id)
    assert (marked.tiers, marked.is_adjudicated, marked.judgment_ids) == ([[1], [0]], True, [judgment.pk])
    assert {(str(row.tiers), row.is_adjudicated, row.confidence) for row in rows.values()} == {
        ("[[0], [1]]", False, 1.0)
    }
    assert all(len(row.judgment_ids) == 2 for row in rows.values())


def test_an_unknown_method_is_refused(factory: Factory) -> None:
    with pytest.raises(consensus.ConsensusRefused, match="Method must be one of majority"):
        consensus.start_consensus_run(campaign=factory.campaign(), method="astrology")


def _claimed(run: ConsensusRun) -> ConsensusRun:
    claimed = jobs.claim(ConsensusRun, run.pk)
    assert claimed is not None
    return claimed


def test_a_passage_that_an_adjudicator_marks_must_lie_in_the_reply(factory: Factory) -> None:
    campaign = factory.judged_campaign(question=pairwise(asks_spans=True))
    alice = factory.person(factory.alice())
    comparison = campaign.comparisons.latest("pk")
    text = comparison.candidates.get(position=1).completion.text
    inside = {"completion": 1, "start": 0, "end": len(text), "label": "bad"}

    with pytest.raises(adjudication.DecisionRefused, match="must lie in") as refused:
        decided(campaign, alice, {**FIRST, "spans": [{**inside, "end": len(text) + 1}]})
    judgment = decided(campaign, alice, {**FIRST, "spans": [inside]})

    assert refused.value.fields == {"rule": "span_outside"}
    assert judgment.answer["spans"] == [inside]
