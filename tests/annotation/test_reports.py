from __future__ import annotations

import pytest

from annotation import reports
from annotation.models import Judgment
from tests.factory import Factory


def test_agreement_counts_every_pair_of_judgments(factory: Factory) -> None:
    campaign = factory.judged_campaign(num_comparisons=4, judges=2)  # they disagree about the last one
    raw, alpha, *_ = reports.campaign_agreement(campaign)
    assert (raw.label, raw.estimate.value, raw.estimate.n) == ("Raw agreement", 0.75, 4)
    # Krippendorff's alpha of two coders, nominal: 1 - (8 - 1) * observed / expected disagreement, where of the 8
    # values 7 say "first" and 1 says "second": observed = 2 / 8, expected = 2 * 7 * 1 / (8 * 7).
    assert alpha.estimate.value == pytest.approx(1 - (2 / 8) / (2 * 7 / 56))


def test_a_campaign_that_nobody_judged_twice_says_why_it_has_no_agreement(factory: Factory) -> None:
    rows = reports.campaign_agreement(factory.judged_campaign(num_comparisons=2, judges=1))
    assert {row.estimate.value for row in rows} == {None}
    assert all("undefined: " in str(row) for row in rows)


def test_a_row_reads_as_value_interval_and_number(factory: Factory) -> None:
    raw, *_ = reports.campaign_agreement(factory.judged_campaign(num_comparisons=4))
    assert str(raw).startswith("Raw agreement 0.750 [")
    assert str(raw).endswith("n = 4")


def test_every_enrolled_annotator_has_a_row(factory: Factory) -> None:
    campaign = factory.judged_campaign(num_comparisons=4, judges=2)
    first, second, bob = reports.annotator_rows(campaign)
    assert [row.work.num_judged for row in (first, second, bob)] == [4, 4, 0]
    assert first.work.agreement_with_others.value == second.work.agreement_with_others.value == 0.75
    assert bob.work.agreement_with_others.value is None
    assert bob.annotator.name == "bob"


def test_the_median_time_is_of_active_seconds_that_were_measured(factory: Factory) -> None:
    campaign = factory.campaign(num_comparisons=4)
    for slot, active_ms in zip(campaign.slots.all(), (0, 1000, 2000, 9000), strict=True):
        factory.judgment(slot, active_ms=active_ms)
    [bob] = reports.annotator_rows(campaign)
    assert (bob.work.num_judged, bob.work.active.value) == (4, 2.0)


def test_a_replaced_judgment_counts_no_more(factory: Factory) -> None:
    campaign = factory.judged_campaign(num_comparisons=4)
    last = Judgment.objects.latest("pk")
    Judgment.objects.filter(pk=last.pk).update(is_current=False)
    factory.judgment(last.slot, last.annotator, tiers=[[0], [1]], revises=last)
    raw, *_ = reports.campaign_agreement(campaign)
    assert (raw.estimate.value, raw.estimate.n) == (1.0, 4)
