from __future__ import annotations

from itertools import permutations

import pytest

from annotation.answers import parse_answer, parse_tiers
from annotation.judging.rubric import RubricJudge, edit_similarity, lenient, strict, why_not
from annotation.question import Question, demonstration, pairwise, ranking, rating

WRONG_ANSWERS = ["", "ca", "cat cat", "the cat is here", "dog", "cats", "?!", "c a t", "cat " * 40]


@pytest.mark.parametrize("judge", [strict(), lenient()])
@pytest.mark.parametrize("wrong", WRONG_ANSWERS)
def test_every_wrong_answer_loses_to_the_right_one(judge: RubricJudge, wrong: str) -> None:
    assert judge.judge("cat", [wrong, "cat"], pairwise()) == [[1], [0]]


@pytest.mark.parametrize("judge", [strict(), lenient()])
def test_scores_lie_between_0_and_1(judge: RubricJudge) -> None:
    for completion in ["cat", *WRONG_ANSWERS]:
        assert 0 <= judge.score("cat", completion) <= 1


def test_the_names_say_that_they_are_scripts() -> None:
    assert strict().name != lenient().name
    assert all("Scripted rubric judge" in judge.name for judge in (strict(), lenient()))


def test_the_strict_judge_forgives_blanks_and_nothing_else() -> None:
    assert strict().score("cat dog", " cat  dog\n") == 1
    assert strict().score("cat dog", "Cat dog") == 0
    assert strict().score("cat dog", "cat dog.") == 0


def test_all_wrong_replies_tie_for_the_strict_judge() -> None:
    assert strict().judge("14", ["13", "14", "cat", ""], ranking(4)) == [[1], [0, 2, 3]]


def test_the_lenient_judge_forgives_case_and_punctuation() -> None:
    assert lenient().judge("cat", ["Cat.", "cat"], pairwise()) == [[0, 1]]


def test_the_lenient_judge_prefers_the_closer_of_two_wrong_replies() -> None:
    assert lenient().judge("flower", ["xyz", "flowe", "flower", "flour garden wall"], ranking(4))[:2] == [[2], [1]]


def test_the_lenient_judge_prefers_stopping_in_time() -> None:
    assert lenient().judge("cat", ["cat is an animal that likes to sleep", "cat s"], pairwise()) == [[1], [0]]


def test_naming_the_answer_among_other_words_earns_something() -> None:
    judge = lenient()
    assert judge.score("7", "13 and so on") < judge.score("7", "it is 7") < judge.score("7", "7!")


@pytest.mark.parametrize("judge", [strict(), lenient()])
@pytest.mark.parametrize("allows_ties", [True, False])
def test_the_order_of_the_replies_never_decides(judge: RubricJudge, allows_ties: bool) -> None:
    texts = ["cat", "cats", "dog", "Cat"]
    question = ranking(4, allows_ties=allows_ties)
    seen = {
        str(
            [
                sorted(texts[order[index]] for index in tier)
                for tier in judge.judge("cat", [texts[i] for i in order], question)
            ]
        )
        for order in permutations(range(4))
    }
    assert len(seen) == 1


def test_a_question_without_ties_gets_none() -> None:
    tiers = strict().judge("cat", ["dogs", "cow", "cat", "cow"], ranking(4, allows_ties=False))
    assert tiers == [[2], [1], [3], [0]]


def test_the_verdict_is_a_valid_answer() -> None:
    tiers = lenient().judge("cat", WRONG_ANSWERS, ranking(9))
    assert parse_tiers(tiers, num_completions=9) == tiers


@pytest.mark.parametrize(
    ("first", "second", "similarity"),
    [
        ("", "", 1.0),
        ("cat", "cat", 1.0),
        ("cat", "", 0.0),
        ("kitten", "sitting", 1 - 3 / 7),  # the textbook distance of 3
        ("ab", "ba", 0.0),
        ("a " * 300 + "b", "a " * 300 + "c", 1 - 1 / 301),  # by words
    ],
)
def test_edit_similarity_is_one_minus_the_relative_distance(first: str, second: str, similarity: float) -> None:
    assert edit_similarity(first, second) == pytest.approx(similarity)
    assert edit_similarity(second, first) == pytest.approx(similarity)


@pytest.mark.parametrize("judge", [strict(), lenient()])
@pytest.mark.parametrize(
    "question",
    [
        pairwise(num_strengths=7, rating_points=7, rationale="required"),
        pairwise(num_strengths=4, allows_ties=False),
        ranking(2, top_k=1),
        ranking(2, rating_points=2, reasons=("right",)),
        rating(10, num_completions=2),
    ],
)
@pytest.mark.parametrize("texts", [["dog", "cat"], ["cats", "cat."], ["cat", "cat"], ["", "?!"]])
def test_the_answer_fits_every_question_that_it_can_answer(
    judge: RubricJudge, question: Question, texts: list[str]
) -> None:
    assert why_not(question) == ""
    parse_answer(judge.answer("cat", texts, question), question=question, num_completions=2)


def test_the_farther_apart_two_replies_are_the_stronger_the_preference() -> None:
    strengths = [
        lenient().answer("cat", ["cat", worse], pairwise(num_strengths=4))["strength"] for worse in ("cats", "")
    ]
    assert strengths == [3, 4]  # 1 − 0.6 × 3/4 = 0.55 and 1 − 0 of 4


@pytest.mark.parametrize(
    "question", [demonstration(), pairwise(asks_safety=True), pairwise(aspects=("helpfulness", "honesty"))]
)
def test_what_no_rule_can_tell_is_said_so(question: Question) -> None:
    assert why_not(question)
