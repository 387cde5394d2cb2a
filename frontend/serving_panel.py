"""What the pages of models and checkpoints show of servers."""

from typing import Any

from accounts.models import User
from frontend.access import may_engineer
from generation.models import LanguageModel

SHOWN = 3  # of the newest servers


def serving_context(user: User, model: LanguageModel | None) -> dict[str, Any]:
    """The model's newest servers, and whether the user may start one; nothing for what cannot be served."""
    if model is None or not model.has_weights or model.kind != LanguageModel.Kind.POLICY:
        return {"can_be_served": False}
    runs = list(model.serving_runs.all()[:SHOWN])
    is_served = any(not run.has_ended for run in runs)
    may_serve = not is_served and may_engineer(user, model.workspace)
    return {"can_be_served": True, "model": model, "serving_runs": runs, "may_serve": may_serve}
