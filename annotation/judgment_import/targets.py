"""Where imported judgments go: a closed campaign and a prompt set of one name."""

from __future__ import annotations

from accounts.models import User, Workspace
from annotation.judgment_import.shapes import Shape
from annotation.models import Campaign, GuidelineVersion, QuestionVersion
from annotation.question import Question
from core.errors import ConcordError
from generation import services as generation
from generation.models import PromptSet

IMPORTED_GUIDELINES = "The judgments of this campaign came with a file; nobody was asked here."
MAX_NAME_CHARACTERS = 120


class ImportConflict(ConcordError):
    """The name belongs to something else that judgments cannot be added to, or it was changed meanwhile."""

    status = 409
    title = "These judgments cannot be added there"


def open_targets(
    *, workspace: Workspace, name: str, held_out_fraction: float, user: User | None
) -> tuple[Campaign, PromptSet]:
    """The campaign, locked until the transaction ends, and the prompt set; made if missing. Raises `ImportConflict`."""
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS:
        raise ImportConflict(f"The campaign needs a name of 1 to {MAX_NAME_CHARACTERS} characters, got {len(name)}.")
    Campaign.objects.get_or_create(
        workspace=workspace,
        name=name,
        defaults={
            "question": Question(kind="pairwise").to_json(),
            "guidelines": IMPORTED_GUIDELINES,
            "status": Campaign.Status.CLOSED,
            "created_by": user,
        },
    )
    campaign = Campaign.objects.select_for_update().get(workspace=workspace, name=name)
    if campaign.guidelines != IMPORTED_GUIDELINES:
        raise ImportConflict(f"{name!r} is a campaign with judgments of its own; import the file under another name.")
    prompt_set = PromptSet.objects.filter(workspace=workspace, name=name).first() or generation.create_prompt_set(
        workspace=workspace, name=name, source="imported judgments", held_out_fraction=held_out_fraction
    )
    return campaign, prompt_set


def settle(campaign: Campaign, shape: Shape, overlap: int) -> None:
    """Write down what these answers answer. Nobody was asked, so it stays the first version and only grows."""
    if campaign.question_versions.exists():
        shape |= Shape.of_question(Question.from_json(campaign.question))
    campaign.question, campaign.overlap = shape.question().to_json(), overlap
    campaign.save(update_fields=["question", "overlap"])
    QuestionVersion.objects.update_or_create(
        campaign=campaign, number=campaign.question_version, defaults={"question": campaign.question}
    )
    GuidelineVersion.objects.get_or_create(
        campaign=campaign, number=campaign.guideline_version, defaults={"text": campaign.guidelines}
    )
