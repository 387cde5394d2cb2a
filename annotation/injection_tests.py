"""Starting an injection test of a judge from its own page or the command line, where nobody names a campaign."""

from __future__ import annotations

from accounts.models import User
from annotation import services
from annotation.judges import newest_version, spec_of
from annotation.judging import why_not
from annotation.models import Annotator, Campaign, JudgingRun
from annotation.question import Question
from annotation.services import CampaignRefused


def start_injection_test(*, judge: Annotator, user: User | None = None) -> JudgingRun:
    """Queue the attacks against the newest version, with the question of a campaign that it can answer.

    Takes the newest campaign in which the judge works, else the newest of the workspace. Raises `CampaignRefused`.
    """
    version = newest_version(judge)
    if version is None:
        raise CampaignRefused(f"{judge} has no language model: only judges with one are attacked.")
    spec = spec_of(version)
    paused = judge.enrolments.filter(is_active=False).values("campaign")
    campaigns = list(Campaign.objects.filter(workspace=judge.workspace_id).exclude(pk__in=paused).order_by("-pk"))
    enrolled = set(judge.enrolments.values_list("campaign_id", flat=True))
    for campaign in sorted(campaigns, key=lambda one: one.pk not in enrolled):
        if not why_not(spec, Question.from_json(campaign.question)):
            return services.start_judging_run(
                campaign=campaign, annotator=judge, kind=JudgingRun.Kind.ATTACK, user=user
            )
    raise CampaignRefused(f"No campaign of {judge.workspace} has a question that {judge} can answer; make one first.")
