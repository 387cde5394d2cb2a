"""From a judge's row to what answers for it: a scripted rubric, a panel, or a version with a language model."""

from collections.abc import Callable
from typing import Any

from annotation.judging import JudgeSpec, rubric, spec_from_json, why_not
from annotation.judging.rubric import RubricJudge
from annotation.models import Annotator, JudgeVersion
from annotation.question import Question
from core.errors import ConcordError

RUBRIC, PANEL = "rubric", "panel"  # protocols of judges that ask no model themselves
RUBRICS: dict[str, Callable[[], RubricJudge]] = {"strict": rubric.strict, "lenient": rubric.lenient}


class JudgeInvalid(ConcordError):
    """A judge's protocol or parameters are unknown, or it cannot answer what is asked."""

    status = 422
    title = "This judge cannot do that"


def check_judge(protocol: str, parameters: dict[str, Any]) -> None:
    """Raises `JudgeInvalid` unless a scripted judge can be made of these; those with a model are `judge_versions`'."""
    if protocol != RUBRIC:
        raise JudgeInvalid(f"protocol must be 'rubric' where there is no model, got {protocol!r}.")
    if set(parameters) != {"strictness"} or parameters["strictness"] not in list(RUBRICS):
        raise JudgeInvalid(f"A rubric judge has the parameter strictness ({' or '.join(RUBRICS)}), got {parameters!r}.")


def rubric_judge(annotator: Annotator) -> RubricJudge:
    """The scripted judge that this row describes."""
    check_judge(annotator.protocol, annotator.parameters)
    return RUBRICS[annotator.parameters["strictness"]]()


def newest_version(annotator: Annotator) -> JudgeVersion | None:
    """What the judge is now; None for scripted judges and panels."""
    found: JudgeVersion | None = annotator.versions.select_related("model", "judge").order_by("-number").first()
    return found


def spec_of(version: JudgeVersion) -> JudgeSpec:
    """The version's protocol, template and parameters."""
    return spec_from_json(version.spec)


def check_can_answer(annotator: Annotator, question: Question) -> None:
    """Raises `JudgeInvalid` if the question asks what this judge has no means to say."""
    if reason := _why_not(annotator, question):
        raise JudgeInvalid(f"{annotator} cannot answer this question: {reason}. Let people answer it.")


def _why_not(annotator: Annotator, question: Question) -> str:
    if annotator.protocol == RUBRIC:
        return rubric.why_not(question)
    if annotator.protocol == PANEL:
        return "" if question.kind in ("pairwise", "ranking") else "a panel gives orders of replies only"
    version = newest_version(annotator)
    return why_not(spec_of(version), question) if version else "it has no version"
