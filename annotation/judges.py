"""From a judge's row to what answers for it."""

from collections.abc import Callable
from typing import Any

from annotation.judging import rubric
from annotation.judging.rubric import RubricJudge
from annotation.models import Annotator
from annotation.question import Question
from core.errors import ConcordError

RUBRICS: dict[str, Callable[[], RubricJudge]] = {"strict": rubric.strict, "lenient": rubric.lenient}


class JudgeInvalid(ConcordError):
    """A judge's protocol or parameters are unknown, or it cannot answer what is asked."""

    status = 422
    title = "This judge cannot do that"


def check_judge(protocol: str, parameters: dict[str, Any]) -> None:
    """Raises `JudgeInvalid` unless a judge can be made of these."""
    if protocol != "rubric":
        raise JudgeInvalid(f"protocol must be 'rubric', got {protocol!r}.")
    if set(parameters) != {"strictness"} or parameters["strictness"] not in list(RUBRICS):
        raise JudgeInvalid(f"A rubric judge has the parameter strictness ({' or '.join(RUBRICS)}), got {parameters!r}.")


def rubric_judge(annotator: Annotator) -> RubricJudge:
    """The scripted judge that this row describes."""
    check_judge(annotator.protocol, annotator.parameters)
    return RUBRICS[annotator.parameters["strictness"]]()


def check_can_answer(annotator: Annotator, question: Question) -> None:
    """Raises `JudgeInvalid` if the question asks what this judge has no means to say."""
    if reason := rubric.why_not(question):
        raise JudgeInvalid(f"{annotator} cannot answer this question: {reason}. Let people answer it.")
