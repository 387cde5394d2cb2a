"""What the page of a checkpoint shows of rounds."""

from typing import Any

from accounts.models import User
from annotation.models import Campaign
from frontend.access import may_manage
from generation.models import PromptSet
from training.models import Checkpoint, TrainingRun


def round_context(user: User, checkpoint: Checkpoint) -> dict[str, Any]:
    """What the next round could follow, for those who may start one, and the rounds that this checkpoint wrote."""
    model, workspace = checkpoint.language_model, checkpoint.run.workspace
    if model is None or checkpoint.run.algorithm == TrainingRun.Algorithm.REWARD:
        return {}
    context: dict[str, Any] = {"rounds": model.rounds.select_related("campaign")}
    if may_manage(user, workspace):
        asked = Campaign.objects.filter(workspace=workspace, question__num_completions__gte=2)
        context |= {"former_campaigns": asked, "round_prompt_sets": PromptSet.objects.filter(workspace=workspace)}
    return context
