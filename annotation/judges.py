"""From a judge's row to what answers for it."""

from collections.abc import Callable
from typing import Any

from annotation.judging import rubric
from annotation.judging.rubric import RubricJudge
from annotation.models import Annotator
from core.errors import ConcordError

RUBRICS: dict[str, Callable[[], RubricJudge]] = {"strict": rubric.strict, "lenient": rubric.lenient}


class JudgeInvalid(ConcordError):
    """A judge's protocol or parameters are unknown."""

    status = 422
    title = "This judge cannot be made"


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
