"""The buttons under a pairwise comparison."""

import json

import pytest

from annotation import question as questions
from annotation.answers import parse_answer
from frontend.choices import label_of, pairwise_choices


def test_a_plain_question_has_a_tie_between_its_sides() -> None:
    choices = pairwise_choices(questions.pairwise(allows_cant_judge=False))

    assert [choice.label for choice in choices] == ["A is better", "Equally good", "B is better"]
    assert [json.loads(choice.answer)["tiers"] for choice in choices] == [[[0], [1]], [[0, 1]], [[1], [0]]]
    assert [choice.keys for choice in choices] == [("1", "arrowleft"), ("0", "t"), ("2", "arrowright")]


def test_what_the_question_does_not_allow_is_not_offered() -> None:
    choices = pairwise_choices(questions.pairwise(allows_ties=False, allows_cant_judge=False))

    assert [choice.side for choice in choices] == ["first", "second"]


def test_strengths_run_from_a_by_far_to_b_by_far() -> None:
    choices = pairwise_choices(questions.pairwise(num_strengths=4, allows_ties=False, allows_cant_judge=False))

    assert choices[0].label == "A is significantly better"
    assert choices[-1].label == "B is significantly better"
    assert [json.loads(choice.answer)["strength"] for choice in choices] == [4, 3, 2, 1, 1, 2, 3, 4]
    assert [choice.shown_key for choice in choices] == list("12345678")


def test_long_scales_use_shift_for_the_second_side() -> None:
    choices = pairwise_choices(questions.pairwise(num_strengths=7))

    keys = [key for choice in choices for key in choice.keys]
    assert len(keys) == len(set(keys))
    assert "⇧7" in {choice.shown_key for choice in choices}


@pytest.mark.parametrize("num_strengths", [1, 2, 3, 4, 5, 7])
def test_every_button_is_an_answer_that_the_question_accepts(num_strengths: int) -> None:
    question = questions.pairwise(num_strengths=num_strengths, allows_both_bad=True)

    answers = [
        parse_answer(json.loads(choice.answer), question=question, num_completions=2)
        for choice in pairwise_choices(question)
    ]

    assert len({json.dumps(answer.to_json()) for answer in answers}) == 2 * num_strengths + 3


def test_an_answer_goes_by_the_words_of_its_button() -> None:
    question = questions.pairwise(num_strengths=4, allows_both_bad=True)

    assert label_of({"tiers": [[1], [0]], "strength": 3, "rationale": "Clear."}, question) == "B is better"
    assert label_of({"tiers": [[0, 1]], "both_bad": True}, question) == "Both are bad"
    assert label_of({"tiers": [[0, 1]]}, question) == "Equally good"
    assert label_of({"tiers": [[0], [1]], "strength": 7}, question) == ""  # of another version of the question
