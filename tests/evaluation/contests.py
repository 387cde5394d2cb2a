"""Win rates by a judge with a language model: two models' replies, a judge behind a server, and the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core import jobs
from evaluation import runner, services
from evaluation.models import EvaluationRun
from generation.models import Completion
from tests.factory import Factory


def start_contest(factory: Factory, replies: Sequence[tuple[str, str]], **fields: Any) -> EvaluationRun:
    """A queued win rate of "better" against "base"; `replies` are (the baseline's, the subject's) of each prompt."""
    baseline, subject = factory.model("base"), factory.model("better")
    run = factory.sampling_run(
        factory.prompt_set(num_prompts=len(replies)), models=[baseline, subject], num_completions=1
    )
    for prompt, texts in zip(run.prompt_set.prompts.order_by("pk"), replies, strict=True):
        for model, text in zip((baseline, subject), texts, strict=True):
            Completion.objects.filter(prompt=prompt, model=model).update(text=text)
    return services.start_evaluation(
        workspace=factory.workspace(),
        name="Win rate",
        kind="win_rate",
        subjects=[subject],
        baseline=baseline,
        sampling_run=run,
        **fields,
    )


def carry_out(run: EvaluationRun) -> EvaluationRun:
    """Claim, measure, finish."""
    held = jobs.claim(EvaluationRun, run.pk)
    assert held is not None
    runner.evaluate(held)
    jobs.finish(held)
    return held
