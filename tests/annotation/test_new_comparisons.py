from __future__ import annotations

from collections.abc import Callable
from typing import Any

from annotation.models import Candidate, Comparison
from annotation.new_comparisons import NewComparison, create_comparisons
from tests.factory import Factory

Capture = Callable[..., Any]


def test_a_comparison_has_its_candidates_in_order_and_as_many_slots_as_wanted(factory: Factory) -> None:
    campaign, prompt = factory.campaign(overlap=3), factory.prompt()
    first, second = factory.completions(prompt)
    group = NewComparison(prompt=prompt, completions=[second, first])
    [made] = create_comparisons(campaign=campaign, groups=[group], priority=2)
    candidates = Candidate.objects.filter(comparison=made).values_list("position", "completion")
    assert list(candidates) == [(0, second.pk), (1, first.pk)]
    assert list(made.slots.values_list("number", "priority")) == [(number, 2) for number in range(3)]
    assert not made.slots.exclude(annotator=None).exists()
    assert made.num_completions == 2


def test_the_same_completions_in_another_order_are_the_same_comparison(factory: Factory) -> None:
    campaign, prompt = factory.campaign(), factory.prompt()
    first, second = factory.completions(prompt)
    groups = [NewComparison(prompt=prompt, completions=pair) for pair in ([first, second], [second, first])]
    assert len(create_comparisons(campaign=campaign, groups=groups)) == 1
    assert create_comparisons(campaign=campaign, groups=groups) == []
    assert Comparison.objects.filter(campaign=campaign).count() == 1


def test_the_overlap_of_some_comparisons_may_differ_from_the_campaigns(factory: Factory) -> None:
    campaign, prompt = factory.campaign(overlap=2), factory.prompt()
    group = NewComparison(prompt=prompt, completions=factory.completions(prompt))
    [made] = create_comparisons(campaign=campaign, groups=[group], overlap=4)
    assert made.slots.count() == 4


def test_a_reply_that_a_guard_flagged_makes_its_comparison_sensitive(factory: Factory) -> None:
    campaign, prompt = factory.campaign(), factory.prompt()
    prompt.tags = ["chemistry"]
    first, second, third = factory.completions(prompt, ["a", "b", "c"])
    first.flags.create(kind="unsafe", detail="weapons, hate")
    third.flags.create(kind="refusal")
    groups = [NewComparison(prompt=prompt, completions=pair) for pair in ([first, second], [second, third])]
    flagged, unflagged = create_comparisons(campaign=campaign, groups=groups)
    assert flagged.categories == ["chemistry", "hate", "sensitive", "weapons"]
    assert unflagged.categories == ["chemistry"]


def test_flags_that_come_while_comparisons_are_made_are_added(
    factory: Factory, django_capture_on_commit_callbacks: Capture
) -> None:
    prompt = factory.prompt()
    completions = factory.completions(prompt)
    with django_capture_on_commit_callbacks() as committed:
        [made] = create_comparisons(
            campaign=factory.campaign(), groups=[NewComparison(prompt=prompt, completions=completions)]
        )
    completions[0].flags.create(kind="unsafe", detail="hate")
    for callback in committed:
        callback()
    made.refresh_from_db()
    assert made.categories == ["hate", "sensitive"]
