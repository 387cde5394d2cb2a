"""What a pipeline run came to, as lines of text."""

from collections.abc import Iterator

from evaluation.models import EvaluationResult
from pipeline.models import PipelineRun, PipelineStep

RULE = "─" * 100


def result_table(run: PipelineRun) -> list[str]:
    """The evaluation results of the run with intervals and counts."""
    return [
        RULE,
        f"{'measure':<52}{'model':<16}{'value':>8}  {'95 % interval':<18}{'prompts':>6}",
        RULE,
        *_rows(run),
        RULE,
    ]


def _rows(run: PipelineRun) -> Iterator[str]:
    for result in _results(run):
        measure = f"{result.metric.replace('_', ' ')}: {result.run.name.split(' · ')[0]}"
        interval = f"[{result.low:.3f}, {result.high:.3f}]"
        model = result.model.name.split(" · ")[0]
        yield f"{measure:<52.51}{model:<16.15}{result.value:>8.3f}  {interval:<18}{result.num_prompts:>6}"


def _results(run: PipelineRun) -> list[EvaluationResult]:
    ids = [pk for step in run.steps.all() for label, pk in step.jobs if label == "evaluation.evaluationrun"]
    return list(
        EvaluationResult.objects.filter(run__in=ids).select_related("run", "model").order_by("run", "metric", "pk")
    )


def step_line(step: PipelineStep, *, progress: float | None = None) -> str:
    """One step as a line: mark, title, seconds, and what came out or how far it is."""
    mark = {"waiting": "·", "running": "▸", "finished": "✓", "failed": "✗"}[step.status]
    words = step.error or step.summary
    if step.status == PipelineStep.Status.RUNNING and progress is not None:
        words = f"{progress:.0%}"
    seconds = ""
    if step.started_at and step.finished_at:
        seconds = f"{(step.finished_at - step.started_at).total_seconds():.0f} s"
    return f" {mark} {step.title:<36}{seconds:>6}  {words}"
