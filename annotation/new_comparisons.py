"""Making comparisons with their candidates and slots, in bulk, each once per campaign."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from annotation import categories, judge_routing
from annotation.models import Campaign, Candidate, Comparison, Slot
from generation.models import Completion, Prompt, ScoringRun

BATCH = 2000


@dataclass(frozen=True, kw_only=True)
class NewComparison:
    """A prompt and the completions of it to compare, in canonical order."""

    prompt: Prompt
    completions: Sequence[Completion]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the sorted completion ids, or of the prompt's where it stands alone: whatever their order."""
        ids = ",".join(str(pk) for pk in sorted(completion.pk for completion in self.completions))
        return hashlib.sha256((ids or f"prompt {self.prompt.pk}").encode()).hexdigest()

    @property
    def pair_key(self) -> int:
        """Which models wrote the two completions, in order, as a number of 63 bits; 0 for other than two."""
        if len(self.completions) != 2:
            return 0
        models = ",".join(str(completion.model_id) for completion in self.completions)
        return int.from_bytes(hashlib.sha256(models.encode()).digest()[:8], "big") >> 1


def create_comparisons(
    *,
    campaign: Campaign,
    groups: Sequence[NewComparison],
    overlap: int | None = None,
    priority: int = 0,
    choice: str = Comparison.Choice.RANDOM,
    scoring_run: ScoringRun | None = None,
) -> list[Comparison]:
    """Store what the campaign does not have yet, with `overlap` slots each; returns the new comparisons in order.

    `choice` and `scoring_run` are kept with them: they say how the groups were chosen.
    """
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        known = set(campaign.comparisons.values_list("fingerprint", flat=True))
        new = {group.fingerprint: group for group in groups if group.fingerprint not in known}
        completions = {completion.pk for group in new.values() for completion in group.completions}
        labels = categories.labels_of(completions)
        comparisons = Comparison.objects.bulk_create(
            [
                Comparison(
                    campaign=campaign,
                    prompt=group.prompt,
                    num_completions=len(group.completions),
                    fingerprint=key,
                    pair_key=group.pair_key,
                    categories=categories.categories_of(
                        group.prompt, [labels[one.pk] for one in group.completions if one.pk in labels]
                    ),
                    priority=priority,
                    choice=Comparison.Choice(choice),
                    scoring_run=scoring_run,
                )
                for key, group in new.items()
            ],
            batch_size=BATCH,
        )
        _create_candidates(comparisons, list(new.values()))
        _create_slots(campaign, comparisons, overlap or campaign.overlap)
        # What a guard flagged meanwhile looked for these comparisons in vain.
        transaction.on_commit(lambda: categories.add_flagged(completions=completions))
    return comparisons


def _create_candidates(comparisons: Sequence[Comparison], groups: Sequence[NewComparison]) -> None:
    Candidate.objects.bulk_create(
        [
            Candidate(comparison=comparison, completion=completion, position=position)
            for comparison, group in zip(comparisons, groups, strict=True)
            for position, completion in enumerate(group.completions)
        ],
        batch_size=BATCH,
    )


def _create_slots(campaign: Campaign, comparisons: Sequence[Comparison], overlap: int) -> None:
    begins_with = judge_routing.columns_of_new_slots(campaign)
    Slot.objects.bulk_create(
        [
            Slot(
                campaign=campaign,
                comparison=comparison,
                number=number,
                priority=comparison.priority,
                pair_key=comparison.pair_key,
                **begins_with,
            )
            for comparison in comparisons
            for number in range(overlap)
        ],
        batch_size=BATCH,
    )
