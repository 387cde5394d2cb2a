"""What a form of a new training run comes to, as far as it is filled in."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from core.errors import ConcordError
from core.models import Job
from frontend.training_forms import TrainingForm
from training import preflight, services
from training.models import DataReport

LIMITS = ("max_prompt_tokens", "max_completion_tokens")


def preview_of(form: TrainingForm, user: User) -> dict[str, Any]:
    """`report` (asked for, if it is not there yet) and `estimate`; nothing before data are chosen."""
    said = form.cleaned_data
    inputs = {name: said.get(name) for name in ("dataset", "prompt_set", "init_model")}
    if not (inputs["dataset"] or inputs["prompt_set"]) or {"init_model", *LIMITS} & form.errors.keys():
        return {"is_incomplete": True}
    limits = {name: said[name] for name in LIMITS if said.get(name)}
    try:
        report = services.report_on_data(
            algorithm=form.algorithm, config=limits, user=user, tries_again=False, **inputs
        )
    except ConcordError as error:
        return {"problem": error.detail}
    context: dict[str, Any] = {"report": report, "is_waiting": not report.has_ended}
    return context | report_context(report) | _estimate(form, inputs, report)


def report_context(report: DataReport | None) -> dict[str, Any]:
    """What the template of a report shows; nothing while there is none."""
    if report is None or report.status != Job.Status.FINISHED:
        return {}
    return {"found": report.report, "broken": [one for one in report.report["checks"] if not one["is_kept"]]}


def _estimate(form: TrainingForm, inputs: dict[str, Any], report: DataReport) -> dict[str, Any]:
    """The estimate, once every setting can be read."""
    if any(form.errors.get(one.name) for one in form.settings):
        return {}
    try:
        config = services.checked_config(form.algorithm, form.config)
    except ConcordError:
        return {}
    found = preflight.estimate_run(algorithm=form.algorithm, config=config, report=report, **inputs)
    return {
        "estimate": found.as_json(),
        "refusal": preflight.why_not(found) or preflight.too_long(config, inputs["init_model"]),
        "warnings": preflight.warnings_of(found),
    }
