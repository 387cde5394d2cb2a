"""From the forms of a new campaign to its rows."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accounts.models import User
from annotation import services
from annotation.models import Campaign
from annotation.question import Question


def make_campaign(
    *, question: Question, fields: Mapping[str, Any], policy: Mapping[str, Any], user: User
) -> tuple[Campaign, int]:
    """The campaign in draft and how many comparisons it has; all or nothing. Raises `CampaignRefused`."""
    with transaction.atomic():
        campaign = services.create_campaign(
            workspace=fields["workspace"],
            name=fields["name"],
            question=question,
            guidelines=fields["guidelines"],
            overlap=fields["overlap"],
            lease_seconds=60 * fields["lease_minutes"],
            policy=policy,
            user=user,
        )
        return campaign, _fill(campaign, question, fields)


def _fill(campaign: Campaign, question: Question, fields: Mapping[str, Any]) -> int:
    """A question about replies takes them from a sampling run, one that shows none its prompts from a set."""
    if question.num_completions and fields["sampling_run"]:
        return services.add_comparisons(
            campaign=campaign,
            sampling_run=fields["sampling_run"],
            max_per_prompt=fields["max_per_prompt"],
            choice=fields["choice"],
            scoring_run=fields["scoring_run"],
        )
    if not question.num_completions and fields["prompt_set"]:
        return services.add_prompts(campaign=campaign, prompt_set=fields["prompt_set"])
    return 0
