from __future__ import annotations

from typing import Any

import pytest

from annotation.judges import JudgeInvalid, check_judge, rubric_judge
from tests.factory import Factory


@pytest.mark.parametrize(
    ("protocol", "parameters", "words"),
    [
        ("oracle", {"strictness": "strict"}, "protocol must be 'rubric'"),
        ("rubric", {}, "strict or lenient"),
        ("rubric", {"strictness": "harsh"}, "strict or lenient"),
        ("rubric", {"strictness": ["strict"]}, "strict or lenient"),
        ("rubric", {"strictness": "strict", "mood": "good"}, "strict or lenient"),
    ],
)
def test_an_unknown_judge_is_refused(protocol: str, parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(JudgeInvalid, match=words):
        check_judge(protocol, parameters)


def test_a_judges_row_says_how_strict_it_is(factory: Factory) -> None:
    names = [rubric_judge(factory.judge(strictness=word)).name for word in ("strict", "lenient")]
    assert names == ["Scripted rubric judge (strict)", "Scripted rubric judge (lenient)"]


def test_a_person_is_no_judge(factory: Factory) -> None:
    with pytest.raises(JudgeInvalid):
        rubric_judge(factory.person())
