"""Comparisons of replies with what a constitution made of them."""

from annotation.models import Campaign
from annotation.new_comparisons import NewComparison, create_comparisons
from annotation.question import Question
from annotation.services import CampaignRefused
from generation.models import Completion, Revision, RevisionRun
from generation.near_duplicates import mark_near_duplicates


def add_revision_comparisons(
    *, campaign: Campaign, revision_run: RevisionRun, overlap: int | None = None, priority: int = 0
) -> int:
    """Compare each original with its last revision; returns how many comparisons are new. Raises `CampaignRefused`.

    A revision that says what its original says is not compared. Adding the same run again adds nothing twice.
    """
    if campaign.status == Campaign.Status.CLOSED:
        raise CampaignRefused(f"{campaign} is closed; nothing can be added to it.")
    if campaign.workspace_id != revision_run.workspace_id:
        raise CampaignRefused("The revision run must belong to the campaign's workspace.")
    if (wanted := Question.from_json(campaign.question).num_completions) != 2:
        raise CampaignRefused(f"The question of {campaign} is about {wanted} completions; a revision makes two.")
    groups = [
        NewComparison(prompt=original.prompt, completions=(original, final))
        for original, final in revised_pairs(revision_run)
        if mark_near_duplicates([original.text, final.text]) == [None, None]
    ]
    return len(create_comparisons(campaign=campaign, groups=groups, overlap=overlap, priority=priority))


def revised_pairs(run: RevisionRun) -> list[tuple[Completion, Completion]]:
    """Each original with its last revision."""
    last: dict[int, Revision] = {}
    for revision in run.revisions.select_related("original__prompt", "completion").order_by("original", "step"):
        last[revision.original_id] = revision
    return [(revision.original, revision.completion) for revision in last.values()]
